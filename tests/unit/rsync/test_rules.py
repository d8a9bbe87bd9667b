"""One entry of an exclude list: a name, a rule, or a fault that says how both are spelled.

That rsync takes each accepted rule, and that nothing it takes passes for a name, is checked in
tests/property.
"""

from __future__ import annotations

import re

import pytest

from inosync.rsync.rules import Entry, Sort, parse_rule, read_entry


@pytest.mark.parametrize(
    "text",
    [
        *[
            "*.o",
            "-x",
            "+a",
            "-",
            "+",
            "P",
            "R",
            ".",
            ":",
            ".x",
            "include",
            "merge",
            "._*",
            "._a b",
        ],
        *["._.DS_Store", "!x", "#a", "excluded", "merge-base x", "Press kit", "Sales 2023", "PC"],
        *["P_", "show_", "Press_kit", ".config dir", ":foo bar", "merge,v", "P&L 1", "clearing"],
        *[
            " a",
            "  ",
            "-a",
            "-s",
            ".pre",
            ":n",
            "[P] X",
            "a - b",
            "protection",
            "-ab_c",
            "--foo",
            "--",
        ],
    ],
)
def test_a_name(text: str) -> None:
    assert read_entry(text) == Entry(text, pattern=text)


@pytest.mark.parametrize("text", ["- P X", "- ._a", "- - x", "-  x", "- clear"])
def test_a_name_behind_its_prefix(text: str) -> None:
    assert read_entry(text) == Entry(text, pattern=text[2:])


def test_what_a_list_had_always() -> None:
    assert read_entry("+ a b") == Entry("+ a b", pattern="a b", include=True)
    assert read_entry("") == Entry("", Sort.NOTHING)
    assert read_entry("!") == Entry("!", Sort.CLEAR)
    assert parse_rule("clear").sort is Sort.CLEAR


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("exclude X", "sent kept"),
        ("include X", "sent kept include"),
        ("exclude,srp X", "sent kept"),
        ("hide X", "sent"),
        ("H X", "sent"),
        ("-s X", "sent"),
        ("-,s X", "sent"),
        ("show X", "sent include"),
        ("S X", "sent include"),
        ("+s X", "sent include"),
        ("protect X", "kept"),
        ("P X", "kept"),
        ("P,p X", "kept"),
        ("-r X", "kept"),
        ("risk X", "kept include"),
        ("R X", "kept include"),
        ("include,r X", "kept include"),
        ("-p X", "sent kept"),
        ("-! X", "sent kept negated"),
        ("+! X", "sent kept include negated"),
        ("P,! X", "kept negated"),
        ("-x X", ""),
        ("H,x X", ""),
    ],
)
def test_a_rule(text: str, meaning: str) -> None:
    entry = read_entry(text)
    found = [name for name in ("sent", "kept", "include", "negated") if getattr(entry, name)]
    assert (entry.pattern, entry.filter, " ".join(found)) == ("X", True, meaning)
    assert parse_rule(text) == entry


@pytest.mark.parametrize(
    ("text", "file", "once", "may_clear"),
    [
        (". /f", "/f", True, True),
        (".s F", "F", True, True),
        (".- F", "F", True, False),
        (".,e a b", "a b", True, True),
        ("merge,C F", "F", True, True),
        ("merge,+n F", "F", True, False),
        (".C", ".cvsignore", True, True),
        (": .rules", ".rules", False, False),
        (":sC", ".cvsignore", False, False),
        ("dir-merge,n- F", "F", False, False),
    ],
)
def test_a_file_of_rules(text: str, file: str, once: bool, may_clear: bool) -> None:
    entry = read_entry(text)
    assert (entry.sort, entry.pattern, entry.once) == (Sort.FILE, file, once)
    assert entry.may_clear is may_clear


@pytest.mark.parametrize("text", ["-C", "+C", "-sC", "exclude,C"])
def test_the_rules_of_cvs(text: str) -> None:
    assert (read_entry(text).sort, read_entry(text).once) == (Sort.CVS, False)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("P_X", "for the rule write 'P X'; for the name write '- P_X'"),
        ("-_*.o", "for the rule write '- *.o'"),
        ("merge_F", "for the rule write 'merge F'; for the name write '- merge_F'"),
        ("exclude,s_X", "for the rule write 'exclude,s X'"),
        (".s_F", "for the rule write '.,s F'"),
        (":_F", "for the rule write ': F'"),
        ("Px X", "for the rule write 'P,x X'; for the name write '- Px X'"),
        ("-/cache", "for the rule write '- /cache'"),
        ("-*.o", "for the rule write '- *.o'"),
        ("+*.c", "for the rule write '+ *.c'"),
        (
            "--exclude=f",
            "is an option, and no rule: write '- f'; for the name write '- --exclude=f'",
        ),
        ("--exclude 'a b'", "write '- a b'"),
        (" --exclude=+ x", "write '+ x'"),
        ("--include=*.c", "write '+ *.c'"),
        ("--filter=P x", "write 'P x'"),
        ("--filter='-rs_f'", "write '-rs_f'"),
        ("-f - x", "write '- x'"),
        ("-F", "write ': /.rsync-filter'"),
        ("-FF", "write ':e /.rsync-filter'"),
        ("--cvs-exclude", "write '-C'"),
        ("--exclude-from=/etc/x", "write 'merge,- /etc/x'"),
        ("--include-from /etc/x", "write 'merge,+ /etc/x'"),
        ("--delete-excluded", "is an option, and no rule: write it into extra"),
        ("--max-size=1G", "is an option, and no rule: write it into extra"),
        ("clear", "for the rule write '!'; for the name write '- clear'"),
        ("clear_cache", "for the name write '- clear_cache'"),
        ("! x", "for the name write '- ! x'"),
        ("  - /tmp", "has blanks before the rule: write '- /tmp'"),
        (" -*.o", "has blanks before the rule"),
        ("+ ", "has no pattern after its prefix"),
        ("- ", "has no pattern after its prefix"),
        ("P ", "it has no pattern"),
        ("exclude,s", "it has no pattern"),
        ("-/ /a/b", "its modifier '/' means another path at each end"),
        ("-foo bar", "rsync refuses its modifier 'f'; for the name write '- -foo bar'"),
        ("exclude,z X", "is taken for the rule 'exclude,z', and rsync refuses its modifier 'z'"),
        ("P,s X", "rsync refuses its modifier 's'"),
        (":C-", "rsync refuses its modifier '-'"),
        (":CC", "rsync refuses its modifier 'C'"),
        (".+- x", "rsync refuses its modifier '-'"),
        ("merge,+C x", "rsync refuses its modifier 'C'"),
        ("merge,! F", "rsync refuses its modifier '!'"),
        ("-e X", "rsync refuses its modifier 'e'"),
        ("-C X", "nothing may follow its modifier 'C'"),
        ("-!C", "nothing may follow its modifier 'C'"),
    ],
)
def test_a_fault(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        read_entry(text)


@pytest.mark.parametrize("text", [" !", "_!", "X", "foo", "Sales 1", "includes x", ""])
def test_what_is_no_rule_to_rsync(text: str) -> None:
    with pytest.raises(ValueError, match="rsync"):
        parse_rule(text)
