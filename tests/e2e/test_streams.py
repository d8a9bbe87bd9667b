"""Slices that are made at once, over ssh: each on a connection of its own."""

from __future__ import annotations

import re
from pathlib import Path

from support.daemon import Daemon, settings
from support.places import wait_equal
from support.servers import SshServer
from support.trees import write


def test_slices_at_once_have_connections_of_their_own(
    tmp_path: Path, source: Path, ssh_server: SshServer
) -> None:
    for number in range(200):
        write(source, f"d{number:03}/file", f"{number}")
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    node = {"node": ssh_server.url(mirror), "rstreams": 3}
    chosen = settings(source, node, rscope="changes")
    with Daemon(tmp_path, chosen, environment=ssh_server.environment()) as daemon:
        daemon.start()
        daemon.wait_for_log("in sync")
        wait_equal(source, mirror)
        slices = [
            line for line in daemon.log().splitlines() if re.search(r"executing.*/\./d\d", line)
        ]
        own = [line for line in slices if "ControlPath=none" in line]
        assert 2 <= len(own) < len(slices)
        accepted = ssh_server.log_file.read_text().count("Accepted publickey")
        assert accepted >= 1 + len(own)
        # A change between them goes over the shared one.
        write(source, "d000/later", "x")
        wait_equal(source, mirror)
        assert ssh_server.log_file.read_text().count("Accepted publickey") == accepted
        daemon.stop()
