"""An alert that was restored, and whose metric comes no more, does not fire for ever."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import msgspec
from rule_files import ALERTS, REMEDIES, SPECS, write

from agent.alerts import Kept
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
            kept = msgspec.msgpack.encode(former.alerts.keep())
            self.sight.resume(msgspec.msgpack.decode(kept, type=tuple[Kept, ...]))

    def reload(self) -> None:
        """The same rules once more."""
        former, self.sight = self.sight, Sight(self.sight.book, self.sight.series, lambda: None, 1)
        self.sight.follow(former, self.now)

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


def test_a_failed_reading_or_a_reload_each_hour_keeps_it_no_longer(tmp_path: Path) -> None:
    """Else one of them would keep it for ever."""
    life = Life(tmp_path, 1_000_000)
    life.see(5 * 60_000, space=True)
    life.see(5 * 60_000, space=False)  # until nothing matches any more
    life.see(30 * 60_000, space=False)
    life.see(READ, space=False, down=frozenset({"host"}))
    life.see(20 * 60_000, space=False)
    life.reload()
    assert life.see(14 * 60_000, space=False)
    assert life.see(60_000 + 4 * READ, space=False) == ()


def test_the_time_in_which_it_could_not_be_read_does_not_count(tmp_path: Path) -> None:
    """Nor does a restart, and all that was seen before them does."""
    life = Life(tmp_path, 1_000_000)
    life.see(5 * 60_000, space=True)
    life.see(45 * 60_000, space=False)
    life.see(3 * HOUR, space=False, down=frozenset({"host"}))
    after = Life(tmp_path, life.now + 30 * 60_000, life.sight)
    assert after.see(24 * 60_000, space=False)
    assert after.see(2 * 60_000, space=False) == ()


def test_a_value_begins_it_anew(tmp_path: Path) -> None:
    life = Life(tmp_path, 1_000_000)
    life.see(5 * 60_000, space=True)
    life.see(HOUR, space=False)
    life.see(READ, space=True)
    assert life.see(HOUR, space=False)
    assert life.see(11 * 60_000, space=False) == ()


def test_a_clock_that_is_set_forward_passes_no_time(tmp_path: Path) -> None:
    life, set_by = Life(tmp_path, 1_000_000), 0
    life.sight.steady = lambda: life.now - set_by
    life.see(5 * 60_000, space=True)
    life.see(HOUR, space=False)
    life.now, set_by = life.now + 3 * HOUR, 3 * HOUR
    assert life.see(9 * 60_000, space=False)
    assert life.see(2 * 60_000, space=False) == ()
