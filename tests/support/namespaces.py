"""Namespaces of a test's own, where the kernel and the container around us allow them."""

from __future__ import annotations

import subprocess

import pytest

#: A user namespace, in which /proc/sys/user has limits for this namespace alone.
USER = ("unshare", "-Ur")


def need(*command: str) -> None:
    """Skip the test, with the reason, unless this command for namespaces works here."""
    try:
        tried = subprocess.run([*command, "true"], check=False, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip(f"there is no {command[0]}")
    if tried.returncode:
        pytest.skip(f"{' '.join(command)} is not allowed here: {tried.stderr.strip()}")


def need_limits() -> None:
    """Skip the test, with the reason, unless it can set limits for a user namespace of its own."""
    need(*USER)
    script = "echo 1000 > /proc/sys/user/max_inotify_watches"
    tried = subprocess.run([*USER, "sh", "-c", script], check=False, capture_output=True, text=True)
    if tried.returncode:
        pytest.skip(f"/proc/sys/user cannot be written here: {tried.stderr.strip()}")
