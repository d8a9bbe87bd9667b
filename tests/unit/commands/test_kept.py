"""Of which source something is kept."""

from __future__ import annotations

from support.configs import make_config, make_pair, make_source

from inosync.commands.kept import place


def test_the_innermost_source_of_which_something_is_kept_is_asked() -> None:
    outer, inner = make_source("/srv"), make_source("/srv/www")
    for days, expected in (
        ((0.0, 0.0), (inner, b"a")),
        ((5.0, 0.0), (outer, b"www/a")),
        ((5.0, 5.0), (inner, b"a")),
    ):
        pairs = [
            make_pair(source, f"h:/{number}", rkeep=keep)
            for number, (source, keep) in enumerate(zip((outer, inner), days, strict=True))
        ]
        assert place(make_config(pairs), "/srv/www/a", "--kept", "") == expected
