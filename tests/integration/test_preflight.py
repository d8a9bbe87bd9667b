"""What is looked at before anything starts, against the real kernel."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.daemon import PROJECT, inosync_environment
from support.namespaces import need

#: A mirror where nobody may write, as systemd makes it for a unit that has no line for it.
READ_ONLY = """
import os, subprocess, sys
sys.path.insert(0, sys.argv[2])
from support.configs import make_config, make_pair
from inosync.service.preflight import read_only

top = sys.argv[1]
for directory in ("closed", "open"):
    os.mkdir(f"{top}/{directory}")
subprocess.run(["mount", "--bind", "-o", "ro", f"{top}/closed", f"{top}/closed"], check=True)
subprocess.run(["mount", "-o", "remount,bind,ro", f"{top}/closed"], check=True)
nodes = (f"{top}/closed/not/yet/", f"{top}/open/", "host:/closed")
config = make_config([make_pair(None, node) for node in nodes])
print(*read_only(config), sep="\\n")
with open(f"{top}/cgroup", "w") as file:
    file.write("0::/system.slice/system-inosync.slice/inosync@web.service\\n")
subprocess.run(["mount", "--bind", f"{top}/cgroup", f"/proc/{os.getpid()}/cgroup"], check=True)
print(*read_only(config), sep="\\n")
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount")
def test_a_mirror_that_nobody_may_write_to_is_told(tmp_path: Path) -> None:
    apart = ["unshare", "--mount", "--propagation", "private"]
    need(*apart)
    done = subprocess.run(
        [*apart, sys.executable, "-W", "ignore", "-c", READ_ONLY, tmp_path, f"{PROJECT}/tests"],
        env=inosync_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    path = f"{tmp_path}/closed/not/yet"
    told = f"{path}: the file system is read-only here; "
    inside = f"systemctl edit inosync@web.service: ReadWritePaths={path}"
    assert (done.stdout, done.stderr) == (f"{told}remount it\n{told}{inside}\n", "")
