"""An alert that was restored, and whose metric comes no more, does not fire for ever."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import cast

from rule_files import ALERTS, REMEDIES, SPECS, write

from agent.daemon.sight import Sight
from agent.history import Incident
from agent.model import Alert, Sample
from agent.rulebook import load
from agent.series import Series

READ, HOUR = 15_000, 3_600_000
USED = "host_log_dir_used_ratio"


class Life:
    """One life of an agent that reads something, and the log dir's space or not."""

    def __init__(self, folder: Path, now: int, former: Sight | None = None) -> None:
        book = load([write(folder, alerts=ALERTS, remedies=REMEDIES)], SPECS)
        self.sight, self.now = Sight(book, Series(2 * HOUR), lambda: None, 1), now
        self.sight.series.want(self.sight.windows | {"up": HOUR})
        if former is not None:
            self.sight.resume(former.alerts.keep())

    def see(self, passed: int, *, space: bool, down: frozenset[str] = frozenset()) -> tuple[Alert, ...]:
        for _ in range(passed // READ):
            self.now += READ
            samples = [Sample("up", (), self.now, 1.0)]
            if space:
                samples.append(Sample(USED, (("path", "/d"),), self.now, 0.9))
            self.sight.judge(self.now, self.sight.take(samples, now=self.now), down)
        return self.sight.firing()


def test_it_ends_after_an_hour_and_its_incident_says_why(tmp_path: Path) -> None:
    """A log dir was taken out of the configuration, say, and the agent started again."""
    before = Life(tmp_path, 1_000_000)
    (alert,) = before.see(5 * 60_000, space=True)
    after = Life(tmp_path, before.now, before.sight)

    assert after.see(HOUR, space=False) == (alert,)
    assert after.see(10 * 60_000, space=False) == ()

    decision = SimpleNamespace(alert=alert.rule, labels=alert.labels)
    why = after.sight.end_of(cast(Incident, SimpleNamespace(decision=decision, opened_at=0)))
    assert why == f"its rule has been blind for 1h5m: nothing matches {USED}"


def test_it_is_held_while_its_source_does_not_answer(tmp_path: Path) -> None:
    """For that nobody can say that it comes no more."""
    before = Life(tmp_path, 1_000_000)
    (alert,) = before.see(5 * 60_000, space=True)
    after = Life(tmp_path, before.now, before.sight)
    assert after.see(3 * HOUR, space=False, down=frozenset({"host"})) == (alert,)
