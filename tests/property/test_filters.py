"""The exclude language against the program that defines it: random lists, real rsync."""

from __future__ import annotations

import os
import random
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st

from inosync.errors import ConfigError
from inosync.rsync.filters import Filters, compile_filters, rsync_options
from inosync.rsync.rules import Entry, Sort, read_entry

RSYNC = shutil.which("rsync") or ""
needs_rsync = pytest.mark.skipif(not RSYNC, reason="rsync is not installed")

# Few letters, so that patterns and names meet often.
PLAIN_NAMES = ["a", "b", "c", "ab", "ba", "aab", "abb", "a.b", "A"]
ODD_NAMES = [
    *["a b", " a", "a ", "a\nb", "\n", "\\", "a\\b", "\\a", "\\*", "a\\", "[a]", "[", "]", "[!a]"],
    *["*", "**", "?", "a*b", "-", "-a", "+", "+a", "- a", "+ a", "!", "!a", "^", "#", ".a", ":"],
    *["\udcff", "a\udcff", "\udcc3\udca9", "\udcc3", "é", "\x7f", "\t", "\\#012", "-]", "a-b"],
]

Plan = dict[str, str]  # path -> "d", "f" or "l": directory, file, symlink
Case = tuple[str, str, list[str]]  # the name of a plan, that of a source, and an exclude list


def plan(names: list[str], *, seed: int, count: int) -> Plan:
    """Invent a tree of `count` entries that use `names`, the same one for the same seed."""
    dice = random.Random(seed)
    directories, entries = [""], {}
    while len(entries) < count:
        path = dice.choice(directories) + dice.choice(names)
        if path in entries or path.count("/") > 4:
            continue
        entries[path] = "d" if len(directories) < 4 else dice.choice("ddfffl")
        if entries[path] == "d":
            directories.append(path + "/")
    return entries


EVERYTHING = PLAIN_NAMES + ODD_NAMES
PLANS = {
    "few": plan(PLAIN_NAMES[:4], seed=1, count=60),
    "plain": plan(PLAIN_NAMES, seed=2, count=60),
    "odd": plan(ODD_NAMES, seed=3, count=60),
    "all": plan(EVERYTHING, seed=4, count=70),
}
RULED = plan(PLAIN_NAMES, seed=5, count=60)
RULED_BELOW = min(path for path, kind in RULED.items() if kind == "d")
RULE_NAMES = [".rules", ".cvsignore", f"{RULED_BELOW}/.rules", f"{RULED_BELOW}/.cvsignore"]
RULED |= dict.fromkeys(RULE_NAMES, "f")


@dataclass(frozen=True)
class Tree:
    """What was planned, on disk at ``<base>/a/b``."""

    base: Path
    plan: Plan

    @classmethod
    def make(cls, base: Path, planned: Plan) -> Tree:
        top = base / "a" / "b"
        top.mkdir(parents=True)
        for path, kind in planned.items():
            if kind == "d":
                (top / path).mkdir()
            elif kind == "f":
                (top / path).touch()
            else:
                (top / path).symlink_to(".." if len(path) % 2 else "nowhere")
        return cls(base, planned)


class Forest(dict[str, Tree]):
    """The trees by name; says little of itself, since a failing example shows it."""

    def __repr__(self) -> str:
        return "<trees>"


@pytest.fixture(scope="module")
def trees(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forest]:
    base = tmp_path_factory.mktemp("trees")
    planned = {**PLANS, "ruled": RULED}
    yield Forest({name: Tree.make(base / name, entries) for name, entries in planned.items()})
    shutil.rmtree(base)


#: How rsync is told of the tree, and the prefix of the names that it then sees.
SOURCES = {
    "slash": ((), "a/b/", b""),
    "name": ((), "a/b", b"b"),
    "relative": (("-R",), "./a/b", b"a/b"),
    "relative-slash": (("-R",), "./a/b/", b"a/b"),
    "relative-name": (("-R",), "a/./b", b"b"),
}

