"""Values of a config: what each sort accepts, and how problems with them are told."""

from __future__ import annotations

import grp
import os
import pwd
from collections.abc import Callable
from typing import Any

import pytest
from support.scripts import Script

from inosync.changes import inotify_bits
from inosync.config.model import Config
from inosync.config.settings import SETTINGS
from inosync.config.values import YEAR, group, user

ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="only root may be somebody else")


ROWS = {setting.name: setting for setting in SETTINGS}


def get(name: str) -> Callable[[Config], Any]:
    def value(config: Config) -> Any:
        holders = config.nodes[0], config.settings[0], config
        return next(getattr(each, name) for each in holders if hasattr(each, name))

    return value


@pytest.mark.parametrize(
    ("setting", "written", "read"),
    [
        ("rspeed", "0", 0),
        ("rspeed", "500", 500),
        ("rspeed", "-1", 0),
        ("rspeed", "2**31 - 1", 2**31 - 1),
        ("emask", '["IN_DELETE"]', inotify_bits.IN_DELETE),
        ("emask", '("IN_DELETE", "IN_DELETE")', inotify_bits.IN_DELETE),
        ("emask", '{"IN_DELETE", "IN_MODIFY"}', inotify_bits.IN_DELETE | inotify_bits.IN_MODIFY),
        ("emask", "list(dict(IN_ATTRIB=1))", inotify_bits.IN_ATTRIB),
        ("edelay", "0", 0.0),
        ("edelay", "0.25", 0.25),
        ("edelay", "'auto'", "auto"),
        ("edelay", "31622400", float(YEAR)),
        ("emaxdelay", "10", 10.0),
        ("emaxdelay", "60.5", 60.5),
        ("init", "False", False),
        ("rsync", "'/bin/sh'", "/bin/sh"),
        ("extra", "'--rsh=ssh -a'", ("--rsh=ssh", "-a")),
        ("extra", "['-e', 'ssh -x']", ("-e", "ssh -x")),
        ("logfile", "'/var/rsync.log'", "/var/rsync.log"),
        ("logfile", "''", ""),
        ("logfile", "None", ""),
        ("rtimeout", "0", 0),
        ("rtimeout", "60", 60),
        ("rretry", "(0.5, 0.5)", (0.5, 0.5)),
        ("rretry", "[2, 600]", (2.0, 600.0)),
        ("rparallel", "1", 1),
        ("rparallel", "'auto'", "auto"),
        ("user", "''", ""),
        pytest.param("user", "'root'", "root", marks=ROOT_ONLY),
        pytest.param("group", "'root'", "root", marks=ROOT_ONLY),
        ("umask", "0", 0),
        ("umask", "0o777", 0o777),
        ("umask", "0o027", 0o027),
        ("umask", "'027'", 0o027),
        ("umask", "'0o27'", 0o027),
        ("umask", "'0'", 0),
        ("pidfile", "'/var/inosync.pid'", "/var/inosync.pid"),
        ("on_change", "['/bin/sh', '', '-c']", ("/bin/sh", "", "-c")),
        ("on_recover", "('/bin/sh',)", ("/bin/sh",)),
        ("on_failure", "[]", ()),
        ("hooktimeout", "1", 1),
        ("wmarker", "'sub/.mounted'", "sub/.mounted"),
        ("wmarker", "'..mounted'", "..mounted"),
        ("wactive", "''", ""),
        ("wactive", "'/run/pair//active'", "/run/pair/active"),
        ("wactive", "'192.0.2.10'", "192.0.2.10"),
        ("wactive", "'2001:DB8:0::10'", "2001:db8::10"),
        ("edelay", "None", 10.0),
    ],
)
def test_what_a_setting_accepts(script: Script, setting: str, written: str, read: object) -> None:
    value = get(setting)(script.load(f"{setting} = {written}"))
    assert value == read
    assert type(value) is type(read)


