"""Files of rules that a config names: readable, absolute, and none that forgets all other rules."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from inosync.config.rule_files import check_rule_file, forgetting
from inosync.config.value_lists import excludes, extra
from inosync.rsync.filters import rsync_options
from inosync.rsync.options import with_rules


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    return tmp_path / "rules"


@pytest.mark.parametrize(
    ("rule", "content", "line"),
    [
        ("", "*.o\n!\n+ *\n", 2),
        ("", "# !\r\n\r\n!\r\n", 3),
        (". ", "- a\nclear\n", 2),
        (". ", "!,\n", 1),
        ("merge,s ", "P x\n!\n", 2),
        ("merge,w ", "-_a -_b ! -_c\n", 1),
        (".C ", "a\nb ! c\n", 2),
    ],
)
def test_a_line_that_forgets(rules: Path, rule: str, content: str, line: int) -> None:
    rules.write_text(content)
    with pytest.raises(ValueError, match=f"where line {line} is .*take it out of the file"):
        check_rule_file(str(rules), rule and f"{rule}{rules}")


@pytest.mark.parametrize(
    ("rule", "content"),
    [
        ("", "*.o\n! x\n!x\nclear\n#!\n"),
        (". ", "- !\n# !\n;!\nwrong\n: .rules\n-C\n"),
        (".- ", "!\n"),
        ("merge,+ ", "!\n"),
        (".C ", "clear\n"),
        ("merge,w ", "-_! exclude_clear\n"),
    ],
)
def test_lines_that_do_not(rules: Path, rule: str, content: str) -> None:
    rules.write_bytes(content.encode() + b"\xff\n")
    check_rule_file(str(rules), rule and f"{rule}{rules}")


def test_a_file_that_a_file_merges(rules: Path, tmp_path: Path) -> None:
    rules.write_text(f"- a\n. {tmp_path / 'more'}\n")
    (tmp_path / "more").write_text(f"merge {rules}\n")
    check_rule_file(str(rules), f". {rules}")  # without an end, as rsync will see
    (tmp_path / "more").write_text("\n!\n")
    with pytest.raises(ValueError, match="more', where line 2 is '!'"):
        check_rule_file(str(rules), f". {rules}")


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("merge requests", "is taken for a rule and reads the file 'requests', whose path must be"),
        ("merge a", "whose path must be absolute; for the name write '- merge a'"),
        (". stuff", "'stuff', whose path must be absolute; for the name write '- . stuff'"),
        (".press kit", "for the name write '- .press kit'"),
        ("merge -", "whose path must be absolute"),
        (".C", "'.cvsignore', whose path must be absolute"),
        (". /nowhere/rules", "cannot be read: No such file or directory; create the file"),
        (".- /dev", "is no ordinary file"),
    ],
)
def test_a_rule_whose_file_will_not_do(entry: str, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        excludes([entry])


def test_files_in_options(rules: Path) -> None:
    rules.write_text("*.o\n")
    words = ("-a", f"--exclude-from={rules}", f"--filter=. {rules}")
    assert extra(list(words)) == words
    rules.write_text("!\n")
    for word in words[1:]:
        with pytest.raises(ValueError, match="where line 1 is '!'"):
            extra([word])
    with pytest.raises(ValueError, match="whose path must be absolute"):
        extra(["--include-from=list"])


def test_a_file_that_has_changed_since(rules: Path) -> None:
    rules.write_text("*.o\n")
    entries, words = (f". {rules}", "*.tmp", ": .rules"), ("-a", f"--exclude-from={rules}")
    assert forgetting(entries, words) == ""
    rules.write_text("!\n+ *\n")
    for found in (forgetting(entries, ()), forgetting((), words)):
        assert found.startswith("a rule reads ")
        assert found.endswith("take it out of the file")
    rules.unlink()
    assert forgetting(entries, words) == ""  # rsync says so itself


@pytest.mark.parametrize("form", ["--exclude-from={}", "--filter=. {}"])
def test_what_such_a_file_would_do(rules: Path, tmp_path: Path, form: str) -> None:
    # Why it is refused: told before and again behind it, our own rule is lost.
    rules.write_text("!\n+ *\n")
    for name in ("source", "mirror"):
        (tmp_path / name).mkdir()
    spared = tmp_path / "mirror" / "spared"
    spared.touch()
    own = ["--filter=-sr /spared"]
    words = [*rsync_options(["*.o"], first=own), *with_rules([form.format(rules)], own)]
    argv = ["rsync", "-r", "--delete", *words, f"{tmp_path}/source/", f"{tmp_path}/mirror/"]
    subprocess.run(argv, check=True)
    assert not spared.exists()
    with pytest.raises(ValueError, match="forgets all rules before it"):
        extra([form.format(rules)])


@pytest.mark.skipif(os.geteuid() == 0, reason="root can read everything")
def test_a_file_that_may_not_be_read(rules: Path) -> None:
    rules.write_text("")
    rules.chmod(0)
    with pytest.raises(ValueError, match="Permission denied"):
        check_rule_file(str(rules))
