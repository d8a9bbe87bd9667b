"""Who owns what arrives on a node, as far as the user's options say.

Pure. rsync gives files away as root alone, and as anybody else leaves their owner without a word.
"""

from __future__ import annotations

from collections.abc import Sequence

from inosync.rsync.options import options, values

#: What asks for owners. The last two imply -o; of a group alone --chown asks as well.
_ASKING = ("-a", "--archive", "-o", "--owner", "--usermap", "--chown")
#: With these there are none, rsync may be somebody else on the node, or owners are but noted there.
_OTHERWISE = frozenset(("--no-owner", "--rsync-path", "--fake-super"))


def asking_for_owners(extra: Sequence[str]) -> str:
    """Return the option that only root on the node could follow; ``""`` when there is none."""
    given = options(extra)
    if given & _OTHERWISE or "--fake-super" in values(extra, ("-M", "--remote-option")):
        return ""
    asking = [name for name in _ASKING if name in given]
    if asking == ["--chown"] and all(who.startswith(":") for who in values(extra, asking)):
        return ""
    return next(iter(asking), "")
