"""A pair that fails over, with real keepalived and pacemaker: examples/failover/ as it is."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.namespaces import need
from support.pair import Host, Switch
from support.profile import DEEP
from support.waiting import until


class Pair:
    """The two hosts and their client."""

    def __init__(self, folder: Path, manager: str) -> None:
        self.switch = Switch(folder)
        self.hosts = {name: Host(folder, name, self.switch, manager) for name in ("alpha", "beta")}

    def close(self) -> None:
        """End everything."""
        for host in self.hosts.values():
            if host.running:
                host.thaw()
                host.kill()
        self.switch.close()

    def other(self, host: Host) -> Host:
        """Return the other one."""
        return self.hosts["beta" if host.name == "alpha" else "alpha"]

    def story(self) -> str:
        """Return all logs."""
        return "\n".join(host.story() for host in self.hosts.values())

    def until(self, true: Callable[[], bool], what: str) -> None:
        """Wait for something."""
        until(true, seconds=60, what=what, state=self.story)

    def acknowledged_by(self, host: Host) -> int:
        """Return how many files the client knows to be on a host."""
        return sum(name == host.name for _, name, _ in self.switch.acknowledged())

    def active(self) -> Host | None:
        """Return the one that is active, if exactly one is."""
        found = [host for host in self.hosts.values() if host.is_active()]
        return found[0] if len(found) == 1 else None

    def takes(self, host: Host, count: int) -> None:
        """Wait until a host has acknowledged so many files more."""
        before = self.acknowledged_by(host)
        self.until(lambda: self.acknowledged_by(host) > before + count, f"files on {host.name}")

    def takes_over(self, host: Host) -> float:
        """Wait until a host takes the client's files; return how long the client had nobody."""
        last = self.switch.acknowledged()[-1]
        self.takes(host, 20)
        moments = [at for _, _, at in self.switch.acknowledged() if at >= last[2]]
        return max(later - at for at, later in itertools.pairwise(moments))

    def settle(self) -> int:
        """Wait until there is one active host and an equal mirror; return how many files are lost.

        The client writes on, so it is halted for that.
        """
        self.switch.end()
        self.until(lambda: self.active() is not None, "one active host")
        active = self.active()
        assert active is not None
        other = self.other(active)
        self.until(lambda: active.files() == other.files(), "equal data")

        def damaged() -> list[str]:
            return [each for each in active.files() if (other.data / each).read_text() != each]

        # The one that was killed may have been at a file whose name both have.
        self.until(lambda: not damaged(), "files that are whole")
        acknowledged = {number for number, _, _ in self.switch.acknowledged()}
        return len(acknowledged - active.files() - active.kept() - other.kept())


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    """Both hosts, with keepalived."""
    yield from booted(tmp_path, "keepalived", "keepalived")


@pytest.fixture
def pacemaker_pair(tmp_path: Path) -> Iterator[Pair]:
    """The same, with pacemaker."""
    yield from booted(tmp_path, "pacemaker", "pacemakerd")


def booted(folder: Path, manager: str, needed: str) -> Iterator[Pair]:
    """Give two hosts that have booted, alpha before beta."""
    if not shutil.which(needed):
        pytest.skip(f"there is no {needed}")
    need("unshare", "-n", "-m", "-u", "-p", "-f", "--mount-proc")
    found = Pair(folder, manager)
    try:
        for host in found.hosts.values():
            host.boot()
        yield found
    finally:
        found.close()


def killed(pair: Pair, active: Host) -> Callable[[], None]:
    """The active host vanishes, and is booted later."""
    active.kill()
    return active.boot


def frozen(pair: Pair, active: Host) -> Callable[[], None]:
    """The active host stands still, with all that it was at, and goes on later."""
    active.freeze()
    return active.thaw


def unplugged(pair: Pair, active: Host) -> Callable[[], None]:
    """The active host has no network any more, and knows it."""
    active.unplug()
    return active.join


def cut_off(pair: Pair, active: Host) -> Callable[[], None]:
    """The active host is alone on its network, and believes that it is the active one."""
    active.cut()
    return active.join


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "accidents",
    [
        pytest.param((killed,), id="quick"),
        pytest.param(
            (killed, frozen, unplugged, cut_off, killed, frozen, unplugged, cut_off),
            id="whole",
            marks=pytest.mark.skipif(not DEEP, reason="takes two minutes: INOSYNC_PROFILE=deep"),
        ),
    ],
)
def test_no_acknowledged_file_is_lost(
    pair: Pair, accidents: tuple[Callable[[Pair, Host], Callable[[], None]], ...]
) -> None:
    """After each takeover and return it is on the active host, or in a kept folder."""
    live_through(pair, accidents)


@pytest.mark.timeout(300)
@pytest.mark.skipif(not DEEP, reason="takes two minutes: INOSYNC_PROFILE=deep")
def test_so_it_is_with_pacemaker(pacemaker_pair: Pair) -> None:
    live_through(pacemaker_pair, (killed, cut_off, killed, cut_off))


def live_through(
    pair: Pair, accidents: tuple[Callable[[Pair, Host], Callable[[], None]], ...]
) -> None:
    """Have accidents happen to the active host, and find all files after each."""
    pair.until(lambda: pair.active() is not None, "the first active host")
    hosts = pair.hosts.values()
    for accident in accidents:
        pair.until(lambda: all(host.is_online() for host in hosts), "two hosts")
        active = pair.active()
        assert active is not None
        other = pair.other(active)
        pair.switch.begin()
        pair.takes(active, 50)
        come_back = accident(pair, active)
        seconds = pair.takes_over(other)
        come_back()
        lost = pair.settle()
        count = len(pair.switch.acknowledged())
        kept = len(active.kept() | other.kept())
        print(f"{accident.__name__}: {seconds:.1f} s, {count} files, {kept} kept, {lost} lost")
        assert lost == 0, pair.story()
        assert seconds < 10


@pytest.mark.timeout(300)
@pytest.mark.skipif(not DEEP, reason="takes half a minute: INOSYNC_PROFILE=deep")
def test_what_a_standby_wrote_while_it_was_alone_is_kept(pair: Pair) -> None:
    """It believed to be active; the other one was, all the time, and makes a full pass."""
    alpha, beta = pair.hosts["alpha"], pair.hosts["beta"]  # alpha has the higher priority
    pair.until(lambda: pair.active() is not None, "the first active host")
    if beta.is_active():
        beta.unplug()
        pair.until(alpha.is_active, "alpha as the active one")
        beta.join()
    pair.switch.begin()
    pair.takes(alpha, 50)
    beta.cut()
    pair.until(beta.is_active, "beta, which hears of nobody")
    # In a directory of its own, which no change of alpha's names.
    (beta.data / "alone").mkdir()
    (beta.data / "alone" / "900000").write_text("900000")
    pair.until(lambda: "exit" in beta.log(), "beta's first try")
    beta.join()
    pair.until(lambda: not beta.is_active(), "beta on standby")
    assert pair.settle() == 0
    assert alpha.is_active()
    pair.until(lambda: "900000" in beta.kept(), "what beta had alone in its kept folder")
    assert not (beta.data / "alone").exists()
