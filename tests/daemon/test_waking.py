"""What makes the daemon judge rules: their samples, their sources, and new rules; nothing else does."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from msgspec.structs import replace
from rule_files import ALERTS, REMEDIES, SPECS, write
from stage import book

from agent.control.outbox import Outbox
from agent.daemon.loop import Daemon
from agent.daemon.means import Means
from agent.daemon.sight import Sight
from agent.history import History
from agent.model import Sample
from agent.rulebook import Rulebook, load
from agent.series import Series, Touched

USED = "host_log_dir_used_ratio"
DISK = (("path", "/d"),)


@pytest.fixture
def asked(tmp_path: Path) -> tuple[Daemon, list[Touched]]:
    """A daemon with a rule on a metric of the source `host`, and for what it had rules judged."""
    book = load([write(tmp_path, alerts=ALERTS, remedies=REMEDIES)], SPECS)
    touched: list[Touched] = []

    def judge(_sight: Sight, _now: int, which: Touched | None, _down: frozenset[str]) -> None:
        assert which is not None
        touched.append(which)

    means = cast(Means, SimpleNamespace(clock=lambda: 1_000_000))  # no round is made here
    sight = Sight(book, Series(3_600_000), lambda: None, 1)
    return Daemon(means, sight, judge, ["host", "jmx"]), touched


def up(source: str, at: int, value: float) -> Sample:
    """What a source says of itself."""
    return Sample("ottla_source_up", (("source", source),), at, value)


def test_a_source_that_comes_or_goes_wakes_the_rules_that_rest_on_it(
    asked: tuple[Daemon, list[Touched]],
) -> None:
    """They are not to wait until their own time comes: nothing else tells them."""
    daemon, touched = asked

    daemon.take([up("jmx", 1, 1)], 0)
    daemon.take([up("host", 2, 1)], 0)
    daemon.take([up("host", 3, 1)], 0)
    daemon.take([up("host", 4, 0)], 0)
    daemon.take([up("host", 5, 0)], 0)

    woken = [USED in which.changed for which in touched]
    assert woken == [False, True, False, True, False]


def test_a_sample_wakes_the_rules_that_read_it(asked: tuple[Daemon, list[Touched]]) -> None:
    """The same sample once more is none; a later one that says the same is no change."""
    daemon, touched = asked

    daemon.take([Sample(USED, DISK, 1, 0.5)], 0)
    daemon.take([Sample(USED, DISK, 1, 0.5)], 0)
    daemon.take([Sample(USED, DISK, 2, 0.5)], 0)
    daemon.take([Sample(USED, DISK, 3, 0.6)], 0)

    assert [USED in which.names for which in touched] == [True, False, True, True]
    assert [USED in which.changed for which in touched] == [True, False, False, True]


async def test_peers_are_told_what_fires_once_and_when_it_is_other(tmp_path: Path) -> None:
    """Each time wakes the writer of the control topic."""
    told: list[tuple[str, ...]] = []
    now = [0]
    means = SimpleNamespace(
        clock=lambda: now[0],
        control=SimpleNamespace(set_firing=lambda names, _doing: told.append(names)),
        ledger=SimpleNamespace(history=History()),
    )
    book = load([write(tmp_path, alerts=ALERTS.replace("for: 1m", "for: 0s"))], SPECS)
    daemon = Daemon(cast(Means, means), Sight(book, Series(3_600_000), lambda: None, 1))
    for value in (0.5, 0.5, 0.9, 0.9, 0.5, 0.5):
        now[0] += 5_000
        daemon.take([Sample(USED, DISK, now[0], value)], 0)
        await daemon._round()
    assert told == [(), ("LogDirFillingUp",), ()]


def test_peers_are_told_first_what_has_a_remedy_and_that_not_all_is_told() -> None:
    """Whether others show the same is asked of what a remedy acts on; a beat carries 32 names."""
    box = Outbox()
    means = SimpleNamespace(
        clock=lambda: 5_000,
        control=SimpleNamespace(set_firing=box.say),
        ledger=SimpleNamespace(history=History()),
    )
    rule = book().alerts[0]
    names = [f"Alert{n:02}" for n in range(40)]
    rules = tuple(replace(rule, name=name, expr="used >= 0", for_ms=0) for name in (*names, "Zoo"))
    zoo = replace(book().remedies["Full"], alert="Zoo")
    daemon = Daemon(
        cast(Means, means), Sight(Rulebook(rules, {"Zoo": zoo}, (), ""), Series(3_600_000), lambda: None, 1)
    )
    daemon.take([Sample("used", DISK, 5_000, 0.5)], 0)
    daemon._tell_peers(5_000)
    assert box.beat()["firing"] == ["Zoo", *names[:30], "and more"]

    box.say(tuple(names[:32]), "")
    assert box.beat()["firing"] == names[:32]
