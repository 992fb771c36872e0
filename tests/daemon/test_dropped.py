"""What the window store drops at its limit is told, each metric once."""

from __future__ import annotations

import pytest

from agent.daemon.sight import Sight
from agent.model import Sample, labels_of
from agent.rulebook import Rulebook
from agent.series import Series


def test_the_log_names_each_metric_once(caplog: pytest.LogCaptureFixture) -> None:
    """It goes on at each reading."""
    series = Series(3_600_000, limit=20)
    sight = Sight(Rulebook((), {}, (), "none"), series, lambda: None, 1)
    for at in (1, 2):
        for names in (["a"], ["b", "c"], [f"d{n:02}" for n in range(14)]):
            sight.take([Sample(name, labels_of({"n": f"{n}"}), at, 1.0) for name in names for n in range(30)])
    assert len(series.dropped) == 17
    told = [record.getMessage().partition(" of ")[2] for record in caplog.records]
    first = ", ".join(f"d{n:02}" for n in range(10))
    assert told == [
        "a; rules that read them are failing",
        "b, c; rules that read them are failing",
        f"{first} and 4 others; rules that read them are failing",
    ]
