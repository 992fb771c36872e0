"""One rule and what came of it so far."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import inf

from msgspec import Struct, field

from agent.alerts.judgement import Finding
from agent.alerts.keeping import OUTAGE_MS, Kept, after_gap, key, shifted
from agent.alerts.machine import advance, deadlines
from agent.alerts.obstacles import Obstacle, asked_absent
from agent.model import Alert, AlertRule, Labels, RecordRule, Rule, RuleHealth, RuleNow, Sample
from agent.promql import Expression
from agent.promql.labels import NAME
from agent.promql.vectors import STALE
from agent.quantities import show_duration

_NEWEST = 0.3  # how much the newest judgement counts in a rule's cost


class RuleState(Struct):
    """`judged_at`: when it last was OK, by a finding or because nothing had changed; `unseen_since`: in a
    former life; `gone`: the last look found nothing of what it reads; `sightless_ms`: how long that has been
    so since, between looks of which both found it so; `sightless_at`: when the last look did; `given_up`: why
    its alerts were ended for that; `taken`: its last task.
    """

    rule: Rule
    expression: Expression
    health: RuleHealth = RuleHealth.COLD
    why: str = "not evaluated yet"
    taken: int = -1
    evaluated_at: int | None = None
    judged_at: int = 0
    unseen_since: int | None = None
    gone: bool = False
    sightless_ms: int = 0
    sightless_at: int | None = None  # None where it was another thing at the last look
    given_up: str = ""
    cost_s: float | None = None
    active: dict[Labels, Alert] = field(default_factory=dict)
    written: frozenset[Labels] = frozenset()  # the series that a recording rule gave last
    asks_absent: frozenset[str] = frozenset()  # the names that it reads only to learn whether they are absent
    fed_by: frozenset[str] = frozenset()  # the names that it may read and recording rules write

    def __post_init__(self) -> None:
        self.asks_absent = asked_absent(self.expression.node)

    @property
    def obstacle(self) -> Obstacle:
        """Its health and why, for those that read what it records."""
        return self.health, self.why

    def take(self, finding: Finding, took_s: float | None) -> Iterator[Sample]:
        """What follows from a finding; the samples of a recording rule."""
        self.evaluated_at, self.health, self.why = finding.task.now, finding.health, finding.why
        self.gone = finding.gone
        if finding.health is not RuleHealth.OK:
            self._give_up(finding.task.now)
            return
        self.sightless_ms, self.sightless_at, self.given_up = 0, None, ""
        if took_s is not None:
            self.cost_s = took_s if self.cost_s is None else self.cost_s + _NEWEST * (took_s - self.cost_s)
        if self.unseen_since is not None:
            self.active = after_gap(self.active, finding.task.now - self.unseen_since)
        self.judged_at, self.unseen_since = finding.task.now, None
        if isinstance(self.rule, AlertRule):
            self.active = advance(self.rule, self.active, finding.results, finding.task.now)
        else:
            yield from self._recorded(finding)

    def set_clock(self, by_ms: int) -> None:
        """Go on where it was: the clock was set by so much, and no time has passed by that."""
        self.active = shifted(self.active, by_ms)
        self.judged_at += by_ms
        if self.unseen_since is not None:
            self.unseen_since += by_ms
        if self.sightless_at is not None:
            self.sightless_at += by_ms

    def _give_up(self, now: int) -> None:
        """End alerts whose metrics come no more though their sources answer: after an outage's time beyond
        what the rule needs to be judged at all. What cannot be read, or comes and is not covered yet, is
        waited for, and ends no such time."""
        before, self.sightless_at = self.sightless_at, None
        if not self.active or self.health is RuleHealth.STORM:
            self.sightless_ms = 0
        if not self.active or not self.gone:
            return
        self.sightless_ms += 0 if before is None else now - before
        self.sightless_at = now
        needs = [each.window_ms + each.offset_ms for each in self.expression.selectors]
        bound = OUTAGE_MS + max([self.expression.history_ms, *needs])
        if self.sightless_ms > bound:
            self.active = {}
            self.given_up = f"its rule has been {self.health} for {show_duration(bound)}: {self.why}"

    def rest(self, now: int, same_since: Callable[[Expression], int]) -> bool:
        """Take it for judged `now` where the same values again can tell nothing new; False where they can.
        `same_since`: since when all that an expression reads has said the same.

        One that is not well may become so by time alone, and what is recorded is to have its samples.
        """
        steady = self.expression.steady_ms
        if self.health is not RuleHealth.OK or steady == inf or isinstance(self.rule, RecordRule):
            return False
        seen = (self.evaluated_at or 0) - self.rule.offset_ms
        if steady and seen - steady <= same_since(self.expression):
            return False
        self.judged_at = now
        return True

    def _recorded(self, finding: Finding) -> Iterator[Sample]:
        gone = dict.fromkeys(self.written - finding.series.keys(), STALE)
        self.written = frozenset(finding.series)
        for labels, value in (dict(finding.series) | gone).items():
            bare = tuple(pair for pair in labels if pair[0] != NAME)
            yield Sample(self.rule.name, bare, finding.task.now - self.rule.offset_ms, value)

    def due_at(self, idle_ms: int | None) -> int | None:
        """When time alone makes it due; a deadline before its last evaluation would wake us for ever."""
        seen = self.evaluated_at
        own = () if isinstance(self.rule, RecordRule) else deadlines(self.rule, self.active)
        ends = [each for each in own if seen is None or each > seen]
        if idle_ms is not None:
            ends.append((seen or 0) + idle_ms)
        return min(ends, default=None)

    def may_make(self, labels: Labels) -> bool:
        """Whether an alert with these labels could be its own: by what it sets without templates."""
        return {pair for pair in self.rule.labels if pair[1] and "{{" not in pair[1]} <= set(labels)

    def given(self, labels: Labels) -> tuple[float, int] | None:
        """The value that it gives for these, and when it was found, or found to be the same; None where it
        gives none or cannot be judged now, though its alert may go on."""
        alert = self.active.get(labels)
        if self.health is not RuleHealth.OK or alert is None or alert.keep_firing_since is not None:
            return None
        return alert.value, self.judged_at

    def told(self) -> RuleNow:
        """For people."""
        return RuleNow(
            self.rule,
            self.health,
            self.why,
            tuple(self.active.values()),
            self.evaluated_at,
            self.cost_s or 0.0,
        )

    def kept(self) -> Kept:
        """For a later life, or other rules."""
        written = tuple(sorted(self.written))
        return Kept(
            *key(self.rule),
            self.judged_at,
            tuple(self.active.values()),
            written,
            self.sightless_ms,
            self.given_up,
        )

    def restore(self, kept: Kept, *, unseen: bool) -> None:
        """Go on where it was. `unseen`: nobody looks between `seen_at` and the next good judgement."""
        self.active = {alert.labels: alert for alert in kept.alerts}
        self.judged_at, self.sightless_ms = kept.seen_at, kept.sightless_ms
        self.given_up = kept.given_up
        if unseen:
            self.unseen_since = kept.seen_at
        else:
            self.written = frozenset(kept.written)
