"""The config script as a file: what is trusted, what runs, how an error is told."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path
from typing import Any

import pytest

from inosync.config.script import LONGEST, distrust, run
from inosync.errors import ConfigError


def script(directory: Path, text: str | bytes, mode: int = 0o644) -> Path:
    """Write a config script."""
    path = directory / "inosync.py"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    path.chmod(mode)
    return path


def refused(path: Path | str) -> str:
    """Return the one problem that running the script raises."""
    with pytest.raises(ConfigError) as caught:
        run(str(path), insecure=False)
    (problem,) = caught.value.problems
    assert "\n" not in problem
    return problem


def test_the_names_that_a_script_defines(tmp_path: Path) -> None:
    path = script(tmp_path, "import os\nwpath = '/srv'\n_own = 1\n")
    ran = run(str(path), insecure=False)
    assert ran.file == str(path)
    assert ran.warnings == ()
    assert ran.names["wpath"] == "/srv"
    assert ran.names["os"] is os
    assert ran.names["_own"] == 1


def annotations(names: dict[str, Any]) -> object:
    """Return the annotations of a script, which Python 3.14 evaluates when they are asked for."""
    return names["__annotate__"](1) if "__annotate__" in names else names["__annotations__"]


def test_what_a_script_finds(tmp_path: Path) -> None:
    before = list(sys.path)
    path = script(tmp_path, "found = (__file__, __name__)\nannotated: 1 + 1 = 2\n")
    ran = run(str(path), insecure=False)
    assert ran.names["found"] == (str(path), "__config__")
    # The __future__ imports of this package are not the script's.
    assert annotations(ran.names) == {"annotated": 2}
    assert sys.path == before
    assert not list(tmp_path.rglob("*.pyc"))
    assert "__config__" not in sys.modules


def test_functions_see_the_scripts_names(tmp_path: Path) -> None:
    path = script(tmp_path, "def f():\n    return [x + y for x in 'a']\ny = 'b'\nz = f()\n")
    assert run(str(path), insecure=False).names["z"] == ["ab"]


def test_names_that_are_no_strings_are_left_out(tmp_path: Path) -> None:
    path = script(tmp_path, "globals()[5] = 6\n")
    assert 5 not in run(str(path), insecure=False).names


def test_a_byte_order_mark_is_no_problem(tmp_path: Path) -> None:
    path = script(tmp_path, "x = 'é'\n".encode("utf-8-sig"))
    assert run(str(path), insecure=False).names["x"] == "é"


def test_a_relative_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = script(tmp_path, "x = __file__\n")
    monkeypatch.chdir(tmp_path)
    assert run("inosync.py", insecure=False).file == str(path)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("x = 1\ny = x +\n", ":2: SyntaxError: invalid syntax"),
        ("if x:\nx = 1", ":2: IndentationError: "),
        ("  x = 1", ":1: IndentationError: unexpected indent"),
        ("print 'hello'", ":1: SyntaxError: Missing parentheses"),
        ("\n\nwpath = wpat", ":3: NameError: name 'wpat' is not defined"),
        ("\nrmaxdelete: 1", ":2: rmaxdelete: 1 sets nothing; write rmaxdelete = 1"),
        ("def f():\n    return 1 / 0\n\nf()\n", ":2: ZeroDivisionError: division by zero"),
        ("import json\n\njson.loads('{')\n", ":3: JSONDecodeError: "),
        ("import nosuchmodule\n", ":1: ModuleNotFoundError: "),
        ("x = 1\nraise SystemExit(3)\n", ":2: SystemExit: a config only sets variables"),
        ("import sys\nsys.exit()\n", ":2: SystemExit: a config only sets variables"),
        ("raise KeyboardInterrupt\n", ":1: KeyboardInterrupt"),
        ("raise GeneratorExit('x')\n", ":1: GeneratorExit: x"),
        ("raise ValueError('two\\nlines\\x1b')\n", ":1: ValueError: two\\nlines\\x1b"),
        ("raise ValueError('x' * 10_000)\n", ":1: ValueError: xxx"),
        ("raise SyntaxError('mine')\n", ":1: SyntaxError: mine"),
        ("def f():\n    f()\nf()\n", ":2: RecursionError: "),
        ("(" * 300 + ")" * 300, "SyntaxError: too many nested parentheses"),
        ("class E(Exception):\n    def __str__(self):\n        1 / 0\nraise E\n", ":4: E"),
        ("x = '\\ud800'\nraise ValueError(x)\n", ":2: ValueError: \\ud800"),
    ],
)
def test_an_error_in_a_script_names_file_and_line(tmp_path: Path, text: str, problem: str) -> None:
    path = script(tmp_path, text)
    message = refused(path)
    assert message.startswith(str(path))
    assert problem in message
    assert len(message) < 500


def test_a_deep_expression_is_no_crash(tmp_path: Path) -> None:
    message = refused(script(tmp_path, "x = " + "-" * 200_000 + "1\n"))
    assert "Error" in message


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"x = 1\ny = '\xe9'\n", ":2: is not UTF-8; save the file as UTF-8"),
        (b"# -*- coding: latin-1 -*-\ny = '\xe9'\n", ":2: is not UTF-8"),
        (b"x = 1\n\n\0", ":3: holds a NUL byte"),
        (b"\xff\xfex\0=\0", ":1: holds a NUL byte"),
    ],
)
def test_what_is_no_text(tmp_path: Path, data: bytes, problem: str) -> None:
    path = script(tmp_path, data)
    assert refused(path).startswith(f"{path}{problem}")


def test_what_is_no_file(tmp_path: Path) -> None:
    assert refused(tmp_path / "missing.py").endswith("cannot be read: No such file or directory")
    assert refused(tmp_path / "no" / "x.py").endswith("cannot be read: No such file or directory")
    assert "is no regular file" in refused(tmp_path)
    assert "is no regular file" in refused("/")
    assert "is no regular file" in refused("/dev/zero")
    assert "embedded null" in refused(f"{tmp_path}/a\0b")
    assert "cannot be read" in refused(f"{tmp_path}/{'x' * 300}")
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    assert "is no regular file" in refused(fifo)
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    assert "cannot be read" in refused(loop)


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    path = script(tmp_path, "")
    os.truncate(path, LONGEST + 1)
    assert f"is longer than {LONGEST} bytes" in refused(path)
    script(tmp_path, "#" * LONGEST)
    assert run(str(path), insecure=False).file


def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    run(str(script(tmp_path, "x = 1")), insecure=False)
    refused(tmp_path)
    refused(tmp_path / "missing")
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_file_that_others_can_write_is_not_run(tmp_path: Path) -> None:
    proof = tmp_path / "proof"
    path = script(tmp_path, f"open({str(proof)!r}, 'w')", mode=0o666)
    message = refused(path)
    assert "the file can be written by its group and others (mode 0666)" in message
    assert f"chmod go-w {path}, or start with --insecure-config" in message
    assert not proof.exists()


def test_a_group_of_one_is_no_excuse(tmp_path: Path) -> None:
    path = script(tmp_path, "", mode=0o664)
    assert f"can be written by its group (mode 0664); chmod g-w {path}" in refused(path)


def test_a_directory_that_others_can_write(tmp_path: Path) -> None:
    path = script(tmp_path, "")
    tmp_path.chmod(0o777)
    assert f"its directory {tmp_path} can be written by its group and others" in refused(path)
    # Nobody but its owner can replace a file in a directory with the sticky bit.
    tmp_path.chmod(0o1777)
    assert run(str(path), insecure=False).warnings == ()


def test_all_that_is_wrong_with_the_file_at_once(tmp_path: Path) -> None:
    path = script(tmp_path, "x = 1", mode=0o622)
    tmp_path.chmod(0o770)
    with pytest.raises(ConfigError) as caught:
        run(str(path), insecure=False)
    assert len(caught.value.problems) == 2
    ran = run(str(path), insecure=True)
    assert ran.warnings == caught.value.problems
    assert ran.names["x"] == 1


def test_a_link_counts_with_both_its_ends(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "links").mkdir()
    path = script(tmp_path / "real", "x = 1")
    link = tmp_path / "links" / "inosync.py"
    link.symlink_to(path)
    assert run(str(link), insecure=False).file == str(link)
    (tmp_path / "links").chmod(0o777)
    assert f"its directory {link.parent} can be written" in refused(link)
    (tmp_path / "links").chmod(0o755)
    path.parent.chmod(0o777)
    assert f"its directory {path.parent} can be written" in refused(link)
    path.parent.chmod(0o755)
    path.chmod(0o602)
    assert "the file can be written by others" in refused(link)


def status(mode: int, uid: int) -> os.stat_result:
    return os.stat_result((mode, 1, 1, 1, uid, 0, 0, 0, 0, 0))


def test_who_may_own_a_script() -> None:
    file = stat.S_IFREG | 0o644
    stranger = os.geteuid() + 60_000
    (reason,) = distrust(status(stat.S_IFREG | 0o1666, 0), "/x")
    assert reason.startswith("the file can be written by its group and others (mode 1666)")
    assert distrust(status(file, 0), "/x") == []
    assert distrust(status(file, os.geteuid()), "/x") == []
    (reason,) = distrust(status(file, stranger), "/x")
    assert reason.startswith(f"the file belongs to user {stranger}, who could change what is run")
    (reason,) = distrust(status(stat.S_IFDIR | 0o1777, stranger), "/d")
    assert reason.startswith(f"its directory /d belongs to user {stranger}")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_script_of_another_user_is_not_run_by_root(tmp_path: Path) -> None:
    path = script(tmp_path, "x = 1")
    os.chown(path, 1, 0)
    assert "the file belongs to daemon, who could change" in refused(path)
    assert run(str(path), insecure=True).names["x"] == 1
