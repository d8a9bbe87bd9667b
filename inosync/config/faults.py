"""What is wrong with a value of a config, and how a value or a name is shown to a person.

Knows no setting.
"""

from __future__ import annotations

import difflib
import reprlib
from collections.abc import Collection, Sequence

from inosync.rsync.destination import mask
from inosync.text import printable

#: Where in a value, the wrong part, and what is wrong with it.
Fault = tuple[str, object, str]


class Faults(ValueError):
    """Several faults in one value."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("; ".join(text for _, _, text in faults))


def faults_of(value: object, error: ValueError) -> tuple[Fault, ...]:
    """Return what `error` found in `value`: where in it, the wrong part, and what is wrong."""
    return error.faults if isinstance(error, Faults) else (("", value, str(error)),)


class _Shortened(reprlib.Repr):
    """repr() that is short, masks passwords and survives whatever a script holds."""

    def __init__(self) -> None:
        super().__init__()
        self.maxstring = self.maxother = self.maxlong = 60
        self.maxlevel = 3

    def repr_str(self, text: str, level: int) -> str:
        return super().repr_str(mask(text), level)


_SHORTENED = _Shortened()


def shown(value: object) -> str:
    """Return `value` for a message: one short line, without passwords. Never fails."""
    try:
        text = printable(_SHORTENED.repr(value))
    except Exception:  # noqa: BLE001 - a script's object may do anything when asked for its repr
        text = f"<{type(value).__name__}>"
    return text if len(text) <= 64 else f"{text[:60]}..."


def nearest(name: str, known: Collection[str], *, likeness: float = 0.8) -> list[str]:
    """Return the names in `known` that are as like `name` as any, and like enough to be meant."""
    scores: dict[str, float] = {}
    matcher = difflib.SequenceMatcher(b=name[:200].lower())
    for other in known:
        matcher.set_seq1(other.lower())
        # The quick one is an upper bound: it spares the real one for most names.
        if matcher.quick_ratio() >= likeness and matcher.ratio() >= likeness:
            scores[other] = matcher.ratio()
    return sorted(other for other in scores if scores[other] == max(scores.values()))


def did_you_mean(name: str, known: Collection[str]) -> str:
    """Return "did you mean X?", or what is known."""
    if near := nearest(name, known, likeness=0.6):
        return f"did you mean {printable(' or '.join(near[:3]))}?"
    more = ", ..." if len(known) > 12 else ""
    return f"known are {printable(', '.join(list(known)[:12]))}{more}"
