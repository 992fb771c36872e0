"""The trace of an alert without a remedy: a line of the log as it begins and ends, and what `why` says."""

from __future__ import annotations

import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import stage
from msgspec.structs import replace
from rule_files import ALERTS, SPECS, write

from agent import report
from agent.commands import show
from agent.daemon import own_status
from agent.daemon.alert_log import LINES, LONGEST, MINUTE_MS, AlertLog
from agent.daemon.loop import Daemon
from agent.daemon.means import Means
from agent.daemon.sight import Sight
from agent.history import History
from agent.model import Alert, AlertState, Sample
from agent.rulebook import load
from agent.series import Series

START = 1_000_000


class Told:
    """A daemon over one rule without a remedy, whose disk is as full as it is told."""

    def __init__(self, folder: Path) -> None:
        self.now = START
        ledger = SimpleNamespace(history=History())
        self.means = cast(Means, SimpleNamespace(clock=lambda: self.now, control=None, ledger=ledger))
        sight = Sight(load([write(folder, alerts=ALERTS)], SPECS), Series(3_600_000), lambda: None, 1)
        self.daemon = Daemon(self.means, sight)

    async def see(self, used: float, after_ms: int) -> None:
        """A reading so much later, and the round that follows."""
        self.now += after_ms
        self.daemon.take([Sample("host_log_dir_used_ratio", (("path", "/d1"),), self.now, used)], 0)
        await self.daemon._round()

    def why(self, subject: str = "LogDirFillingUp") -> dict[str, Any]:
        """What a person is told."""
        live = own_status.live(self.means, self.daemon.sight, self.daemon.alert_log, ())
        return report.why(History(), (), subject, self.now, live)


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """What an agent logs."""
    caplog.set_level(logging.INFO, "agent.daemon.alert_log")
    return caplog


async def test_an_alert_without_a_remedy_leaves_a_trace(
    tmp_path: Path, lines: pytest.LogCaptureFixture
) -> None:
    told = Told(tmp_path)
    await told.see(0.9, 0)
    await told.see(0.9, 20_000)
    (stands,) = told.why()["stands"]
    assert stands == (
        "alert LogDirFillingUp is pending for path=/d1 (value 0.9), for 20s now;"
        " it fires in 40s, if that stays so"
    )
    (waits,) = told.why("/d1")["pending"]
    assert (waits["since"], waits["fires_at"]) == (START, START + 60_000)
    assert lines.messages == []

    await told.see(0.95, 40_000)
    await told.see(0.5, 30_000)
    assert lines.messages == [
        "alert LogDirFillingUp fires for path=/d1 (value 0.95)",
        "alert LogDirFillingUp fires no more for path=/d1; it did for 30s (last value 0.95)",
    ]
    told.now += 10_000
    answer = told.why()
    assert answer["stands"] == [
        "rule LogDirFillingUp is ok and its expression has no result: there is nothing to heal",
        "alert LogDirFillingUp fired for path=/d1 until 10s ago; it had for 30s (last value 0.95)",
    ]
    (over,) = answer["fired"]
    assert (over["began_at"], over["ended_at"]) == (START + 60_000, START + 90_000)
    assert over["labels"] == {"alertname": "LogDirFillingUp", "path": "/d1"}
    begin, end = (show.when(over[at], told.now) for at in ("began_at", "ended_at"))
    assert f"  LogDirFillingUp from {begin} until {end} for path=/d1" in show.why(answer, told.now)
    assert told.why("/d1")["known"], "though nothing has this label any more"
    assert told.why("/d2")["fired"] == []


async def test_an_alert_that_its_remedy_does_not_choose_is_told_as_such(tmp_path: Path) -> None:
    told = Told(tmp_path)
    remedy = replace(stage.book().remedies["Full"], match=(("starved", "yes"),))
    await told.see(0.9, 0)
    await told.see(0.9, 60_000)
    sight = told.daemon.sight
    sight.book = replace(sight.book, remedies={"LogDirFillingUp": remedy})
    (stands,) = told.why()["stands"]
    assert stands.endswith("; its remedy is for starved=yes only, so nothing is done")


def firing(path: str) -> Alert:
    """One alert."""
    return Alert("Full", (("path", path),), AlertState.FIRING, 0, 1)


def test_a_storm_fills_no_log(lines: pytest.LogCaptureFixture) -> None:
    """Nor does one that comes and goes with each round; all are counted within a minute."""
    log, storm = AlertLog(), [firing(str(n)) for n in range(10_000)]
    for second in range(10):
        log.look(storm if second % 2 == 0 else [], START + second * 1_000)
    assert len(lines.messages) == LINES

    log.look([], START + MINUTE_MS)
    assert lines.messages[LINES:] == [f"and {10 * 10_000 - LINES} more alerts that began or ended"]
    log.look([firing("/d")], START + MINUTE_MS + 1_000)
    assert lines.messages[-1] == "alert Full fires for path=/d (value 1)"


def test_a_label_writes_no_line_of_its_own(lines: pytest.LogCaptureFixture) -> None:
    AlertLog().look([firing("a\n2026 INFO all is well\x1b[2J"), firing("x" * 10_000)], START)
    assert lines.messages[0] == "alert Full fires for path=a\\x0a2026 INFO all is well\\x1b[2J (value 1)"
    assert len(lines.messages[1]) == LONGEST
