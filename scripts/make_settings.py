"""Make what tells people of the settings: ``python scripts/make_settings.py``.

From the table in inosync/config/settings.py: the lines of ``inosync.conf.example``, the reference
in ``docs/settings.rst``, and with it the man page. What stands above the part that is made is kept.
"""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from inosync.config.settings import SECTIONS, Section, Setting  # noqa: E402 - this checkout's

EXAMPLE = "inosync.conf.example"
PAGE = "docs/settings.rst"

NOT_SET = "default: not set"

#: How the part that is made begins in each of them.
_EXAMPLE_FROM = "# ---- "
_PAGE_FROM = ".. Made by scripts/make_settings.py from inosync/config/settings.py, to the end.\n"
_NO_BREAK = "\N{NO-BREAK SPACE}"


def made(path: str) -> str:
    """Return what EXAMPLE or PAGE ought to be: its own first part, and the settings."""
    begin, rest = (_EXAMPLE_FROM, example()) if path == EXAMPLE else (_PAGE_FROM, _linked())
    head, found, _ = (ROOT / path).read_text().partition(f"\n{begin}")
    assert found, f"{path} has no line that begins with {begin!r}"
    return f"{head}\n{rest}"


# The example


def example() -> str:
    """Return the settings as lines of a config: those of a first config live, all others not."""
    blocks: list[str] = []
    for section in SECTIONS:
        heading = f"{_EXAMPLE_FROM}{section.title} ".ljust(80, "-")
        blocks.append(f"{heading}\n{_comment(section.about)}".rstrip())
        blocks += [f"{_comment(_meaning(row))}\n{_lines(row)}" for row in section.rows]
    return "\n\n".join(blocks) + "\n"


def _meaning(row: Setting) -> str:
    """Return the whole help where the line below is no default, else the first sentence."""
    if not row.example:
        return row.help.partition(". ")[0]
    default = _default(row)
    return row.help if default == NOT_SET else f"{row.help} ({default})"


def _lines(row: Setting) -> str:
    """Return how the setting is written: its example, or its default in a comment."""
    written = _plain(row.otherwise) or _written(row.default)
    commented = f"#{row.name} = {written}".replace("\n", "\n#")
    return (row.example or commented) + (f"  # {row.unit}" if row.unit else "")


def _written(value: object) -> str:
    """Return `value` as a config would write it."""
    written = repr(value).replace("'", '"')
    if len(written) < 70 or not isinstance(value, list):
        return written
    return "\n".join(["[", *(f"    {_written(item)}," for item in value), "]"])


def _comment(text: str) -> str:
    return _filled(_plain(_whole(text)), "# ", 80)


def _plain(text: str) -> str:
    return text.replace("``", "")


# The reference


def reference(underline: str) -> str:
    """Return all settings in reStructuredText: a heading and a definition list per section."""
    return "\n".join(line for section in SECTIONS for line in _section(section, underline)).rstrip()


def _section(section: Section, underline: str) -> Iterator[str]:
    yield from (section.title, underline * len(section.title), "")
    if section.about:
        yield from (_wrapped(section.about, ""), "")
    for row in section.rows:
        yield from (_term(row), _wrapped(_explained(row), "    "), "")


def _term(row: Setting) -> str:
    default = "" if _is_long(row) else _default(row)
    also = "also by source" * row.per_source, "also per node" * row.per_node
    notes = [note for note in (row.unit, default, *also) if note]
    return f"``{row.name}`` ({'; '.join(notes)})" if notes else f"``{row.name}``"


def _default(row: Setting) -> str:
    if row.otherwise.startswith("required"):
        return row.otherwise
    if row.default in (None, "") and not row.otherwise:
        return NOT_SET
    return f"default: {row.otherwise or f'``{_written(row.default)}``'}"


def _is_long(row: Setting) -> bool:
    """Return whether the default is too long to stand behind the name."""
    return "\n" in _written(row.default)


def _explained(row: Setting) -> str:
    sentences = [row.help]
    if row.aliases:
        sentences.append("Also spelled " + " and ".join(f"``{name}``" for name in row.aliases))
    if _is_long(row):
        assert isinstance(row.default, list)
        sentences.append("Default: " + ", ".join(f"``{item}``" for item in row.default))
    return ". ".join(sentences)


def _linked() -> str:
    """Return the reference for a page in docs/, which links to its neighbours."""
    text = re.sub(r"``docs/([\w-]+\.rst)``", r"`\1 <\1>`_", reference("="))
    return f"{_PAGE_FROM}\n{text}\n"


def _wrapped(text: str, indent: str) -> str:
    return _filled(_whole(text), indent, 100)


def _whole(text: str) -> str:
    """Return `text` so that no line ends within what a config has, or behind "0:"."""
    whole = r"``.+?``|\b(?:0|default): "
    return re.sub(whole, lambda found: found[0].replace(" ", _NO_BREAK), text)


def _filled(text: str, indent: str, width: int) -> str:
    filled = textwrap.fill(
        text,
        width,
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return filled.replace(_NO_BREAK, " ")


def main() -> None:
    """Write everything."""
    for path in (EXAMPLE, PAGE):
        (ROOT / path).write_text(made(path))
    subprocess.run([sys.executable, ROOT / "scripts/make_man.py"], check=True)


if __name__ == "__main__":
    main()