LITERALS = st.sampled_from([*"aaabbbc.A", "ab", " ", "\n", "\\", "]", "-", "+", "!", "^", "#", ":"])
ODD_LITERALS = st.sampled_from(["\udcff", "\udcc3", "\udca9", "é", "\x7f", "\t", "{a,b}", "$", "|"])
WILDCARDS = st.sampled_from(["*", "*", "**", "***", "?", "?", "****", "*?", "?*"])
ESCAPES = st.sampled_from(["\\a", "\\*", "\\?", "\\[", "\\]", "\\\\", "\\/", "\\", "\\-", "\\ "])
CLASS_ITEMS = st.sampled_from(
    [
        *["a", "b", "-", "]", "[", "!", "^", "\\]", "\\\\", "\\a", "a-c", "b-a", "\\a-\\c", "a-]"],
        *["A-", "-c", "/", "\n", "*", "**", "?", "\udcff", "\udc80-\udcff", "[:", ":]", "[a"],
        *["[:" + name + ":]" for name in ("alpha", "digit", "punct", "space", "upper", "cntrl")],
        *["[:bogus:]", "[::]", "[:alpha:]-z", "a-[:alpha:]"],
    ]
)
CLASSES = st.builds(
    lambda opening, items, end: opening + "".join(items) + end,
    st.sampled_from(["[", "[", "[!", "[^", "[]", "[!]"]),
    st.lists(CLASS_ITEMS, max_size=3),
    st.sampled_from(["]", "]", "]", ""]),
)
MIXED = st.lists(
    st.one_of(LITERALS, WILDCARDS, LITERALS, CLASSES, ESCAPES, ODD_LITERALS), max_size=4
).map("".join)
STARRED = st.lists(st.sampled_from(["a", "b", "*", "?"]), min_size=1, max_size=6).map("".join)
WILD_PATTERNS = st.builds(
    lambda start, components, end: start + "/".join(components) + end,
    st.sampled_from(["", "", "/", "**/", "/**/", "**", "/a/b/", "a/b/", "/b/", "//", "*/"]),
    st.lists(st.one_of(st.sampled_from(EVERYTHING), STARRED, MIXED), min_size=1, max_size=3),
    st.sampled_from(["", "", "/", "/**", "/***", "**", "***", "/*", "//", "***/"]),
)
#: What may stand in the place of one character; a dot stands for the character.
DISGUISES = [
    *["", "?", "*", "**", "***", "[.]", "[!.]", "[^x]", "[.-c]", "\\.", "*.", ".*", ".*.", "/"],
]


def aimed(dice: random.Random, planned: Plan, prefix: str) -> str:
    """Make a pattern from a path that exists, so that it has a fair chance to match something."""
    parts = dice.choice(list(planned)).split("/")
    parts = parts[: dice.randint(1, len(parts))]
    if dice.random() < 0.6:
        parts = parts[-dice.choice([1, 1, 1, 2, 3]) :]
    elif dice.random() < 0.9:
        parts = f"/{prefix}".rstrip("/").split("/") + parts
    else:
        parts = ["", *parts]
    for _ in range(dice.choice([0, 1, 1, 2])):
        at = dice.randrange(len(parts))
        if parts[at]:
            spot = dice.randrange(len(parts[at]))
            disguise = dice.choice(DISGUISES).replace(".", parts[at][spot])
            parts[at] = parts[at][:spot] + disguise + parts[at][spot + 1 :]
    if dice.random() < 0.3:
        begin = dice.randint(0, len(parts))
        end = min(len(parts), begin + dice.choice([0, 1, 1, 2]))
        parts[begin:end] = [dice.choice(["*", "**", "?*", "***", ""])]
    return "/".join(parts) + dice.choice(["", "", "", "", "/", "/***", "/**", "*", "**"])


