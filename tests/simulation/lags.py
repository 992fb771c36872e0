"""Replicas that fall behind in the simulated cluster: what its agents see, and what they claim for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from agent.control.state import Limit
from agent.kafka.metadata import PartitionInfo
from agent.model import AlertRule, Limits, Mode, Place, Rate, Remedy, Sample, Step, Verify, labels_of
from agent.rulebook import Rulebook
from simulation.schedules import Event

GHOST = 90  # a broker without an agent, which follows what one that is alone leads
TOPICS = 3
WITHIN, STABLE = 6_000, 1_000  # ms, of a verification
LEASES = {"Behind": 4_000, "Far": 11_000, "Slow": None}  # ms; without one it is undone once it has helped
PLACE = Place("simulated", 1, 1)


def metric(alert: str) -> str:
    """What tells how far behind broker and topic are."""
    return f"kafka_admin_{alert.lower()}"


def book() -> Rulebook:
    """One rule for each kind of lag, and one throttle for each."""
    rules, remedies = [], {}
    for alert in sorted(LEASES):
        name = metric(alert)
        rules.append(AlertRule(alert, f"{name} > 0", 0, 0, (), (), "simulated", PLACE))
        check = Verify(f'{name}{{topic="$topic"}} < 1', WITHIN, STABLE)
        step = Step("throttle_replication", (("rate", 1 << 21),), LEASES[alert], check, PLACE)
        limits = Limits(cooldown_ms=3_000, per_host=Rate(100, 60_000), max_targets=9)
        remedies[alert] = Remedy(alert, "sre", Mode.ACT, "broker", (), (step,), limits, None, PLACE)
    return Rulebook(tuple(rules), remedies, (), "simulated")


BOOK = book()


@dataclass(frozen=True, slots=True)
class Lag:
    """One broker's replica of one topic."""

    alert: str
    node: int
    topic: str
    begins: float
    ends: float


class Lags:
    """All that have begun (in place of simulation.problems.Problems)."""

    book: ClassVar[Rulebook] = BOOK

    def __init__(self, now: Callable[[], float], brokers: tuple[int, ...]) -> None:
        self.now = now
        self._brokers = brokers
        self._all: list[Lag] = []

    def add(self, event: Event) -> None:
        """A `problem` event."""
        topic = f"t{event.number % TOPICS}"
        self._all.append(Lag(event.word, event.node, topic, event.at, event.at + event.lasts))

    def end(self) -> None:
        """No symptom is left."""
        self._all.clear()

    def _active(self) -> list[Lag]:
        now = self.now()
        return [lag for lag in self._all if lag.begins <= now < lag.ends]

    def samples(self, node: int, at: int) -> list[Sample]:
        """What the broker's agent reads of itself; 0 where nothing is behind."""
        behind = {(lag.alert, lag.topic) for lag in self._active() if lag.node == node}
        found = [Sample("ottla_source_up", labels_of({"source": "cluster"}), at, 1.0)]
        for alert in sorted(LEASES):
            for number in range(TOPICS):
                labels = labels_of({"topic": f"t{number}", "broker": str(node)})
                found.append(Sample(metric(alert), labels, at, float((alert, f"t{number}") in behind)))
        return found

    def partitions(self) -> tuple[PartitionInfo, ...]:
        """The partitions that are not in sync; each broker's lag is of a partition of its number, which the
        next broker leads, or of one that it leads itself."""
        found = {}
        for lag in self._active():
            other = self._brokers[(self._brokers.index(lag.node) + 1) % len(self._brokers)]
            leads = other == lag.node or lag.alert == "Slow"
            other = GHOST if other == lag.node else other
            leader = lag.node if leads else other
            found[lag.topic, lag.node, leads] = PartitionInfo(
                lag.topic, lag.node + 100 * leads, lag.topic, leader, (lag.node, other), (leader,), (), ()
            )
        return tuple(found[key] for key in sorted(found))


@dataclass(frozen=True, slots=True)
class Throttle:
    """For what an effect of the daemon is (simulation.invariants.Cause)."""

    name: str
    kind: str
    scopes: tuple[str, ...]

    @property
    def limit(self) -> Limit | None:
        """None."""
        return None

    @property
    def local(self) -> bool:
        """It goes through the controller."""
        return False
