"""The image, built and run by podman as it is meant to run: another user, a root that is read-only.

Without a registry the base is made by mmdebstrap, and pip's wheels by the pip of the tests.
"""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.daemon import config_text, settings
from support.places import wait_equal
from support.servers import SshServer
from support.trees import write
from support.waiting import until

ROOT = Path(__file__).resolve().parents[2]
IMAGE, BASE = "localhost/inosync-test", "localhost/inosync-test-base"
USER = 65532  # that of the image

pytestmark = [
    pytest.mark.skipif(not shutil.which("podman"), reason="podman is not installed"),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files to the image's user"),
    pytest.mark.timeout(1200),  # it fetches a system
]


def podman(*words: str | Path, check: bool = True) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        ["podman", *words], capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
    )
    assert done.returncode == 0 or not check, done.stdout + done.stderr
    return done


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("image")
    limits = [
        f"{name}={most}:{most}"
        for name in ("nofile", "nproc")
        for soft, _ in [resource.getrlimit(getattr(resource, f"RLIMIT_{name.upper()}"))]
        for most in [4096 if soft < 0 else min(soft, 4096)]
    ]
    # What podman asks for by default is not allowed everywhere.
    runtime = f'[engine]\nruntime = "{"runc" if shutil.which("runc") else "crun"}"\n'
    conf = folder / "containers.conf"
    conf.write_text(f"[containers]\ndefault_ulimits = {json.dumps(limits)}\n{runtime}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CONTAINERS_CONF", str(conf))
        base = _base(folder)
        before = _images()
        try:
            tried = podman("run", "--rm", "--network=host", base, "true", check=False)
            if tried.returncode:
                pytest.skip(f"containers cannot be run here: {tried.stderr.strip()}")
            _build(folder)
            yield IMAGE
        finally:
            podman("rmi", "--force", IMAGE, BASE, check=False)
        assert _images() <= before


def _build(folder: Path) -> None:
    """Build the image from wheels that pip makes here; none is kept of its stages."""
    wheels = folder / "wheels"
    packages = ["pyinotify", "python-daemon", "lockfile", "pyasyncore", "setuptools", "wheel"]
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--wheel-dir", wheels, *packages]
    subprocess.run(pip, check=True, capture_output=True)
    words = ["--layers=false", "--build-arg", f"BASE={BASE}", "--build-arg", "PIP_NO_INDEX=1"]
    words += ["--build-arg", "PIP_FIND_LINKS=/wheels", "--volume", f"{wheels}:/wheels:ro"]
    words += ["--network", "host", "--format", "docker", "--tag", IMAGE]
    podman("build", *words, "--file", ROOT / "packaging/Containerfile", ROOT)


def _images() -> set[str]:
    return set(podman("images", "--all", "--quiet").stdout.split())


def _base(folder: Path) -> str:
    """Return the name of a small Debian, from the registry or made here."""
    wanted = re.search(r"^ARG BASE=(\S+)$", (ROOT / "packaging/Containerfile").read_text(), re.M)
    assert wanted is not None
    if podman("pull", "--quiet", wanted[1], check=False).returncode == 0:
        podman("tag", wanted[1], BASE)
        return BASE
    if not shutil.which("mmdebstrap"):
        pytest.skip("there is no registry, and no mmdebstrap")
    tar = folder / "base.tar"
    made = ["mmdebstrap", "--variant=apt", "trixie", str(tar)]
    if subprocess.run(made, capture_output=True, check=False).returncode:
        pytest.skip("there is no registry, and mmdebstrap cannot make a system")
    podman("import", tar, BASE)
    return BASE


def test_it_runs_read_only_and_answers_both_probes(
    image: str, ssh_server: SshServer, tmp_path: Path
) -> None:
    source, mirror, config, keys, state = (
        tmp_path / name for name in ("source", "mirror", "config", "keys", "state")
    )
    for path in (source, config, keys, state):
        path.mkdir()
    for name in ("user_key", "known_hosts"):
        shutil.copy(ssh_server.folder / name, keys / name.replace("user_key", "id_ed25519"))
    for path in (keys, *keys.iterdir(), state):
        os.chown(path, USER, USER)
    write(source, "file", "x")
    text = config_text(settings(Path("/srv/source"), ssh_server.url(mirror), rscope="changes"))
    (config / "inosync.py").write_text(text)
    volumes = {source: "/srv/source:ro", config: "/etc/inosync:ro", state: "/var/lib/inosync"}
    mounts = [f"--volume={path}:{there}" for path, there in volumes.items()]
    mounts += [f"--volume={keys}:/var/lib/inosync/.ssh:ro"]
    safe = ["--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--tmpfs=/tmp"]
    name = f"inosync-test-{os.getpid()}"
    podman("run", "--detach", "--name", name, "--network=host", *safe, *mounts, image)
    try:

        def probe(which: str) -> int:
            return podman("exec", name, which, check=False).returncode

        until(lambda: probe("in-sync") == 0, what="it", state=lambda: podman("logs", name).stderr)
        wait_equal(source, mirror)
        assert probe("alive") == 0
        assert podman("exec", name, "id", "-u").stdout.strip() == str(USER)
        assert podman("exec", name, "touch", "/x", check=False).returncode != 0
        first = podman("logs", name).stderr.splitlines()[0]
        assert json.loads(first)["message"].startswith("watching /srv/source")

        # Behind is alive; and it goes on by itself.
        ssh_server.stop()
        write(source, "new", "x")
        until(lambda: probe("in-sync") != 0, what="the lag")
        assert probe("alive") == 0
        ssh_server.start()
        until(lambda: probe("in-sync") == 0, what="it again")
        wait_equal(source, mirror)

        # It ends by itself when it is told to, and remembers what it had done.
        began = time.monotonic()
        podman("stop", "--time=20", name)
        assert time.monotonic() - began < 10
        assert list((state).glob("*")), "what outlives it"
        podman("start", name)
        until(lambda: probe("in-sync") == 0, what="it after a restart")

        # One that does not answer is not alive.
        podman("exec", name, "sh", "-c", "kill -STOP $(pidof -s python3 || pgrep inosync)")
        assert podman("exec", name, "timeout", "5", "alive", check=False).returncode != 0
    finally:
        podman("rm", "--force", "--time=0", name)


def test_the_compose_file_can_be_read() -> None:
    tools = [["docker-compose"], ["docker", "compose"], ["podman-compose"]]
    for tool in tools:
        if shutil.which(tool[0]):
            command = [*tool, "-f", ROOT / "packaging/compose.yaml", "config"]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
            assert "read_only: true" in done.stdout
            return
    pytest.skip("no compose is installed")
