"""What is seen at one instant: the samples, the alerts and a peer's view, put before gate and verify."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from agent.alerts import Alerts
from agent.decide import fill
from agent.gate import Scene, World
from agent.history import History
from agent.model import (
    ActionSpec,
    Alert,
    AlertState,
    Decision,
    Labels,
    Policy,
    Refusal,
    Remedy,
    RuleHealth,
    Sample,
)
from agent.promql import EvaluationError, compile, evaluate  # noqa: A004  the engine's word, as in Prometheus
from agent.rulebook import Rulebook
from agent.series import Series
from agent.verify import View

_PREFIXES = (("host_", "host"), ("log_", "logs"), ("kafka_admin_", "cluster"), ("ottla_", "agent"))

_DEEPEST = 20  # recording rules that read recording rules
RETURN_MS = 60_000  # what a broker that came back needs until its replicas are in sync again


def source_of(name: str) -> str:
    """Which source a series comes from, by its name's prefix."""
    return next((source for prefix, source in _PREFIXES if name.startswith(prefix)), "jmx")


@dataclass(frozen=True, slots=True)
class Local:
    """What the agent knows of itself at this instant."""

    node_id: int
    policy: Policy
    started_at: int
    stop_file: str | None = None
    control: str = ""
    peers: Mapping[str, frozenset[str]] = field(default_factory=dict)


class Sight:
    """Series and alerts of the rules in force. `world` gives the newest view of the cluster, or None.

    `origin` gives the name that a source has for a series which rules name otherwise.
    """

    def __init__(
        self,
        book: Rulebook,
        series: Series,
        world: Callable[[], World | None],
        node_id: int,
        restored: Sequence[Alert] = (),
        origin: Callable[[str], str] = str,
    ) -> None:
        self.book = book
        self._origin = origin
        self._node_id = node_id
        self.alerts = Alerts(book.rules)
        self.alerts.restore(restored)
        self.series = series
        self.world = world
        self._expressions = {rule.name: compile(rule.expr) for rule in book.alerts}
        self._newest: dict[str, int] = {}
        self._down: frozenset[str] = frozenset()
        self._away_at: int | None = None  # when the own broker was last seen fenced
        self._made = _made(book)
        self.names = frozenset[str]().union(*map(_names, _expressions(book))) | self._made.keys()

    def take(self, samples: Sequence[Sample], now: int, down: frozenset[str]) -> None:
        """New samples wake just the rules that read them. `down`: the sources that do not answer."""
        names = self.series.add(samples)
        for sample in samples:
            self._newest[sample.name] = max(sample.at, self._newest.get(sample.name, 0))
        self.judge(now, names, down)

    def judge(self, now: int, names: frozenset[str] | None, down: frozenset[str]) -> None:
        """Evaluate the rules that read `names`; None: all of them."""
        self._down = down
        silent = frozenset(n for n in self.alerts.names if down.intersection(self._sources(n)))
        self.alerts.evaluate(
            self.series, now, names, since=self.series.first_at, down=silent, record=self._record
        )

    def _record(self, samples: Sequence[Sample]) -> None:
        """What recording rules gave is read like any other series."""
        self.series.add(samples)
        for sample in samples:
            self._newest[sample.name] = max(sample.at, self._newest.get(sample.name, 0))

    def scene(
        self, decision: Decision, spec: ActionSpec, history: History, now: int, local: Local
    ) -> Scene | Refusal:
        """Everything the gate may look at but the plan; a Refusal where the remedy is gone from the rules."""
        remedy = self.book.remedies.get(decision.alert)
        if remedy is None:
            return Refusal("mode", f"the rules have no remedy for {decision.alert} any more")
        health = self.alerts.health(decision.alert)
        return Scene(
            now=now,
            decision=decision,
            remedy=remedy,
            spec=spec,
            policy=local.policy,
            history=history,
            node_id=local.node_id,
            agent_started_at=local.started_at,
            stop_file=local.stop_file,
            health=health,
            health_reason="" if health is RuleHealth.OK else self.alerts.why(decision.alert),
            signals=self._signals(decision.alert),
            patients=self._patients(remedy),
            unless=self._objections(remedy, decision.labels, now),
            peers=local.peers,
            world=self.world(),
            control=local.control,
        )

    def view(self, decision: Decision, done_at: int | None, now: int) -> View:
        """What tells whether the action helped."""
        world = self.world()
        check = decision.verify
        rule = self._expressions.get(decision.alert)
        return View(
            now=now,
            holds=check is not None and done_at is not None and self._holds(check.expr, done_at, now),
            value=next((a.value for a in self.alerts.active() if a.labels == decision.labels), None),
            threshold=rule.threshold if rule else None,
            worse_if=decision.worse_if is not None and self._has_result(decision.worse_if, now),
            offline=world.offline if world else None,
            under_min_isr=world.under_min_isr if world else None,
            returning=self._returning(world, now),
        )

    def _returning(self, world: World | None, now: int) -> bool:
        if world is not None and self._node_id in world.fenced:
            self._away_at = now
        return self._away_at is not None and now - self._away_at < RETURN_MS

    def firing(self) -> tuple[Alert, ...]:
        """What fires now."""
        return tuple(a for a in self.alerts.active() if a.state is AlertState.FIRING)

    def _holds(self, expr: str, done_at: int, now: int) -> bool:
        """A result that rests on samples taken after the action: an old sample proves nothing."""
        expression = compile(expr)
        if expression.nameless:  # which samples it would rest on nobody can say
            return False
        names = expression.names
        fresh = all(self._newest.get(n, 0) > done_at and self._source(n) not in self._down for n in names)
        return fresh and self._has_result(expr, now)

    def _source(self, name: str) -> str:
        return source_of(self._origin(name))

    def _has_result(self, expr: str, now: int) -> bool:
        try:
            return bool(evaluate(compile(expr), self.series, now))
        except EvaluationError:
            return False  # what cannot be judged neither heals nor condemns

    def _objections(self, remedy: Remedy, labels: Labels, now: int) -> tuple[str, ...]:
        filled = (fill(text, labels) for text in remedy.unless)
        return tuple(text for text in filled if self._has_result(text, now))

    def _patients(self, remedy: Remedy) -> int:
        return len({a.label(remedy.target) for a in self.firing() if a.rule == remedy.alert})

    def _signals(self, rule: str) -> frozenset[str]:
        expression = self._expressions.get(rule)
        if expression is None:
            return frozenset()
        return frozenset(source for name in expression.names for source in self._sources(name))

    def _sources(self, name: str, depth: int = 0) -> Iterator[str]:
        """Where a series comes from in the end: a recorded one is no source of its own."""
        if name not in self._made or depth > _DEEPEST:
            yield self._source(name)
            return
        for each in self._made[name]:
            yield from self._sources(each, depth + 1)


def _expressions(book: Rulebook) -> Iterator[str]:
    """Every expression that may be evaluated: what they read is what the sources are asked for."""
    yield from (rule.expr for rule in book.rules)
    for remedy in book.remedies.values():
        yield from remedy.unless
        yield from filter(None, (remedy.worse_if, *(s.verify.expr for s in remedy.steps if s.verify)))


def _made(book: Rulebook) -> Mapping[str, frozenset[str]]:
    """What the recording rules of each name read."""
    made: dict[str, frozenset[str]] = {}
    for rule in book.records:
        made[rule.name] = made.get(rule.name, frozenset()) | _names(rule.expr)
    return made


def _names(text: str) -> frozenset[str]:
    return compile(text).names
