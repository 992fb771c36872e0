"""What the remedies would have done, step by step, by the functions that decide it live.

Only the doing is left out: what begins is taken for done at once, and verified on a history in which nothing
was done.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from agent import gate, verify
from agent.backtest.facts import SOMEBODY, Facts
from agent.backtest.grid import Grid
from agent.backtest.lives import Lives
from agent.decide import ESCALATE, decide, endings, patients
from agent.history import History, Incident, Phase, fold
from agent.model import (
    ActionSpec,
    Alert,
    AlertState,
    Decision,
    Effect,
    Entry,
    Kind,
    Policy,
    Refusal,
    Remedy,
    RuleHealth,
)
from agent.promql import Expression
from agent.rulebook.filling import filled

_OVER = (Phase.CLOSED, Phase.ESCALATED)


@dataclass(frozen=True, slots=True)
class Rules:
    """What is played: alerts of rules with a remedy, by the alert's name."""

    remedies: Mapping[str, Remedy]
    specs: Mapping[str, ActionSpec]
    lives: Mapping[str, Sequence[Lives]]
    expressions: Mapping[str, Expression]
    policy: Policy


@dataclass(slots=True)
class Play:
    """One pass over the history; `entries` are what the journal would hold."""

    rules: Rules
    grid: Grid
    facts: Facts
    entries: list[Entry] = field(default_factory=list)
    _history: History = field(default_factory=History)
    _before: dict[str, verify.Before] = field(default_factory=dict)  # by incident: when it began
    _since: dict[str, int | None] = field(default_factory=dict)  # by incident: since when verify has held

    def run(self) -> tuple[Entry, ...]:
        """All steps at which an alert fires or an incident is open."""
        starts = sorted({step for each in self._lives() for step, _ in each.moments})
        step, count = 0, len(self.grid)
        while step < count:
            now = self.grid.start + step * self.grid.step
            alerts = self._alerts(step)
            firing = any(alert.state is AlertState.FIRING for alert in alerts)
            if not firing and not any(i.phase is not Phase.CLOSED for i in self._history.incidents.values()):
                following = bisect_right(starts, step)
                step = starts[following] if following < len(starts) else count
                continue
            self._round(alerts, step, now)
            step += 1
        return tuple(self.entries)

    def _round(self, alerts: Sequence[Alert], step: int, now: int) -> None:
        for entry in endings(alerts, self.rules.remedies, self._history, now):
            name = self._history.incidents[entry.incident].decision.alert
            if self._health(name, step)[0] is RuleHealth.OK:
                self._record(entry)
        for incident in self._history.standing():
            self._carry(incident, alerts, step, now)
        tried: set[tuple[str, str]] = set()  # one try a patient, as live
        for decision in decide(self._undecided(alerts), self.rules.remedies, self._history, now):
            if (decision.alert, decision.target) not in tried:
                tried.add((decision.alert, decision.target))
                self._propose(decision, alerts, step, now)

    def _undecided(self, alerts: Sequence[Alert]) -> list[Alert]:
        """Without those whose mode forbids it anyway: no step would answer otherwise."""
        told = {
            (i.decision.alert, i.decision.target)
            for i in self._history.incidents.values()
            if i.phase is Phase.REFUSED and i.question in ("mode", gate.APPROVAL)
        }
        remedies = self.rules.remedies
        return [a for a in alerts if (a.rule, a.label(remedies[a.rule].target)) not in told]

    def _propose(self, decision: Decision, alerts: Sequence[Alert], step: int, now: int) -> None:
        if decision.do == ESCALATE:
            words = "the rule's last step: a person is needed"
            self._record(Entry(now, Kind.ESCALATED, words, decision.incident, decision=decision))
            return
        refusal = gate.judge(self._scene(decision, alerts, step, now))
        if refusal is not None:
            self._refuse(decision, refusal, now)
            return
        until = None if decision.lease_ms is None else now + decision.lease_ms
        effect = Effect(decision.do, "assumed", ())
        self._record(
            Entry(now, Kind.STARTED, "nothing objects", decision.incident, "", decision, effect, until=until)
        )
        self._record(Entry(now, Kind.DONE, "assumed: history does not react", decision.incident))
        world = self.facts.world(step)
        self._before[decision.incident] = verify.Before(world.offline, world.under_min_isr)
        self._since[decision.incident] = None

    def _refuse(self, decision: Decision, refusal: Refusal, now: int) -> None:
        """Edges only, as live."""
        words = refusal.reason
        if refusal.question == gate.APPROVAL:
            words = f"{decision.do} on {decision.target} would be proposed to a person"
        reason = words.replace(f"broker {SOMEBODY} ", "a broker (history does not say which) ")
        known = self._history.incidents.get(decision.incident)
        if known is None or known.stands or (known.question, known.reason) != (refusal.question, reason):
            entry = Entry(now, Kind.REFUSED, reason, decision.incident, refusal.question, decision)
            self._record(entry)

    def _carry(self, incident: Incident, alerts: Sequence[Alert], step: int, now: int) -> None:
        """What follows for an effect that stands."""
        if incident.phase is Phase.UNDOING:
            self._record(Entry(now, Kind.UNDONE, f"{incident.verdict}: {incident.reason}", incident.id))
        elif incident.until is not None and now >= incident.until:
            self._record(Entry(now, Kind.UNDONE, "the lease ended", incident.id))
        elif incident.phase is Phase.HELD:
            self._hold(incident, alerts, step, now)
        else:
            self._verify(incident, alerts, step, now)

    def _hold(self, incident: Incident, alerts: Sequence[Alert], step: int, now: int) -> None:
        if self.rules.specs[incident.decision.do].keeps:
            self._record(Entry(now, Kind.CLOSED, "healed; what was mended stays", incident.id))
        elif incident.until is None:
            words = "healed: what it needed meanwhile is put back"
            self._record(Entry(now, Kind.UNDONE, words, incident.id))
        else:
            view = self._view(incident, alerts, step, now)
            if worse := verify.worsened(incident.decision, self._before[incident.id], view):
                self._record(Entry(now, Kind.WORSE, worse, incident.id))

    def _verify(self, incident: Incident, alerts: Sequence[Alert], step: int, now: int) -> None:
        view, since = self._view(incident, alerts, step, now), self._since[incident.id]
        found = verify.judge(incident.decision, self._before[incident.id], view, incident.done_at, since)
        self._since[incident.id] = found.since
        if found.verdict is not None:
            self._record(Entry(now, found.verdict, found.reason, incident.id))

    def _view(self, incident: Incident, alerts: Sequence[Alert], step: int, now: int) -> verify.View:
        decision, check, done_at = incident.decision, incident.decision.verify, incident.done_at
        assert done_at is not None, "what begins is done at once"
        holds = check is not None and self.facts.fresh(check.expr, done_at, step)
        world = self.facts.world(step)
        view = verify.View(
            now=now,
            holds=holds and check is not None and self.facts.holds(check.expr, step),
            trigger=self._trigger(decision, alerts, done_at, step),
            worse_if=decision.worse_if is not None and self.facts.worse(decision.worse_if, done_at, step),
            offline=world.offline,
            under_min_isr=world.under_min_isr,
        )
        self._before[incident.id] = verify.first_seen(self._before[incident.id], view)
        return view

    def _trigger(
        self, decision: Decision, alerts: Sequence[Alert], done_at: int, step: int
    ) -> verify.Trigger | None:
        which, rule = (decision.alert, decision.labels), self.rules.expressions[decision.alert]
        values = (a.value for a in alerts if (a.rule, a.labels) == which and a.keep_firing_since is None)
        value, judged = next(values, None), self._health(decision.alert, step)[0] is RuleHealth.OK
        if value is None or rule.threshold is None or not judged:
            return None
        after = self.facts.lies_after(rule, done_at, step)
        return verify.Trigger(rule.text, value, rule.threshold) if after else None

    def _scene(self, decision: Decision, alerts: Sequence[Alert], step: int, now: int) -> gate.Scene:
        remedy = self.rules.remedies[decision.alert]
        health, why = self._health(decision.alert, step)
        objections = [filled(text, decision.labels) for text in remedy.unless]
        return gate.Scene(
            now=now,
            decision=decision,
            remedy=remedy,
            spec=self.rules.specs[decision.do],
            policy=self.rules.policy,
            history=self._history,
            node_id=0,
            agent_started_at=self.grid.start,
            health=health,
            health_reason=why,
            signals=self._signals(decision.alert),
            patients=patients(remedy, alerts),
            unless=tuple(text for text in objections if self.facts.holds(text, step)),
            world=self.facts.world(step),
            plan=Effect(decision.do, "assumed", ()),
        )

    def _signals(self, alert: str) -> frozenset[str]:
        return self.facts.origins.of(self.rules.expressions[alert])

    def _health(self, alert: str, step: int) -> tuple[RuleHealth, str]:
        """The worst of the rules of that name, as live."""
        found = [each.health[step] for each in self.rules.lives[alert]]
        return next((each for each in found if each[0] is not RuleHealth.OK), found[0])

    def _lives(self) -> Iterable[Lives]:
        return (each for same in self.rules.lives.values() for each in same)

    def _alerts(self, step: int) -> tuple[Alert, ...]:
        return tuple(alert for each in self._lives() for alert in each.at(step).values())

    def _record(self, entry: Entry) -> None:
        self._history = fold(self._history, entry)
        self.entries.append(entry)