@pytest.mark.parametrize(
    ("written", "complaint"),
    [
        ("rspeed = '100'", "must be a whole number of KB/s (0: unlimited), such as 1000"),
        ("rspeed = 1.5", "must be a whole number of KB/s"),
        ("rspeed = True", "must be a whole number of KB/s"),
        ("rspeed = 2**31", "from 0 to 2147483647"),
        ("emask = 'IN_CREATE'", "must be a list, not a string; write ['IN_CREATE']"),
        ("emask = 256 | 512", "is a number; write the names of the events, such as ["),
        ("emask = {'IN_CREATE': '/bin/x'}", "a program per event, as inorun did"),
        ("emask = []", "is empty, so nothing would ever be mirrored"),
        ("emask = len", "must be a list; write ["),
        ("emask = (x for x in ['IN_CREATE'])", "must be a list; write ["),
        ("edelay = -1", "from 0 to one year"),
        ("edelay = 31622401", "from 0 to one year"),
        ("edelay = float('inf')", "from 0 to one year"),
        ("edelay = float('nan')", "from 0 to one year"),
        ("edelay = 10**400", "from 0 to one year"),
        ("edelay = 10**5000", "from 0 to one year"),
        ("rspeed = 10**5000", "from 0 to 2147483647"),
        ("edelay = True", "must be a number of seconds, such as 10 or 0.5"),
        ("edelay = '10'", 'must be a number of seconds, such as 10 or 0.5, or "auto"'),
        ("edelay = 1j", "must be a number of seconds"),
        ("rkeep = '30'", "must be a number of days, such as 30 or 0.5"),
        ("rkeep = 9999", "must be a number of days from 0 to ten years (3660)"),
        ("emaxdelay = 9.9", "must not be below edelay, which is 10 seconds"),
        ("init = 1", 'must be True, "changed" or False'),
        ("init = 'no'", 'must be True, "changed" or False'),
        ("rsync = 'rsync'", "must be an absolute path"),
        ("rsync = '/nowhere/rsync'", "does not exist; install rsync or write its absolute path"),
        ("rsync = '/usr/bin'", "is no program that can be run"),
        ("rsync = '/etc/passwd'", "is no program that can be run"),
        ("rsync = '/usr/bin/rsync --x'", "does not exist"),
        ("rsync = ''", "is empty"),
        ("wpath = ['/srv', '/var']", "must be a string; write wpaths = for several"),
        ("rsync = 5", "must be a string"),
        ("rsync = '/usr/bin/\\0'", "NUL"),
        ("rsync = '/usr/bin/\\ud800'", "holds a character that no file name can have"),
        ("extra = '-n'", "holds -n, which is refused"),
        ("extra = 5", "must be a string or a list of strings"),
        ("logfile = 'rsync.log'", "must be an absolute path"),
        ("logfile = '/nowhere/rsync.log'", "lies in '/nowhere', which is no directory; create it"),
        ("logfile = '/var'", "is a directory; write the path of a file"),
        ("logfile = '/var/x/'", "is a directory; write the path of a file"),
        ("logfile = False", "must be a string"),
        ("rtimeout = 0.5", "must be a whole number of seconds, such as 300"),
        ("rtimeout = -1", "must be a whole number of seconds from 0 to 31622400"),
        ("rretry = 5", "must be the first wait and the longest, in seconds, such as (1, 300)"),
        ("rretry = (1, 2, 3)", "must be the first wait and the longest"),
        ("rretry = (0, 300)", "the first is above 0 and not above the longest"),
        ("rretry = (301, 300)", "the first is above 0 and not above the longest"),
        ("rscope = 'file'", "must be 'tree' or 'changes'"),
        ("rscope = ['tree']", "must be 'tree' or 'changes'"),
        ("on_change = '/bin/sh'", "must be a list, not a string; write ['/bin/sh']"),
        ("hooktimeout = 0", "must be a whole number of seconds from 1 to"),
        ("rparallel = 0", 'must be a whole number from 1 to 10000, or "auto"'),
        ("rparallel = 2.0", 'must be a whole number, such as 8, or "auto"'),
        ("user = 'no-such-user'", "is no user of this system"),
        ("user = 0", "must be a string"),
        ("group = 'no-such-group'", "is no group of this system"),
        ("umask = '088'", 'must be an octal number from 0 to 0o777, such as 0o022 or "022"'),
        ("umask = '7777'", "must be an octal number"),
        ("umask = 0o1000", "must be an octal number"),
        ("umask = -1", "must be an octal number"),
        ("umask = True", "must be an octal number"),
        ("wmarker = '/mounted'", "must be a path inside the source"),
        ("wmarker = '../mounted'", "must be a path inside the source"),
        ("wmarker = 'a/../mounted'", "must be a path inside the source"),
        ("wmarker = 5", "must be a string"),
        ("wactive = '/run/'", "is a directory"),
        ("wactive = '/run'", "is a directory"),
        ("wactive = '192.0.2.10/24'", 'such as "192.0.2.10"'),
        ("wactive = 'run/active'", "must be the absolute path of a file, or an address"),
        ("wactive = '0.0.0.0'", "is no address that a host can hold"),
        ("wactive = 'fe80::1%eth0'", "is no address that a host can hold"),
        ("wactive = True", "must be a string"),
        ("pidfile = 'x.pid'", "must be an absolute path"),
        ("metricsfile = 'x.prom'", "must be an absolute path"),
        ("metricsfile = '/dev/null'", "is no ordinary file, and would be replaced by one"),
        ("htmlfile = '/nowhere/index.html'", "which is no directory; create it"),
        ("pidfile = '/nowhere/x.pid'", "which is no directory; create it"),
    ],
)
def test_what_a_setting_refuses(script: Script, written: str, complaint: str) -> None:
    problem = script.problem(written)
    assert problem.startswith(f"{written.partition(' ')[0]} = ")
    assert complaint in problem.partition(": ")[2]


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ("emask = ['IN_CLOSE']", "emask[0] = 'IN_CLOSE': is no event to wait for; did you mean "),
        ("emask = ['IN_CREATED']", "emask[0] = 'IN_CREATED': is no event to wait for; did you mea"),
        ("emask = ['', 'x']", "emask[0] = '': is empty"),
        ("emask = ['IN_DELETE', 5]", "emask[1] = 5: must be a string"),
        ("emask = ['IN_DELETE', 'IN_OPEN']", "emask[1] = 'IN_OPEN': tells of reading only, and "),
        ("emask = ['IN_ACCESS']", "emask[0] = 'IN_ACCESS': tells of reading only, and rsync's own"),
        ("emask = ['IN_CLOSE_NOWRITE']", "emask[0] = 'IN_CLOSE_NOWRITE': tells of reading only"),
        ("emask = ['ALL_EVENTS']", "emask[0] = 'ALL_EVENTS': is no event to wait for; known are "),
        ("on_change = ['sh']", "on_change[0] = 'sh': must be an absolute path"),
        ("on_change = ['/nowhere/x']", "on_change[0] = '/nowhere/x': is no program that can be "),
        ("on_success = ['/etc/passwd']", "on_success[0] = '/etc/passwd': is no program that can"),
        ("on_failure = ['/bin/sh', 5]", "on_failure[1] = 5: must be a string"),
        ("on_recover = ['/bin/sh', 'a\\0']", "on_recover[1] = 'a\\x00': holds a NUL character"),
        ("rretry = (1, 'x')", "rretry[1] = 'x': must be a number of seconds, such as 10 or 0.5"),
    ],
)
def test_the_wrong_part_of_a_value_is_named(script: Script, written: str, problem: str) -> None:
    assert script.problems(written)[0].startswith(problem)


@ROOT_ONLY
def test_users_and_groups_without_root() -> None:
    me = pwd.getpwnam("nobody")
    own_group = grp.getgrgid(me.pw_gid).gr_name
    before = os.getgroups()
    os.setgroups([])
    os.setegid(me.pw_gid)
    os.seteuid(me.pw_uid)
    try:
        assert user(me.pw_name) == me.pw_name
        with pytest.raises(ValueError, match="can only be set by root"):
            user("root")
        assert group(own_group) == own_group
        with pytest.raises(ValueError, match="can only be set by root"):
            group("root")
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(before)
