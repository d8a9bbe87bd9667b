"""The bits are those of the kernel, as pyinotify has them."""

from __future__ import annotations

import pyinotify
import pytest

from inosync.changes import inotify_bits as bits


@pytest.mark.parametrize("name", [name for name in dir(bits) if name.startswith("IN_")])
def test_the_bits_are_the_kernels(name: str) -> None:
    assert getattr(bits, name) == getattr(pyinotify, name)


def test_the_names_of_emask_are_the_bits() -> None:
    assert all(getattr(bits, name) == bit for name, bit in bits.MASK_BITS.items())