#: Every rule with a pattern, long and short, with every modifier that goes with it.
RULES = [
    *["exclude ", "include ", "hide ", "show ", "protect ", "risk ", "H ", "S ", "P ", "R "],
    *[
        "-s ",
        "-r ",
        "-sr ",
        "-p ",
        "-! ",
        "-x ",
        "-,s ",
        "+s ",
        "+r ",
        "+rs ",
        "+! ",
        "+p ",
        "+,! ",
    ],
    *["exclude,srp ", "exclude,! ", "include,s ", "include,!s ", "H,p ", "S,! ", "P,x ", "R,p! "],
    *["hide,! ", "show,p ", "protect,p ", "risk,! ", "-!sp ", "+!x "],
]
SPECIAL = ["+ */", "*", "+ a", "!", "", "- !", "!a", "/", "**", "***", "+ b/***", "*/", "+ *"]


def invent(seed: int) -> Case:
    """Make a list that is aimed at a tree.

    Plain dice, since hypothesis prefers repetitions and extremes, which seldom match anything.
    """
    dice = random.Random(seed)
    name, source = dice.choice(sorted(PLANS)), dice.choice(sorted(SOURCES))
    prefix = os.fsdecode(SOURCES[source][2])
    patterns = []
    for _ in range(dice.randint(1, 5)):
        pattern = aimed(dice, PLANS[name], prefix) if dice.random() < 0.95 else dice.choice(SPECIAL)
        patterns.append(dice.choice(["", "", "", "+ ", "- ", dice.choice(RULES)]) + pattern)
    return name, source, [pattern for pattern in patterns if is_ours(pattern)]


def is_ours(entry: str) -> bool:
    """Say whether an entry is neither a fault nor left to rsync."""
    try:
        return not compile_filters([entry]).left_to_rsync
    except ConfigError:
        return False


RAW = st.text(alphabet="ab*?[]!^-+/\\ .:\n\udcff", max_size=8)
PREFIXES = st.sampled_from(["", "+ ", "- ", "-", "+", " ", *RULES])
ENTRIES = st.one_of(
    st.builds(str.__add__, PREFIXES, WILD_PATTERNS),
    st.builds(str.__add__, PREFIXES, RAW),
    st.sampled_from(SPECIAL),
)
WILD_CASES = st.tuples(
    st.sampled_from(sorted(PLANS)),
    st.sampled_from(sorted(SOURCES)),
    st.lists(ENTRIES.filter(is_ours), min_size=1, max_size=5),
)
AIMED_CASES = st.integers(0, 2**64).map(invent)


def transferred(tree: Tree, source: str, options: list[str]) -> set[bytes]:
    """Return the names, relative to the transfer, that rsync would send; directories end in "/"."""
    flags, path, _ = SOURCES[source]
    argv = [RSYNC, "-n", "-rl", "--out-format=%n", *flags, *options]
    argv += [f"{tree.base}/{path}", f"{tree.base}/none"]
    done = subprocess.run(argv, env={"LC_ALL": "C"}, capture_output=True, timeout=30, check=False)
    assert (done.returncode, done.stderr) == (0, b""), argv
    unescaped = (
        re.sub(rb"\\#(\d{3})", lambda found: bytes([int(found[1], 8)]), line)
        for line in done.stdout.splitlines()
    )
    return set(unescaped)


def judged(tree: Tree, source: str, filters: Filters) -> set[bytes]:
    """Return what :func:`transferred` should, by our judgement."""
    _, _, prefix = SOURCES[source]
    lead = prefix + b"/" if prefix else b""
    names = {
        lead + os.fsencode(path) + b"/" * (kind == "d")
        for path, kind in tree.plan.items()
        if filters.admits_path(os.fsencode(path), directory=kind == "d")
    }
    for path, kind in tree.plan.items():
        hiding = filters.hiding(directories=kind == "d")
        above, _, last = os.fsencode(path).rpartition(b"/")
        hidden = hiding is not None and bool(hiding(above)(last))
        assert hidden is not filters.admits(os.fsencode(path), directory=kind == "d"), path
    if filters.admits_path(b"", directory=True):
        names.add(lead or b"./")
        if prefix == b"a/b":
            names.add(b"a/")  # sent, whatever the rules say, on the way to what was named
    return names


