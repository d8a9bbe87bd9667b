"""One entry of an exclude list, read as rsync reads its filter rules.

Pure. Owns the forms of rsync(1), "FILTER RULES": prefixes, modifiers and what may follow them. What
a pattern matches is said in patterns.py, what a list of entries means in filters.py.

An entry is a name for ``--exclude`` or a rule for ``--filter``. One that may be meant for either is
neither: it is a fault, and the person is told how both are spelled. Only ``._NAME`` is always a
name, though rsync would merge a file: macOS makes such names, and every published list has them.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from enum import Enum

from inosync.rsync.option_table import LONG

#: The long names of rules, and the short ones.
_SHORT = {
    "exclude": "-",
    "include": "+",
    "merge": ".",
    "dir-merge": ":",
    "hide": "H",
    "show": "S",
    "protect": "P",
    "risk": "R",
}
_HEAD = re.compile(
    rf"({'|'.join(_SHORT)}|[-+.:HSPR])(?:(,)([^ _]*)|([^ _]*))([ _]?)(.*)", re.DOTALL
)
#: What may follow each short name. Of ``-``, ``+`` and ``C`` one file of rules takes one.
_MODIFIERS = dict.fromkeys("-+", "/!Csrpx") | dict.fromkeys(".:", "-+/Cenwsrpx")
_MODIFIERS |= dict.fromkeys("HSPR", "/!px")
#: What rsync's options would say here: with these, their value stands behind it.
_OPTIONS = {
    "--exclude": "- ",
    "--include": "+ ",
    "--filter": "",
    "-f": "",
    "--exclude-from": "merge,- ",
    "--include-from": "merge,+ ",
}
_SWITCHES = {"-F": ": /.rsync-filter", "-FF": ":e /.rsync-filter", "--cvs-exclude": "-C"}
_OPTION = re.compile(rf"({'|'.join(_OPTIONS)})[= ](.*)", re.DOTALL)
_INCLUDING, _FILES, _ONE_SIDED = "+SR", ".:", "HSPR"


class Sort(Enum):
    """What an entry is to the list."""

    NOTHING = "an empty entry"
    CLEAR = "forgets all entries before it"
    PATTERN = "has a pattern"
    FILE = "reads rules from a file, or from one in each directory"
    CVS = "stands for the rules of CVS"


@dataclass(frozen=True)
class Entry:
    """An entry as it stands in the list, and what it says.

    ``pattern`` is the file's name when it reads a `FILE`. A rule counts where files are `sent`,
    where they are `kept` from deletion, or both; one for extended attributes counts nowhere.
    A `negated` one matches what its pattern does not. ``filter`` says that rsync has to get it as
    ``--filter``. ``may_clear`` says that its file may forget the entries before it.
    """

    text: str
    sort: Sort = Sort.PATTERN
    pattern: str = ""
    include: bool = False
    sent: bool = True
    kept: bool = True
    negated: bool = False
    filter: bool = False
    may_clear: bool = False

    @property
    def once(self) -> bool:
        """Whether it reads one file, when rsync starts."""
        return self.sort is Sort.FILE and _short(self.text) == "."


@functools.lru_cache(maxsize=4096)  # each run is told all entries of its source
def read_entry(text: str) -> Entry:
    """Return what an entry of an exclude list says.

    Raise ValueError, with what is wrong and how it is spelled, if it is neither a name nor a rule.
    """
    if text in ("", "!"):
        return Entry(text, Sort.CLEAR if text else Sort.NOTHING)
    if text.startswith(("+ ", "- ")):
        if not text[2:]:
            raise ValueError("has no pattern after its prefix: complete or remove it")
        return Entry(text, pattern=text[2:], include=text[0] == "+")
    _refuse_lookalike(text)
    head = _HEAD.fullmatch(text)
    if head is None or _is_name(head):
        return Entry(text, pattern=text)
    name, comma, some, more, separator, rest = head.groups()
    rule = (name + ("," if some else "") + some) if comma else name + more
    if separator == "_" or (len(name) == 1 and name in _ONE_SIDED and more):
        raise _ambiguous(text, f"{name}{',' if some or more else ''}{some or more} {rest}".rstrip())
    try:
        return parse_rule(text)
    except ValueError as error:
        raise ValueError(f"is taken for the rule {rule!r}, and {error}; {_as_name(text)}") from None


def parse_rule(text: str) -> Entry:
    """Return what ``--filter=TEXT`` says to rsync.

    Raise ValueError if rsync refuses it, or if it cannot be meant here.
    """
    if text in ("!", "!,", "clear", "clear,"):
        return Entry(text, Sort.CLEAR, filter=True)
    head = _HEAD.fullmatch(text)
    name = "" if head is None else head[1]
    if head is None or (len(name) > 1 and head[4]):
        raise ValueError("rsync knows no such rule: see rsync(1), FILTER RULES")
    short = _SHORT.get(name, name)
    modifiers, pattern = head[3] or head[4] or "", head[6]
    if wrong := _wrong_modifier(short, modifiers):
        raise ValueError(f"rsync refuses its modifier {wrong!r}")
    cvs = "C" in modifiers
    if not pattern and not cvs:
        raise ValueError("it has no pattern")
    sides = set(modifiers) & {"s", "r"} or {"H": {"s"}, "S": {"s"}, "P": {"r"}, "R": {"r"}}.get(
        short, {"s", "r"}
    )
    if short in _FILES:
        clears = short == "." and not set(modifiers) & {"-", "+"}
        return Entry(text, Sort.FILE, pattern or ".cvsignore", filter=True, may_clear=clears)
    if cvs:
        if pattern or "!" in modifiers:
            raise ValueError("nothing may follow its modifier 'C'")
        return Entry(text, Sort.CVS, filter=True)
    if "/" in modifiers:
        raise ValueError(
            "its modifier '/' means another path at each end; begin the pattern at the top of the "
            "source, such as '- /cache'"
        )
    names = "x" not in modifiers
    return Entry(
        text,
        pattern=pattern,
        include=short in _INCLUDING,
        sent=names and "s" in sides,
        kept=names and "r" in sides,
        negated="!" in modifiers,
        filter=True,
    )


def _short(text: str) -> str:
    head = _HEAD.fullmatch(text)
    return _SHORT.get(head[1], head[1]) if head else ""


def _wrong_modifier(short: str, modifiers: str) -> str:
    """Return the modifier that rsync does not take behind this rule, ``""`` when it takes all."""
    readers = 0
    for modifier in modifiers:
        readers += modifier in ("-+C" if short in _FILES else "C")
        if modifier not in _MODIFIERS[short] or readers > 1:
            return modifier
    return ""


def _is_name(head: re.Match[str]) -> bool:
    """Return whether an entry that begins like a rule cannot be one, or is a name all the same."""
    name, comma, some, more, separator, rest = head.groups()
    modifiers = some or more or ""
    known = not set(modifiers) - set("/!Csrpx" if name in _ONE_SIDED else "-+/!Cenwsrpx")
    if len(name) > 1 and more:
        return True  # "excluded", "merge-base"
    if separator == " ":
        # "Press kit", ".config dir"; of "-z X" nobody can tell.
        return not known and not comma and name not in "-+"
    if separator == "_":
        bare = not rest and "C" not in modifiers  # "P_"
        return not known or bare or head[0].startswith("._")
    if comma:
        return not known  # "merge,v" is a file of RCS
    # "-x", "P", "include", ".pre"; without a file name, C stands for .cvsignore.
    return (
        not known
        or "C" not in modifiers
        or bool(_wrong_modifier(name, modifiers) and (name not in ".:"))
    )


def _instead_of_option(text: str) -> str:
    """Return what to write in the place of an option of rsync's, "" for what is none."""
    if option := _OPTION.fullmatch(text):
        value = option[2].strip()
        if len(value) > 1 and value[0] in "\"'" and value[-1] == value[0]:
            value = value[1:-1]
        ruled = option[1] in ("--exclude", "--include") and value.startswith(("+ ", "- "))
        return repr(value if ruled else _OPTIONS[option[1]] + value)
    if text in _SWITCHES:
        return repr(_SWITCHES[text])
    return "it into extra" if text.partition("=")[0].strip() in LONG else ""


def _refuse_lookalike(text: str) -> None:
    """Raise ValueError for what no rule of rsync is, and was hardly meant for a name."""
    if right := _instead_of_option(text.strip()):
        raise ValueError(f"is an option, and no rule: write {right}; {_as_name(text)}")
    bare = text.lstrip()
    if bare != text and re.match(r"[-+] |[-+][/*]", bare):
        raise ValueError(f"has blanks before the rule: write {bare!r}; {_as_name(text)}")
    if re.match(r"[-+][/*]", text) and text[1:2] + text[2:3] != "/ ":
        raise _ambiguous(text, f"{text[0]} {text[1:]}")
    if re.match("clear(?:[ ,_]|$)|! |!,$", text):
        raise _ambiguous(text, "!")


def _ambiguous(text: str, rule: str) -> ValueError:
    return ValueError(f"may be a rule or a name: for the rule write {rule!r}; {_as_name(text)}")


def _as_name(text: str) -> str:
    return f"for the name write {'- ' + text!r}"
