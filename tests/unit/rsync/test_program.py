"""What the local rsync says of itself, and how it gets to other hosts."""

from __future__ import annotations

import pytest

from inosync.rsync.program import Program, chooses_shell, parse_checksum, parse_version


@pytest.mark.parametrize(
    ("told", "checksum"),
    [
        ("rsync  version 3.1.3  protocol version 31\nCapabilities:\n", ""),
        ("Checksum list:\n    xxh128 xxh3 xxh64 (xxhash) md5 md4 none\nCompress list:\n", "xxh128"),
        ("Checksum list:\n    md5 md4 none\n", "md5"),
        ("Checksum list:\nCompress list:\n    zstd\n", ""),
    ],
)
def test_the_checksum_that_two_of_an_rsync_agree_on(told: str, checksum: str) -> None:
    assert parse_checksum(told) == checksum


@pytest.mark.parametrize(
    ("extra", "chosen"),
    [
        ((), False),
        (("-aH",), False),
        (("--rsh=ssh",), True),
        (("--rsh", "ssh"), True),
        (("-e", "ssh"), True),
        (("-ave", "ssh"), True),
        (("-essh",), True),
        (("--delete-excluded",), False),
        (("--exclude=x",), False),
    ],
)
def test_who_chooses_the_remote_shell(extra: tuple[str, ...], chosen: bool) -> None:
    assert chooses_shell(extra) is chosen


@pytest.mark.parametrize(
    ("output", "version"),
    [
        ("rsync  version 3.2.7  protocol version 31\n...", (3, 2, 7)),
        ("rsync  version v3.4.1pre1  protocol version 32\n", (3, 4, 1)),
        ("hello --version\n", None),
        ("", None),
    ],
)
def test_the_version(output: str, version: tuple[int, int, int] | None) -> None:
    assert parse_version(output) == version


@pytest.mark.parametrize(
    ("version", "exactly", "escapes"),
    [((3, 1, 2), False, False), ((3, 1, 3), True, False), ((3, 2, 4), True, True)],
)
def test_what_a_version_can_do(version: tuple[int, int, int], exactly: bool, escapes: bool) -> None:
    program = Program(version)
    assert (program.compares_exactly, program.escapes) == (exactly, escapes)
