"""rsync's destination syntax: what is local, what is a host, and what is refused."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from inosync.rsync.destination import (
    Destination,
    Transport,
    is_bare_module,
    is_prefix,
    join,
    mask,
    parse_destination,
)

LOCAL, SSH, DAEMON = Transport.LOCAL, Transport.SSH, Transport.DAEMON


@pytest.mark.parametrize(
    ("text", "transport", "host", "user", "port", "path"),
    [
        ("/srv/www/", LOCAL, "", "", 0, "/srv/www/"),
        ("/", LOCAL, "", "", 0, "/"),
        ("./relative", LOCAL, "", "", 0, "./relative"),
        ("relative/dir", LOCAL, "", "", 0, "relative/dir"),
        ("/srv/a:b", LOCAL, "", "", 0, "/srv/a:b"),
        ("./a:b", LOCAL, "", "", 0, "./a:b"),
        ("/srv/user@host:/x", LOCAL, "", "", 0, "/srv/user@host:/x"),
        ("/srv/line\nbreak", LOCAL, "", "", 0, "/srv/line\nbreak"),
        ("host:/srv/www", SSH, "host", "", 0, "/srv/www"),
        ("host:www", SSH, "host", "", 0, "www"),
        ("host:", SSH, "host", "", 0, ""),
        ("user@host:", SSH, "host", "user", 0, ""),
        ("user@host:/a b/c'd", SSH, "host", "user", 0, "/a b/c'd"),
        ("user@realm@host:/x", SSH, "host", "user@realm", 0, "/x"),
        ("DOMAIN\\user@host:/x", SSH, "host", "DOMAIN\\user", 0, "/x"),
        ("web_1.example.com:/x:y", SSH, "web_1.example.com", "", 0, "/x:y"),
        ("[::1]:/srv", SSH, "::1", "", 0, "/srv"),
        ("user@[fe80::1%eth0]:/srv", SSH, "fe80::1%eth0", "user", 0, "/srv"),
        ("host::mod", DAEMON, "host", "", 0, "mod"),
        ("host::mod/sub/", DAEMON, "host", "", 0, "mod/sub/"),
        ("user@host::mod", DAEMON, "host", "user", 0, "mod"),
        ("[::1]::mod/x", DAEMON, "::1", "", 0, "mod/x"),
        ("cafe::1", DAEMON, "cafe", "", 0, "1"),
        ("rsync://host/mod", DAEMON, "host", "", 0, "mod"),
        ("rsync://user@host:8730/mod/sub/", DAEMON, "host", "user", 8730, "mod/sub/"),
        ("RSYNC://host/mod/a@b", DAEMON, "host", "", 0, "mod/a@b"),
        ("rsync://[2001:db8::1]:873/mod", DAEMON, "2001:db8::1", "", 873, "mod"),
        ("rsync://[::1]/mod", DAEMON, "::1", "", 0, "mod"),
    ],
)
def test_what_rsync_takes_as_it_is(
    text: str, transport: Transport, host: str, user: str, port: int, path: str
) -> None:
    assert parse_destination(text) == Destination(text, transport, host, user, port, path)


@pytest.mark.parametrize(
    ("text", "told", "shown"),
    [
        ("rsyncs://u@h:99/mod/x", "rsync://u@h:99/mod/x", "rsyncs://u@h:99/mod/x"),
        ("RSYNCS://[::1]/mod", "rsync://[::1]/mod", "rsyncs://[::1]/mod"),
    ],
)
def test_behind_tls_rsync_is_told_of_the_module_alone(text: str, told: str, shown: str) -> None:
    found = parse_destination(text)
    assert (found.text, found.tls, found.transport) == (told, True, DAEMON)
    assert found.shown == shown
    assert found.below("y").shown == f"{shown}/y"
    assert not parse_destination(told).tls


@pytest.mark.parametrize(
    ("text", "for_rsync", "user", "host", "port", "path"),
    [
        ("ssh://host", "host:", "", "host", 0, ""),
        ("ssh://host/", "host:/", "", "host", 0, "/"),
        ("ssh://host/srv/www/", "host:/srv/www/", "", "host", 0, "/srv/www/"),
        ("SSH://u@host:2222/srv", "u@host:/srv", "u", "host", 2222, "/srv"),
        ("ssh://u@host:1", "u@host:", "u", "host", 1, ""),
        ("ssh://u@[::1]:65535/srv", "u@[::1]:/srv", "u", "::1", 65535, "/srv"),
        ("ssh://host/~/www", "host:www", "", "host", 0, "www"),
        ("ssh://host/~", "host:", "", "host", 0, ""),
        ("ssh://host/~/:odd", "host:./:odd", "", "host", 0, "./:odd"),
        ("ssh://host//srv", "host:/srv", "", "host", 0, "/srv"),
        ("ssh://host/a@b:c", "host:/a@b:c", "", "host", 0, "/a@b:c"),
        ("host:~/www", "host:www", "", "host", 0, "www"),
        ("u@host:~", "u@host:", "u", "host", 0, ""),
        ("u@[::1]:~//www", "u@[::1]:www", "u", "::1", 0, "www"),
        ("host:~/~/x", "host:./~/x", "", "host", 0, "./~/x"),
    ],
)
def test_what_is_rewritten_for_rsync(
    text: str, for_rsync: str, user: str, host: str, port: int, path: str
) -> None:
    assert parse_destination(text) == Destination(for_rsync, SSH, host, user, port, path)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "is empty"),
        ("/srv/\0", "NUL"),
        ("-e", "looks like an option"),
        ("--rsh=x:/y", "looks like an option"),
        ("~/www", "not expanded"),
        ("host:~bob/www", "'~bob', which is not expanded"),
        ("ssh://host/~bob/www", "'~bob', which is not expanded"),
        (":/path", "no host before the path"),
        ("::mod", "no host before the path"),
        ("@host:/path", "no user before the @"),
        ("user@:/path", "no host before the path"),
        ("user@-oProxyCommand=x:/path", "starts with a dash"),
        ("host with space:/x", "holds ' '"),
        ("host\n:/x", "holds '\\n'"),
        ("host;reboot:/x", "holds ';'"),
        ("$(reboot):/x", "holds '$'"),
        ("a`b@host:/x", "a user that holds '`'"),
        ("rsync://-x/mod", "starts with a dash"),
        ("[::1]/x:", "does not name a host"),
        ("[::1:/x", "does not name a host"),
        ("[hostname]:/x", "no IPv6 address in its brackets"),
        ("fe80::1:/srv", "without brackets"),
        ("root@2001:db8::1:/srv", "without brackets"),
        ("1:2:3:4:5:6:7:8::mod", "without brackets"),
        ("http://host/x", "a URL that rsync does not know"),
        ("file:///srv", "a URL that rsync does not know"),
        ("host::", "does not name a module"),
        ("host::/mod", "does not name a module"),
        ("rsync://host", "does not name a module"),
        ("rsync://host/", "does not name a module"),
        ("rsync://host//mod", "does not name a module"),
        ("rsync:///mod", "no host"),
        ("rsyncs://host", "does not name a module"),
        ("ssh://", "no host"),
        ("ssh://@host/x", "no user"),
        ("ssh://host:/x", "no valid port"),
        ("ssh://host:0/x", "no valid port"),
        ("ssh://host:65536/x", "no valid port"),
        ("ssh://host:22a/x", "no valid port"),
        ("ssh://host:\N{SUPERSCRIPT TWO}/x", "no valid port"),
        ("ssh://::1/x", "in brackets"),
        ("ssh://[::1/x", "in brackets"),
        ("ssh://[nonsense]/x", "no IPv6 address in its brackets"),
        ("ssh://user:secret@host/x", "holds a password"),
        ("rsync://user:secret@host/mod", "holds a password"),
        ("rsync://user:se/cret@host/mod", "no valid port"),
        ("user:secret@host:/x", "seems to hold a password"),
        ("user:secret@host::mod", "seems to hold a password"),
        ("host:/srv/[m]", "holds '[', which rsync may expand there"),
        ("host::mod/a*", "holds '*', which rsync may expand there"),
        ("rsync://host/mod/a?", "holds '?', which rsync may expand there"),
        ("ssh://host/srv/*/x", "holds '*', which rsync may expand there"),
    ],
)
def test_what_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=re.escape(complaint)) as caught:
        parse_destination(text)
    assert "cret" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("/srv/www", "/srv/www"),
        ("/srv/line\nbreak\x1b[31m", "/srv/line\\nbreak\\x1b[31m"),
        ("/srv/\udcff", "/srv/\\udcff"),
        ("ssh://u@host:2222/srv", "ssh://u@host:2222/srv"),
        ("ssh://u@host:2222/~/www", "ssh://u@host:2222/~/www"),
        ("ssh://[::1]:22", "ssh://[::1]:22/~/"),
        ("ssh://host/srv", "host:/srv"),
        ("rsync://host:873/mod", "rsync://host:873/mod"),
    ],
)
def test_how_a_destination_is_shown(text: str, shown: str) -> None:
    assert parse_destination(text).shown == shown


@pytest.mark.parametrize(
    ("text", "folder"),
    [
        ("/m", "/m/"),
        ("m/", "m/"),
        ("host:m", "host:m/"),
        ("host:", "host:"),
        ("host::mod", "host::mod/"),
        ("rsync://host/mod/m", "rsync://host/mod/m/"),
    ],
)
def test_how_a_destination_is_taken_for_a_directory(text: str, folder: str) -> None:
    assert parse_destination(text).folder == folder


def test_a_password_is_never_shown() -> None:
    url = Destination("rsync://user:secret@host/mod", DAEMON, "host", "user", 0, "mod")
    assert url.shown == "rsync://user:***@host/mod"


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("rsync://user:secret@host:873/mod", "rsync://user:***@host:873/mod"),
        ("rsync://user:se/cr@et@host/mod", "rsync://user:***@host/mod"),
        ("rsync://user:123x@host/mod", "rsync://user:***@host/mod"),
        ("rsync://user:@host/mod", "rsync://user:***@host/mod"),
        ("user:secret@host:/x", "user:***@host:/x"),
        ("user:secret@host::mod", "user:***@host::mod"),
        ("rsync://host:873/mod/a@b", "rsync://host:873/mod/a@b"),
        ("rsync://[::1]:873/mod/a@b", "rsync://[::1]:873/mod/a@b"),
        ("ssh://u@host:22/x", "ssh://u@host:22/x"),
        ("host:/x@y:z", "host:/x@y:z"),
        ("/srv/www", "/srv/www"),
    ],
)
def test_mask(text: str, masked: str) -> None:
    assert mask(text) == masked


@pytest.mark.parametrize(
    "text",
    [
        "",
        "host:",
        "user@host:",
        "[::1]:",
        "host::",
        "ssh://h",
        "ssh://u@h:22",
        "rsync://h",
        "rsync://h/",
        "rsyncs://h/",
        "RSYNC://u@h:873/",
    ],
)
def test_what_an_rpath_completes(text: str) -> None:
    assert is_prefix(text)


@pytest.mark.parametrize(
    "text",
    [
        "/srv",
        "/srv/a:",
        "./a:",
        "host:x",
        "host:/",
        "host:a:",
        "host::mod",
        "ssh://h/",
        "rsync://h/mod",
        "x",
        ".",
        "http://h",
    ],
)
def test_what_is_complete(text: str) -> None:
    assert not is_prefix(text)


@pytest.mark.parametrize(
    ("text", "bare"),
    [
        ("host::mod", True),
        ("user@[::1]::mod", True),
        ("rsync://host/mod", True),
        ("rsyncs://host/mod", True),
        ("RSYNC://host:873//mod", True),
        ("host::mod/", False),
        ("rsync://host/mod/", False),
        ("rsync://host/", False),
        ("host::", False),
        ("host:mod", False),
        ("/a::b", False),
        ("", False),
    ],
)
def test_a_bare_module(text: str, bare: bool) -> None:
    assert is_bare_module(text) is bare


@pytest.mark.parametrize(
    ("node", "rpath", "joined"),
    [
        ("", "/var/www/", "/var/www/"),
        ("user@host:", "/var/www/", "user@host:/var/www/"),
        ("host:", "www", "host:www"),
        ("host:/base", "/www", "host:/base/www"),
        ("ssh://u@h:22", "/var/www/", "ssh://u@h:22/var/www/"),
        ("ssh://u@h:22", "www", "ssh://u@h:22/~/www"),
        ("rsync://h", "/mod/x", "rsync://h/mod/x"),
        ("rsyncs://h", "/mod/x", "rsyncs://h/mod/x"),
        ("rsync://h/", "mod", "rsync://h/mod"),
        ("rsync://h/mod", "/var/www/", "rsync://h/mod/var/www/"),
        ("rsync://h/mod/", "sub", "rsync://h/mod/sub"),
        ("host::", "/mod/x", "host::mod/x"),
        ("host::mod", "/var/www/", "host::mod/var/www/"),
        ("[::1]::mod", "x", "[::1]::mod/x"),
    ],
)
def test_join(node: str, rpath: str, joined: str) -> None:
    assert join(node, rpath) == joined


texts = st.text(alphabet="ab0/:@[]~.- \n\0%é\udcff", max_size=24)
texts = st.one_of(texts, texts.map("ssh://".__add__), texts.map("rsync://".__add__))


def parsed(text: str) -> Destination | ValueError:
    try:
        return parse_destination(text)
    except ValueError as error:
        return error


@given(texts)
@example("a:\n")
def test_any_text_is_parsed_or_refused_in_words(text: str) -> None:
    is_prefix(text), is_bare_module(text), mask(text)
    destination = parsed(text)
    if isinstance(destination, ValueError):
        assert type(destination) is ValueError
        assert str(destination).isprintable()
        return
    assert destination.shown.isprintable()
    assert not destination.text.startswith("-")
    assert "\0" not in destination.text
    assert not destination.host.startswith("-")
    assert not destination.user.startswith("-")
    assert (destination.host == "") == (destination.transport is LOCAL)


@given(texts, st.text(alphabet="ab/~:.", min_size=1, max_size=12))
def test_what_rsync_is_given_means_the_same_to_rsync(text: str, rpath: str) -> None:
    """The text of a destination, parsed again, is that destination; only an ssh port is apart."""
    for written in (text, join(text, rpath)):
        first = parsed(written)
        if isinstance(first, ValueError):
            continue
        again = parse_destination(first.text)
        assert (again.text, again.transport) == (first.text, first.transport)
        assert (again.host, again.user, again.path) == (first.host, first.user, first.path)
