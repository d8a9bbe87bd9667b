#!/bin/sh
# Tells pacemaker, once, on one of both hosts: an address, and with it the host that is the active
# one (the agent is the file "active" beside this). systemd starts inosync and rsync on both.

set -e
crm_attribute --name resource-stickiness --type rsc_defaults --update 100
cibadmin --create --scope resources --xml-text '
<group id="data">
  <primitive id="data-address" class="ocf" provider="heartbeat" type="IPaddr2">
    <instance_attributes id="data-address-where">
      <nvpair id="data-address-ip" name="ip" value="192.0.2.10"/>
      <nvpair id="data-address-mask" name="cidr_netmask" value="24"/>
    </instance_attributes>
    <operations>
      <op id="data-address-monitor" name="monitor" interval="5s" timeout="20s"/>
    </operations>
  </primitive>
  <primitive id="data-active" class="ocf" provider="inosync" type="active">
    <operations>
      <op id="data-active-monitor" name="monitor" interval="5s" timeout="20s"/>
    </operations>
  </primitive>
</group>'
