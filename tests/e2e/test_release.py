"""The wheel and the sdist: they hold what a machine needs, and work without the checkout."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]

#: Below the prefix of an installation.
SHARED = (
    "share/man/man8/inosync.8",
    "share/man/man5/inosync.conf.5",
    "share/bash-completion/completions/inosync",
    "share/zsh/site-functions/_inosync",
    "share/fish/vendor_completions.d/inosync.fish",
    "share/doc/inosync/README.rst",
    "share/doc/inosync/docs/moving-here.rst",
    "share/doc/inosync/docs/status.svg",
    "share/doc/inosync/CONTRIBUTING.rst",
    "share/doc/inosync/inosync.conf.example",
    "share/inosync/examples/demo",
    "share/inosync/examples/inosync.service",
    "share/inosync/examples/inosync@.service",
    "share/inosync/examples/inosync-user.service",
    "share/inosync/examples/hooks/purge-cdn",
)


def run(*command: object, **more: object) -> str:
    done = subprocess.run(
        [str(word) for word in command],
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        timeout=110,
        **more,  # type: ignore[call-overload]
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return str(done.stdout)


@pytest.fixture
def dist(tmp_path: Path) -> Path:
    """Build the sdist from what a checkout holds, and the wheel from what the sdist holds."""
    folder = tmp_path / "release"
    folder.mkdir()
    ignore = shutil.ignore_patterns(".*", "build", "*.egg-info", "__pycache__", "dist")
    shutil.copytree(PROJECT, folder / "inosync", ignore=ignore)
    pip = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check")
    run(*pip, "install", "--target", folder / "build", "setuptools>=77", "wheel")
    environment = os.environ | {"PYTHONPATH": str(folder / "build")}

    def build(kind: str, unpacked: Path) -> None:
        script = f"from setuptools import build_meta; build_meta.build_{kind}({str(folder)!r})"
        run(sys.executable, "-c", script, cwd=unpacked, env=environment)

    build("sdist", folder / "inosync")
    (sdist,) = folder.glob("*.tar.gz")
    (folder / "unpacked").mkdir()
    run("tar", "-xzf", sdist, "-C", folder / "unpacked")
    (unpacked,) = (folder / "unpacked").iterdir()
    build("wheel", unpacked)
    shutil.rmtree(folder / "unpacked")
    return folder


def test_the_demo_runs_from_the_wheel_alone(dist: Path) -> None:
    holds_what_the_wheel_needs(dist)
    (wheel,) = dist.glob("*.whl")
    prefix = dist / "prefix"
    run(sys.executable, "-m", "venv", prefix)
    # A checkout on the path would be "already satisfied".
    environment = {name: os.environ[name] for name in os.environ if name != "PYTHONPATH"}
    run(prefix / "bin/python", "-m", "pip", "--quiet", "install", wheel, env=environment)
    shutil.rmtree(dist / "inosync")
    assert [name for name in SHARED if not (prefix / name).exists()] == []
    shown = run(prefix / "share/inosync/examples/demo", "--once", cwd="/", env=environment)
    assert "both mirrors are equal to the source" in shown


def holds_what_the_wheel_needs(dist: Path) -> None:
    """Look into the sdist."""
    (sdist,) = dist.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    needed = {"pyproject.toml", "LICENSE", "inosync.conf.example", "docs/man/inosync.8"}
    needed |= {"inosync/cli.py", "examples/demo", "examples/inosync.service"}
    assert needed <= names
