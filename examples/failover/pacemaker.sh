#!/bin/sh
# Tells pacemaker, once, on one of both hosts: an address, and with it the host that is the active
# one (inosync-active.service). inosync and rsync are started by systemd on both.

set -e
pcs resource create data-address ocf:heartbeat:IPaddr2 ip=192.0.2.10 cidr_netmask=24 \
    op monitor interval=5s --group data
pcs resource create data-active systemd:inosync-active op monitor interval=10s --group data
# Who comes back takes nothing away from who is at work.
pcs resource meta data resource-stickiness=100
