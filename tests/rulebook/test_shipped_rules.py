"""What the shipped rules see, on samples: when they fire and, more important, when they do not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from rule_files import SPECS

from agent.alerts import Alerts
from agent.model import AlertState, Sample, labels_of
from agent.rulebook import load
from agent.series import Series

BOOK = load([Path(__file__).parents[2] / "rules"], SPECS)
START = 1_800_000_000_000
STEP = 15_000
LAG = "kafka_server_replicafetchermanager_maxlag"
FOLLOWER = "follower.replication.throttled.rate"
LEADER = "leader.replication.throttled.rate"
Values = Callable[[int], float]  # seconds since the start → value


def firing(name: str, minutes: int, **series: Values) -> list[dict[str, str]]:
    """The labels of what fires after some minutes of these series, scraped every 15 s."""
    alerts = Alerts([rule for rule in BOOK.alerts if rule.name == name])
    store = Series(3_600_000)
    for at in range(START, START + minutes * 60_000 + 1, STEP):
        store.add(_samples(series, at))
        alerts.evaluate(store, at, None, since=store.first_at)
    assert alerts.why(name) == ""
    return [dict(alert.labels) for alert in alerts.active() if alert.state is AlertState.FIRING]


def _samples(series: dict[str, Values], at: int) -> Iterator[Sample]:
    seconds = (at - START) // 1000
    known = {
        "reassigning": ("kafka_admin_reassigning_partitions", {}),
        "missing": ("kafka_server_replicamanager_underreplicatedpartitions", {}),
        "fenced": ("kafka_admin_fenced_brokers", {}),
        "out_of_sync": ("kafka_admin_out_of_sync_replicas", {}),
        "lag": (LAG, {"clientId": "Replica"}),
        "fetched": ("kafka_server_brokertopicmetrics_replicationbytesin_total", {}),
        "follower": ("kafka_admin_throttle_bytes_per_second", {"key": FOLLOWER}),
        "leader": ("kafka_admin_throttle_bytes_per_second", {"key": LEADER}),
        "used": ("host_log_dir_used_ratio", {"path": "/d1"}),
    }
    for what, value in series.items():
        name, labels = known[what]
        yield Sample(name, labels_of(labels), at, value(seconds))


def always(value: float) -> Values:
    """A series that never changes."""
    return lambda _: value


def test_a_log_dir_over_85_percent_fires_after_a_minute_and_names_the_dir() -> None:
    """The label is what the remedy's `$path` stands for."""
    (alert,) = firing("LogDirFillingUp", 2, used=always(0.86))
    assert alert["path"] == "/d1"
    assert firing("LogDirFillingUp", 2, used=always(0.85)) == []


@pytest.mark.parametrize(
    ("lag", "fires"),
    [
        (always(50_000), True),  # flat: it starves
        (lambda s: 50_000 + 10 * s, True),  # starves, and falls behind further
        (lambda s: 50_000 + 500 * (s // 15 % 2), True),  # noise around flat
        (lambda s: 5_000_000 - s, True),  # would take two months
        (lambda s: 700_000 - 1_000 * s, False),  # the throttle does its work
        (always(0), False),  # what is out of sync is not fetched: its log dir is offline, say
        (lambda s: (s // 15 % 3) * 300, False),  # noise around in sync
    ],
)
def test_a_follower_starves_on_a_throttle_unless_its_lag_falls(lag: Values, fires: bool) -> None:
    """One alert a broker, whichever sides are throttled; not of replicas that are in sync all the same."""
    name = "LeftoverReplicationThrottle"
    series = {"follower": always(1000), "leader": always(1000), "reassigning": always(0), "lag": lag}
    series |= {"missing": always(0), "fenced": always(0)}
    alerts = firing(name, 8, out_of_sync=always(1), **series)
    assert [alert["starved"] for alert in alerts] == ["yes"] * fires
    assert firing(name, 8, out_of_sync=always(0), **series) == []


def test_a_throttle_on_which_nothing_starves_is_told_after_half_an_hour_whatever_the_lag() -> None:
    """Somebody may be about to begin what it is for; a busy broker's lag is no sign of that."""
    name = "LeftoverReplicationThrottle"
    for lag in (always(0), lambda s: 5_000 + 2_000 * (s // 15 % 3)):
        series = {"leader": always(-1), "reassigning": always(0), "out_of_sync": always(0), "lag": lag}
        assert firing(name, 29, follower=always(1000), **series) == []
        assert [each["starved"] for each in firing(name, 31, follower=always(1000), **series)] == ["unsure"]


@pytest.mark.parametrize("out_of_sync", [0, 1])
def test_a_throttle_is_not_left_over_while_partitions_are_reassigned_or_where_none_is_set(
    out_of_sync: int,
) -> None:
    """A reassignment's own throttle is not ours to judge."""
    name = "LeftoverReplicationThrottle"
    quiet = {"lag": always(50_000), "leader": always(-1), "out_of_sync": always(out_of_sync)}
    quiet |= {"missing": always(2), "fenced": always(0)}
    assert firing(name, 35, follower=always(1000), reassigning=always(3), **quiet) == []
    assert firing(name, 35, follower=always(-1), reassigning=always(0), **quiet) == []


def test_a_storm_is_a_high_rate_and_a_lag_and_no_reassignment() -> None:
    """Any two of the three are an ordinary day."""
    name = "ReplicaCatchUpStorm"
    fast, slow = (lambda s: 100e6 * s), (lambda s: 10e6 * s)
    behind, level, calm = always(50_000), always(10), always(0)
    assert len(firing(name, 3, fetched=fast, lag=behind, reassigning=calm)) == 1
    assert firing(name, 3, fetched=slow, lag=behind, reassigning=calm) == []
    assert firing(name, 3, fetched=fast, lag=level, reassigning=calm) == []
    assert firing(name, 3, fetched=fast, lag=behind, reassigning=always(1)) == []
