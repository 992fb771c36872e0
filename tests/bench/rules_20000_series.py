"""What 100 and 1,000 rules over 20,000 series cost a round, here and in Prometheus on the same samples.

Ours is the processor time of this process: conditions, templates, the life of alerts. Prometheus' is that of
its process less what it uses without rules. Targets: 0.34 s for 1,000 rules, a third of Prometheus.
"""

from __future__ import annotations

import gc
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from statistics import mean

from debian_prometheus import find
from kafka_host import STEPS, Line, lines, rules
from prometheus_server import Server

from agent.alerts import Alerts
from agent.model import Sample
from agent.promql.labels import NAME, value_of, without
from agent.rulebook import load
from agent.series import Series

SIZES = (100, 1_000)
ROUNDS = 5  # measured; before them one that is not, in which everybody warms up
EVERY_S = 6  # between two rounds of Prometheus
_IDLE_S = 15
_AT_ONCE = 500  # series in a request
_LOOK_S = 0.5  # between two looks at Prometheus' counters, while it is idle too
_DEADLINE_S = 120
_DURATION = "prometheus_rule_group_duration_seconds"


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds of one round. `alerts`: how many were active after the last, which was at `at` (ms)."""

    cpu: float
    alerts: int
    at: int
    wall: float = 0.0
    first: float = 0.0


def main() -> None:
    """A line a figure; where no Prometheus is to be had, ours alone."""
    folder, why = find()
    now = _now()
    held = list(lines(now))
    with tempfile.TemporaryDirectory() as work:
        theirs = _theirs(str(folder / "prometheus"), Path(work), held) if folder else {}
        store = _store(held)
        for size in SIZES:
            own = _ours(store, Path(work), size, theirs[size].at if theirs else now)
            print(
                f"{size:5} rules, ours: CPU s a round             {own.cpu:8.3f}  (the first {own.first:.3f})"
            )
            if theirs:
                _compare(size, own, theirs[size])
    if not theirs:
        print(f"nothing to compare with: {why}")


def _compare(size: int, own: Cost, their: Cost) -> None:
    """Their figures, once it is sure that both did the same."""
    print(f"{size:5} rules, Prometheus: CPU s a round       {their.cpu:8.3f}  (took {their.wall:.3f} s)")
    print(
        f"{size:5} rules, Prometheus to ours              {their.cpu / own.cpu:8.1f}  ({own.alerts} alerts)"
    )
    if abs(own.alerts - their.alerts) > 0.01 * their.alerts:  # their instant is known to some milliseconds
        raise AssertionError(f"{own.alerts} alerts are active here, and {their.alerts} in Prometheus")


def _ours(store: Series, work: Path, size: int, last: int) -> Cost:
    """Rounds of the alerts, the last of them at `last`."""
    folder = work / f"ours-{size}"
    folder.mkdir()
    (folder / "alerts.yml").write_text(rules(size, f"{EVERY_S}s"))
    alerts = Alerts(load([folder], {}).rules)
    taken = []
    gc.collect()
    for at in range(last - ROUNDS * EVERY_S * 1000, last + 1, EVERY_S * 1000):
        began = time.process_time()
        alerts.evaluate(store, at, since=store.first_at)
        taken.append(time.process_time() - began)
    bad = [f"{each.rule.name} is {each.health}: {each.why}" for each in alerts.each() if each.why]
    assert not bad, bad[:5]
    return Cost(mean(taken[1:]), len(alerts.active()), last, first=taken[0])


def _store(held: Sequence[Line]) -> Series:
    """An hour, reading by reading, as an agent takes it."""
    store = Series(3_600_000)
    bare = [
        (value_of(labels, NAME), without(labels, {NAME}), times, values) for labels, times, values in held
    ]
    for step in range(STEPS):
        store.add(
            Sample(n, labels, int(times[step]), float(values[step])) for n, labels, times, values in bare
        )
    assert store.count == len(held)
    return store


def _theirs(program: str, work: Path, held: Sequence[Line]) -> dict[int, Cost]:
    with Server(program, work, f"{{rule_files: [{work}/rules.yml]}}") as server:
        for first in range(0, len(held), _AT_ONCE):
            server.write(held[first : first + _AT_ONCE])
        time.sleep(5)  # what writing left to do is not what resting costs
        idle = _at_rest(server)
        print(f"Prometheus {server.version}, {len(held)} series, no rules: CPU s a second {idle:8.3f}")
        return {size: _their_rounds(server, work, size, idle) for size in SIZES}


def _their_rounds(server: Server, work: Path, size: int, idle: float) -> Cost:
    (work / "rules.yml").write_text(rules(size, f"{EVERY_S}s"))
    server.reload()
    _await_rounds(server, 1)
    cpu, wall, began = server.cpu_seconds(), server.metric(f"{_DURATION}_sum"), time.monotonic()
    _await_rounds(server, ROUNDS)
    used = server.cpu_seconds() - cpu - idle * (time.monotonic() - began)
    took = server.metric(f"{_DURATION}_sum") - wall
    (group,) = server.api("rules")["groups"]
    at = datetime.fromisoformat(group["lastEvaluation"])
    return Cost(used / ROUNDS, len(server.api("alerts")["alerts"]), int(at.timestamp() * 1000), took / ROUNDS)


def _at_rest(server: Server) -> float:
    """Seconds of processor time in a second without rules."""
    began, cpu = time.monotonic(), server.cpu_seconds()
    while (passed := time.monotonic() - began) < _IDLE_S:
        server.metric(f"{_DURATION}_count")
        time.sleep(_LOOK_S)
    return (server.cpu_seconds() - cpu) / passed


def _await_rounds(server: Server, count: int) -> None:
    """Until so many more rounds have ended."""
    before, deadline = server.metric(f"{_DURATION}_count"), time.monotonic() + _DEADLINE_S
    while (done := server.metric(f"{_DURATION}_count") - before) < count:
        if time.monotonic() > deadline:
            raise AssertionError(f"Prometheus ended {done} of {count} rounds in {_DEADLINE_S} s")
        time.sleep(_LOOK_S)


def _now() -> int:
    return time.time_ns() // 1_000_000