def compare(trees: Forest, case: Case) -> None:
    """Assert that we judge every path of a tree as rsync does."""
    name, source, patterns = case
    note(f"{rsync_options(patterns)!r}")
    expected = transferred(trees[name], source, rsync_options(patterns))
    ours = judged(trees[name], source, compile_filters(patterns, prefix=SOURCES[source][2]))
    assert ours == expected


@needs_rsync
@settings(deadline=None)
@given(case=AIMED_CASES)
def test_lists_that_match_much_are_judged_as_rsync_does(trees: Forest, case: Case) -> None:
    compare(trees, case)


@needs_rsync
@settings(deadline=None)
@given(case=WILD_CASES)
def test_lists_of_any_form_are_judged_as_rsync_does(trees: Forest, case: Case) -> None:
    compare(trees, case)


NO_LONGER = re.compile(rb"\*deleting {3}(.*)")


def kept(tree: Tree, patterns: list[str]) -> set[bytes]:
    """Return which paths of a tree rsync would not delete if the source had nothing."""
    empty = tree.base / "empty"
    empty.mkdir(exist_ok=True)
    argv = [RSYNC, "-n", "-r", "--delete", "--force", "-i", "--8-bit-output"]
    argv += [*rsync_options(patterns), f"{empty}/", f"{tree.base}/a/b/"]
    done = subprocess.run(argv, env={"LC_ALL": "C"}, capture_output=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    unescaped = (
        re.sub(rb"\\#(\d{3})", lambda found: bytes([int(found[1], 8)]), line)
        for line in NO_LONGER.findall(done.stdout)
    )
    gone = {line.rstrip(b"/") for line in unescaped}
    return {os.fsencode(path) for path in tree.plan if tree.plan[path] != "d"} - gone


def guarded(tree: Tree, filters: Filters) -> set[bytes]:
    """Return what :func:`kept` should, by our judgement."""

    def holds(path: bytes, directory: bool) -> bool:
        rule = filters.guard_of(path, directory=directory)
        return rule is not None and not rule.include

    found = set()
    for path in (os.fsencode(path) for path, kind in tree.plan.items() if kind != "d"):
        parts = path.split(b"/")
        above = (b"/".join(parts[:count]) for count in range(1, len(parts)))
        if holds(path, False) or any(holds(parent, True) for parent in above):
            found.add(path)
    return found


@needs_rsync
@settings(deadline=None)
@given(case=AIMED_CASES)
def test_what_a_mirror_keeps_is_judged_as_rsync_does(trees: Forest, case: Case) -> None:
    name, _, patterns = case
    # What is perishable is not kept in a directory that goes.
    lasting = [text for text in patterns if "p" not in text.partition(" ")[0]]
    note(f"{rsync_options(lasting)!r}")
    assert guarded(trees[name], compile_filters(lasting)) == kept(trees[name], lasting)


def accepted(rule: str) -> bool:
    """Return whether rsync takes a rule; a file that it cannot read is another matter."""
    argv = [RSYNC, "-n", f"--filter={rule}", "/dev/null", "/dev/null"]
    done = subprocess.run(
        argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=30, check=False
    )
    return b"filter rule" not in done.stderr and b"'!' rule" not in done.stderr


FORMS = st.builds(
    "".join,
    st.tuples(
        st.sampled_from(
            [
                *[*"-+.:HSPR-+.:HSPR!", "exclude", "include", "merge", "dir-merge", "hide"],
                *["show", "protect", "risk", "clear", "", " ", "c", "X"],
            ]
        ),
        st.sampled_from(["", "", ",", "s", "-"]),
        st.text(alphabet="-+/!Cenwsrpxza", max_size=2),
        st.sampled_from([" ", " ", "_", ""]),
        st.sampled_from(["X", "/x", "a b", "*.o", "", "_", " "]),
    ),
)


@needs_rsync
@settings(deadline=None)
@given(text=FORMS)
def test_a_rule_is_never_taken_for_a_name(text: str) -> None:
    try:
        entry = read_entry(text)
    except ValueError:
        return  # the person is told
    if entry.filter:
        assert accepted(text)
    elif entry == Entry(text, pattern=text):
        assert text.startswith("._") or not accepted(text)
    else:
        assert text.startswith(("+ ", "- ")) or entry.sort is not Sort.PATTERN


# A handful of patterns, so that what one list hides another shows.
FEW_PATTERNS = st.sampled_from(
    ["a", "b", "ab", "a*", "*b", "*", "*/", "/a", "/a/b/a", "b/***", "**a"]
)
LINES = st.one_of(
    st.builds(str.__add__, st.sampled_from(["+ ", "- "]), FEW_PATTERNS),
    st.builds(str.__add__, st.just("+ "), FEW_PATTERNS),
    st.just("!"),
)
RULE_FILES = st.lists(LINES, max_size=3)
MERGES = st.sampled_from(
    [
        *[". {}", "merge {}", ".- {}", ".+ {}", "merge,- {}", ".C {}", "merge,e {}", ".,s {}"],
        *[": .rules", ":- .rules", "dir-merge .rules", "dir-merge,n- .rules", ":n .rules", ":C"],
        *["dir-merge,C", ":e .rules", ":sC", ":C .rules", "-C", "+C", "exclude,sC", ".r {}"],
        *[":w- .rules", "merge,p {}", ":x .rules", ":r .rules"],
    ]
)


@needs_rsync
@settings(deadline=None)
@given(
    source=st.sampled_from(sorted(SOURCES)),
    patterns=st.lists(
        st.one_of(FEW_PATTERNS, MERGES, FEW_PATTERNS.map("+ {}".format)), min_size=2, max_size=5
    ),
    once=RULE_FILES,
    per_directory=st.lists(RULE_FILES, min_size=4, max_size=4),
)
def test_what_rsync_sends_in_spite_of_merge_files_is_admitted(
    trees: Forest,
    source: str,
    patterns: list[str],
    once: list[str],
    per_directory: list[list[str]],
) -> None:
    tree = trees["ruled"]
    rules = tree.base / "rules"
    files = [rules, *(tree.base / "a" / "b" / name for name in RULE_NAMES)]
    for path, lines in zip(files, [once, *per_directory], strict=True):
        path.write_text("\n".join(lines) + "\n")
    filled = [pattern.replace("{}", str(rules)) for pattern in patterns]
    note(f"{source}: {rsync_options(filled)!r}")
    sent = transferred(tree, source, rsync_options(filled))
    ours = judged(tree, source, compile_filters(filled, prefix=SOURCES[source][2]))
    assert sent <= ours


def spells(pattern: bytes, text: bytes) -> bool:
    """Match the slow way: keep every position that the pattern can have reached."""
    reached = {0}
    for token in re.findall(rb"\*+|[^*]", pattern):
        if token.startswith(b"*"):
            stops = b"" if len(token) > 1 else b"/"
            reached = {
                end
                for start in reached
                for end in range(start, len(text) + 1)
                if not stops or stops not in text[start:end]
            }
        else:
            reached = {
                start + 1
                for start in reached
                if text[start : start + 1] == token
                or (token == b"?" and text[start : start + 1] not in (b"", b"/"))
            }
    return len(text) in reached


@settings(deadline=None)
@given(seed=st.integers(0, 2**64))
def test_taking_the_first_fit_finds_what_trying_all_would(seed: int) -> None:
    dice = random.Random(seed)
    for _ in range(50):
        tokens = dice.choices("ab*?/", [5, 4, 6, 1, 1], k=dice.randint(1, 14))
        pattern = "".join(tokens).rstrip("/") or "*"
        path = "".join(dice.choices("ab/", [5, 4, 1], k=dice.randint(1, 20)))
        wanted, text = pattern.encode(), path.encode()
        if wanted.startswith((b"/", b"**")):
            expected = spells(wanted, b"/" + text)
        elif b"**" in wanted or b"/" in wanted:
            expected = spells(b"**/" + wanted, b"/" + text)
        else:
            expected = spells(wanted, text.rpartition(b"/")[2])
        hides = not compile_filters([pattern]).admits(text, directory=False)
        assert hides is expected, (pattern, path)
