"""What is seen at one instant: the samples, the alerts and a peer's view, put before gate and verify."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial

from msgspec import Struct, field
from msgspec.structs import replace

from agent.alerts import Alerts, Finding, Ground, Kept, Turn, judge, lost
from agent.daemon.asked import Asked
from agent.daemon.freshness import NEVER, Freshness, Taken
from agent.daemon.origins import Down, Giving, Origins, from_jmx
from agent.decide import fill, is_given, selects
from agent.gate import Around, Scene, World
from agent.history import History, Incident
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
from agent.promql import EvaluationError, evaluate
from agent.promql.labels import NAME, without
from agent.promql.vectors import STALE
from agent.rulebook import Rulebook
from agent.rulebook.compiled import compiled
from agent.rulebook.windows import LEAST_MS, windows, windows_of
from agent.series import Series, Touched
from agent.verify import View

log = logging.getLogger(__name__)
IDLE_MS = 15_000  # a rule that no sample wakes is judged all the same: absence shows only in time
RETURN_MS = 60_000  # what a broker that came back needs until its replicas are in sync again


def judged_by(decisions: Iterable[Decision]) -> Iterator[str]:
    """The expressions that tell whether these have helped."""
    for one in decisions:
        yield from filter(None, (one.worse_if, one.verify and one.verify.expr))


class Local(Struct, frozen=True):
    """What the agent knows of itself at this instant."""

    node_id: int
    policy: Policy
    started_at: int
    stop_file: str | None = None
    control: str = ""
    peers: Mapping[str, frozenset[str]] = field(default_factory=dict)


class Sight:
    """Series and alerts of the rules in force. `world` gives the newest view of the cluster, or None.

    `origin` gives the name that a source has for a series which rules name otherwise, `giving` the sources of
    a name that has no prefix of ours. `steady` tells the ms of a clock that nobody sets,
    where there is one: without it nobody can say that the wall clock was set forward.
    """

    def __init__(
        self,
        book: Rulebook,
        series: Series,
        world: Callable[[], World | None],
        node_id: int,
        origin: Callable[[str], str] = str,
        giving: Giving = from_jmx,
    ) -> None:
        self.book = book
        self._node_id = node_id
        self.steady: Callable[[], float] = lambda: math.nan
        self.alerts = Alerts(book.rules, IDLE_MS)
        self.series = series
        self.world = world
        self._newest: dict[str, Taken] = {}  # by name: from which instant the data that it rests on are
        self.down: Down = frozenset()
        self._away_at: int | None = None  # when the own broker was last seen fenced
        self._origins = Origins(book, origin, giving)
        self._asked = Asked(self._origins)
        self._changed: frozenset[str] = frozenset()  # alerts whose state the rules before these took along
        self._in_force_since = 0
        self._alert_names = frozenset(rule.name for rule in book.alerts)
        self.names = self._origins.names | self._origins.recorded.keys()
        self.windows = dict.fromkeys(self.names, LEAST_MS) | windows(book)  # how long each is to be kept

    def resume(self, kept: Sequence[Kept]) -> None:
        """Go on after a restart with what was known before it."""
        self.alerts.restore(kept, unseen=True)

    def follow(self, former: Sight, now: int) -> None:
        """Take the place of other rules: alerts of rules that stay as they are go on, the series end that
        only the former rules recorded."""
        kept = former.alerts.keep()
        self.alerts.restore(kept, unseen=False)
        gone = lost(kept, self.book.rules)
        self._changed, self._in_force_since = frozenset(each.name for each in gone if each.alerts), now
        self._newest, self.down, self._away_at = former._newest, former.down, former._away_at
        self._asked.follow(former._asked)
        self._asked.ask(self.names - former.names, self.steady())
        ended = ((each.name, labels) for each in gone for labels in each.written)
        self.series.add(Sample(name, without(labels, {NAME}), now, STALE) for name, labels in ended)

    def keep_judging(self, decisions: Iterable[Decision]) -> None:
        """Read what verifies these, too: what has begun goes on as other rules decided it."""
        more = windows_of(judged_by(decisions))
        self.names |= more.keys()
        self.windows |= {name: max(back, self.windows.get(name, back)) for name, back in more.items()}

    def end_of(self, incident: Incident) -> str:
        """Why its alert fires no more: it may be the rules that are others."""
        name, labels = incident.decision.alert, incident.decision.labels
        remedy = self.book.remedies.get(name)
        if name not in self._alert_names:
            return "its rule was removed"
        if remedy is None or not selects(remedy, labels):
            return "its remedy was removed"
        if name in self._changed and incident.opened_at < self._in_force_since:
            return "its rule was changed, and as it is now it does not fire"
        return self.alerts.given_up(name, labels) or "the alert ended"

    def take(self, samples: Sequence[Sample], ran: float = 0, now: int | None = None) -> Touched:
        """Keep new samples of a reading that began at `ran`; the metrics whose readers are to be judged.
        `now`: what the clock says."""
        if now is not None:
            self._look_at_clock(now)
        self._asked.hear(samples, ran)
        touched = self.series.add(samples)
        for name in self.series.cut():
            self._newest.pop(name, None)
        for sample in samples:
            if sample.at > self._newest.get(sample.name, NEVER).at and sample.name in touched.names:
                self._newest[sample.name] = Taken(sample.at, ran)
        return touched

    def _look_at_clock(self, now: int) -> None:
        """Where it was set back, nothing that was seen counts any more: how old it is nobody can say.
        Where it was set forward, nobody has looked for longer by that."""
        by_ms = self.series.see(now, self.steady())
        if not by_ms:
            return
        log.warning(
            "the clock was set %s: rules are cold until samples have come again for as long as needed",
            "back" if by_ms < 0 else "forward",
        )
        self._asked.ask(self.names, self.steady())
        if by_ms < 0:
            self._newest.clear()
        if self._away_at is not None:
            self._away_at = min(self._away_at + max(by_ms, 0), now)
        self.alerts.begin_anew(max(by_ms, 0))

    def given_by(self, down: Down) -> frozenset[str]:
        """The names that rest on one of these."""
        return self._origins.named_by(down, self.names)

    def begin(self, now: int, touched: Touched | None, down: Down) -> tuple[Ground, Turn]:
        """A turn of the rules that read what was `touched` (None: of all), and what they are judged on."""
        self._look_at_clock(now)
        self.down = down
        return self.ground(), self.alerts.begin(now, touched)

    def judge(self, now: int, touched: Touched | None, down: Down) -> None:
        """Judge them all at once, here."""
        ground, turn = self.begin(now, touched, down)
        while (task := self.alerts.next(turn)) is not None:
            self.learn(judge(task, ground), turn)

    def ground(self) -> Ground:
        """What rules are judged on now."""
        down = self.given_by(self.down)
        ground = self.alerts.ground(self.series, self.series.first_at, down)
        series = self.series
        return replace(
            ground, later=series.later, incomplete=series.incomplete, shortened=series.shortened_until
        )

    def learn(
        self, finding: Finding, turn: Turn | None = None, took_s: float | None = None
    ) -> frozenset[str]:
        """Take a finding: what a recording rule gave is read like any other series. The metrics of which that
        changed something: not only its own, as others give way to new series."""
        samples = self.alerts.take(finding, turn, took_s)
        changed = self.series.add(samples).changed
        if turn is not None:
            self.alerts.disturb(changed - {finding.task.rule.name}, turn)
        if samples:  # it is no fresher than the oldest of what it rests on
            name = finding.task.rule.name
            rests_on = [self._newest.get(each, NEVER) for each in self._origins.recorded[name]]
            at = min((each.at for each in rests_on), default=finding.task.now)
            self._newest[name] = Taken(at, min((each.ran for each in rests_on), default=math.inf))
        return changed

    def scene(
        self, decision: Decision, spec: ActionSpec, history: History, now: int, local: Local
    ) -> Scene | Refusal:
        """Everything the gate may look at but the plan; a Refusal where the remedy is gone from the rules."""
        remedy = self.book.remedies.get(decision.alert)
        if remedy is None or not selects(remedy, decision.labels):
            return Refusal("mode", f"the rules have no remedy for {decision.alert} any more")
        which = decision.alert, decision.labels
        health = self.alerts.health(*which)
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
            health_reason="" if health is RuleHealth.OK else self.alerts.why(*which),
            signals=self._origins.of(self.alerts.expression(*which)),
            patients=self._patients(remedy),
            unless=self._objections(remedy, decision.labels, now),
            peers=local.peers,
            world=self.world(),
            control=local.control,
            given=is_given(decision, remedy),
        )

    def around(
        self, decision: Decision, spec: ActionSpec, history: History, now: int, local: Local
    ) -> Around:
        """What the gate looks at once more when it has begun, whatever rules are in force now."""
        return Around(
            now=now,
            decision=decision,
            spec=spec,
            history=history,
            node_id=local.node_id,
            stop_file=local.stop_file,
            peers=local.peers,
            world=self.world(),
        )

    def view(
        self, decision: Decision, began: Freshness, stood: Freshness | None, now: int, ran: float = -math.inf
    ) -> View:
        """What tells whether the action helped since it `stood`, which is None until then, or did harm since
        it `began`; `ran`: what their clock says."""
        world = self.world()
        check = decision.verify
        known = decision.alert in self._alert_names
        rule = self.alerts.expression(decision.alert, decision.labels) if known else None
        return View(
            now=now,
            holds=stood is not None and check is not None and self._holds(check.expr, stood, now),
            value=next((a.value for a in self.alerts.active() if a.labels == decision.labels), None),
            threshold=rule.threshold if rule else None,
            worse_if=decision.worse_if is not None and self._is_worse(decision.worse_if, began, now, ran),
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

    def _holds(self, expr: str, fresh: Freshness, now: int) -> bool:
        """A result that rests on samples taken after the action: an old sample proves nothing."""
        expression = compiled(expr)
        if expression.nameless:  # which samples it would rest on nobody can say
            return False
        new = [self._is_fresh(name, fresh, now) for name in expression.names]
        return not self._origins.silent(expression, self.down) and all(new) and self._has_result(expr, now)

    def _is_worse(self, expr: str, fresh: Freshness, now: int, ran: float) -> bool:
        """A result of nothing but what was after it began: what was so before is not its work."""
        is_fresh = partial(self._is_fresh, fresh=fresh, now=now)
        after = self._origins.lies_after(compiled(expr), fresh.lasted(ran), is_fresh)
        return after and self._has_result(expr, now)

    def _is_fresh(self, name: str, fresh: Freshness, now: int) -> bool:
        return fresh.has(name, self._newest.get(name, NEVER), now)

    def _has_result(self, expr: str, now: int) -> bool:
        try:
            return bool(evaluate(compiled(expr), self.series, now))
        except EvaluationError:
            return False  # what cannot be judged neither heals nor condemns

    def _objections(self, remedy: Remedy, labels: Labels, now: int) -> tuple[str, ...]:
        """Those with a result, and those of which nobody can say whether they have one, and why."""
        objections = (self._objection(fill(text, labels), now) for text in remedy.unless)
        return tuple(each for each in objections if each)

    def _objection(self, text: str, now: int) -> str:
        """It, with why nobody can say whether it has a result; empty where it has none."""
        expression = compiled(text)
        if silent := self._origins.silent(expression, self.down):
            return f"{text} (unknown: {', '.join(sorted(silent))} cannot be read)"
        if silent := self._origins.silent(expression, self._asked.unread):
            return f"{text} (unknown: {', '.join(sorted(silent))} was not read yet)"
        lacking = self.series.incomplete & self._origins.originals(expression.names)
        if lacking:
            return f"{text} (unknown: not all series of {', '.join(sorted(lacking))} are kept)"
        try:
            if evaluate(expression, self.series, now):
                return text
        except EvaluationError as error:
            return f"{text} (unknown: {error})"
        unknown = self.alerts.unknown(expression, self.ground(), now)
        return f"{text} (unknown: {unknown})" if unknown else ""

    def _patients(self, remedy: Remedy) -> int:
        mine = (a for a in self.firing() if a.rule == remedy.alert and selects(remedy, a.labels))
        return len({a.label(remedy.target) for a in mine})
