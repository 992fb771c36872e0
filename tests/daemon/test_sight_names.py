"""Series that rules name otherwise, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace
from rule_files import ALERTS, REMEDIES, SPECS, write

from agent.daemon.freshness import Freshness
from agent.daemon.sight import Sight
from agent.model import AlertState, Decision, RuleHealth, Sample, Verify
from agent.rulebook import load
from agent.series import Series
from agent.sources.name_files import shipped
from agent.sources.names import Alias, Names

DISK = (("path", "/d"),)
DRAIN = Decision("i", "LogDirFillingUp", 0, "drain_disk", (), "/d", DISK, 0.9)


def sight_of(folder: Path, expr: str, names: Names | None = None) -> Sight:
    """One rule with this expression, and its remedy."""
    alerts = ALERTS.replace("host_log_dir_used_ratio > 0.85", f"'{expr}'").replace("for: 1m", "for: 0s")
    book = load([write(folder, alerts=alerts, remedies=REMEDIES)], SPECS)
    series = Series(3_600_000)
    sight = Sight(book, series, lambda: None, 1, origin=(names or shipped()).origin)
    series.want({"host_log_dir_used_ratio": 3_600_000} | sight.windows)
    return sight


def test_an_alias_is_of_the_source_of_what_it_stands_for(tmp_path: Path) -> None:
    """Another name makes no second signal, and is judged by the source that reads it."""
    names = Names(shipped().metrics, {"disk": Alias("host_log_dir_used_ratio")})
    sight = sight_of(tmp_path, "disk > 0.85", names)
    samples = [Sample("disk", DISK, at, 0.9) for at in range(15_000, 600_000, 15_000)]

    sight.judge(600_000, sight.take(samples), frozenset({"jmx"}))
    assert sight.alerts.health("LogDirFillingUp") is RuleHealth.OK
    sight.judge(601_000, None, frozenset({"host"}))
    assert sight.alerts.health("LogDirFillingUp") is RuleHealth.FAILING


@pytest.mark.parametrize("expr", ['{__name__=~"host_log_dir_.*"} > 0.85', '{path="/d"} > 0.85'])
def test_a_rule_without_a_name_reads_what_the_store_holds(tmp_path: Path, expr: str) -> None:
    """Nothing is fetched for it; it is judged once an interval and not with each sample."""
    sight = sight_of(tmp_path, expr)
    assert sight.alerts.names == frozenset()

    sight.judge(1, None, frozenset())
    samples = [Sample("host_log_dir_used_ratio", DISK, at, 0.9) for at in range(15_000, 600_000, 15_000)]
    sight.judge(600_000, sight.take(samples), frozenset())
    sight.judge(600_000, None, frozenset())

    assert [alert.state for alert in sight.alerts.active()] == [AlertState.FIRING]


def test_a_verify_without_a_name_proves_nothing(tmp_path: Path) -> None:
    """Which samples it rests on cannot be told, so neither that they are newer than the action."""
    sight = sight_of(tmp_path, "host_log_dir_used_ratio > 0.85")
    sight.judge(500_000, sight.take([Sample("host_log_dir_used_ratio", DISK, 500_000, 0.9)]), frozenset())

    def holds(expr: str) -> bool:
        stood = Freshness(400_000, -1)
        return sight.view(replace(DRAIN, verify=Verify(expr, 1, 0)), stood, stood, 500_000).holds

    assert holds('host_log_dir_used_ratio{path="/d"} > 0')
    assert not holds('{path="/d"} > 0')
