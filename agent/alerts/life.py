"""The life of all alerts: which rules are due, what they are, and what follows from what they give."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence

from agent.alerts.changes import Changes
from agent.alerts.judgement import Finding, Ground, Task, judge
from agent.alerts.keeping import Kept, key
from agent.alerts.order import Readers, Turn
from agent.alerts.rule_state import RuleState
from agent.alerts.shared_reads import SharedReads
from agent.alerts.timers import Timers
from agent.alerts.writers import Writers
from agent.model import Alert, AlertRule, Labels, RecordRule, Rule, RuleHealth, RuleNow, Sample
from agent.promql import Expression, Store
from agent.rulebook.compiled import compiled
from agent.series import Touched


class Alerts:
    """The alerts of a set of rules, as Prometheus keeps them, and four more states of a rule.

    * COLD: no sample was ever stored; or a function that misleads on part of its window (rate, increase,
      delta, deriv, changes, resets, the *_over_time but last_, and absent) asks for more history than the
      store has; or a selector finds nothing and the store is younger than that selector's window.
    * BLIND: a selector finds nothing in its whole window, though the store is old enough; absent() asks for
      that and is none, and of the sides of `or` one that finds something is enough.
    * FAILING: the evaluation errs, two results become the same alert, a source of it is down, or the store
      had no room for all that it needs.
    * STORM: more results than the limit of the rule's group.

    In none of them is anything begun, promoted or ended: alerts stay as they were, `for` runs on, and what
    reads a recording rule's series inherits its state. But what is not found for an hour beyond what its rule
    needs of samples comes no more, and the alerts are given up.

    `evaluate` judges what is due at an instant; a shell that must not block takes the same steps itself:
    `begin` a turn, `next` task, `judge` it wherever it likes, and `take` what was found.
    """

    def __init__(self, rules: Sequence[Rule], idle_ms: int | None = None) -> None:
        """Compiles every rule; BadExpression where one is not PromQL (a rule book has checked before).

        `idle_ms`: a rule that was not judged for so long is due all the same: absence, windows that slide
        and sources that fall silent show only in time. So those that can be judged, and look at nothing but
        the newest values, rest while these stay as they are. None: the caller sees to all that.
        """
        self._rules = [RuleState(rule, compiled(rule.expr)) for rule in rules]
        self._idle_ms = idle_ms
        self._readers = Readers([state.expression for state in self._rules])
        self._timers = Timers()
        self._left: set[int] = set()
        self._live: set[int] = set()  # the rules that have alerts
        self._tasks = 0
        self._anew = False  # the next turn is to judge all, and what is under way comes to nothing
        self._named: dict[str, list[RuleState]] = defaultdict(list)
        for state in self._rules:
            if isinstance(state.rule, AlertRule):
                self._named[state.rule.name].append(state)
        self._writers = Writers(self._rules)
        for state in self._rules:  # once: it may take long
            state.fed_by = self._writers.feeding(state.expression)
        self._changes = Changes(self._writers.names)
        self.names = frozenset[str]().union(*(state.expression.names for state in self._rules))
        self.judged: Counter[RuleHealth] = Counter()
        self.cut = 0  # texts that were too long

    def evaluate(
        self,
        store: Store,
        now: int,
        touched: Touched | None = None,
        since: int | None = None,
        down: frozenset[str] = frozenset(),
        record: Callable[[Sequence[Sample]], object] = lambda _: None,
    ) -> None:
        """Judge at `now` the rules that `begin` finds due.

        `since` is when the store's data begin, None without any; `down` the names whose source is down;
        `record` puts what recording rules give into the store.
        """
        ground, turn = self.ground(store, since, down), self.begin(now, touched)
        while (task := self.next(turn)) is not None:
            record(self.take(judge(task, ground), turn))

    def ground(self, store: Store, since: int | None, down: frozenset[str] = frozenset()) -> Ground:
        """What the rules of one turn are judged on: what several of them read is read once."""
        return Ground(SharedReads(store, self._writers.names), since, down)

    def begin(self, now: int, touched: Touched | None) -> Turn:
        """The rules that are due now: readers of what was touched (None: all rules) but those that rest, and
        those whose time has come."""
        set_by = now - self._changes.turned_at
        if set_by < 0:
            self._set_clock(set_by)
        all_are_due, self._anew = touched is None or self._anew or set_by < 0, False
        self._changes.turn(now, None if touched is None or all_are_due else touched.changed)
        if touched is None or all_are_due:
            due = set(range(len(self._rules)))
        else:
            due = self._readers.of(touched.changed)
            due |= self._restless(self._readers.of(touched.names - touched.changed) - due, now)
        due.update(self._left, self._timers.due(now))
        self._left.clear()
        return Turn(now, due)

    def begin_anew(self, forward_ms: int = 0) -> None:
        """What was seen is gone, or the clock was set forward: what is found of it by now means nothing, and
        all rules are due next."""
        self._anew = True
        self._set_clock(forward_ms)
        for state in self._rules:
            state.taken = self._tasks

    def _set_clock(self, by_ms: int) -> None:
        """No timer means anything any more, and alerts go on where they were."""
        for index in self._live:
            self._rules[index].set_clock(by_ms)

    def _restless(self, readers: set[int], now: int) -> set[int]:
        """Of rules whose newest values are as they were, those that must be judged all the same."""
        if self._idle_ms is None:
            return readers
        return {index for index in readers if not self._rules[index].rest(now, self._changes.same_since)}

    def next(self, turn: Turn) -> Task | None:
        """The next rule of the turn; the one before it must have been taken, if it records."""
        index = None if self._anew else turn.pop()
        if index is None:
            self._left |= turn.left
            return None
        self._tasks += 1
        state = self._rules[index]
        inherits, unfed = self._writers.handed_to(state)
        return Task(self._tasks, index, state.rule, state.expression, turn.now, inherits, unfed, state.cost_s)

    def take(
        self, finding: Finding, turn: Turn | None = None, took_s: float | None = None
    ) -> tuple[Sample, ...]:
        """What follows from a finding: alerts here, and a recording rule's samples for the store.

        One of an older task than the newest taken of its rule changes nothing. `took_s`: what it cost.
        """
        index, number = finding.task.index, finding.task.number
        state = self._rules[index]
        if number <= state.taken:
            return ()
        state.taken = number
        self.judged[finding.health] += 1
        self.cut += sum(result.cut for result in finding.results.values())
        samples = tuple(state.take(finding, took_s))
        if turn is not None and isinstance(state.rule, RecordRule):
            turn.join(self._readers.of([state.rule.name]), index)
        self._note(index, state)
        return samples

    def disturb(self, names: Collection[str], turn: Turn) -> None:
        """Of these metrics series gave way to what a recording rule gave: as what they are judged on in this
        turn does not know of it, their readers come with the next one."""
        turn.left |= self._readers.of(names)
        self._changes.note(names, turn.now)

    def postpone(self, task: Task) -> None:
        """It cannot be judged now: it is due in the next turn."""
        self._left.add(task.index)

    def active(self) -> tuple[Alert, ...]:
        """Pending and firing alerts, those of rules that cannot be judged now included."""
        return tuple(alert for index in sorted(self._live) for alert in self._rules[index].active.values())

    def health(self, name: str, labels: Labels | None = None) -> RuleHealth:
        """Of the alerting rule with this name; of several the one that has an alert with these `labels`, or
        could have, else the first that is not OK. KeyError for an unknown name."""
        return self._rule(name, labels).health

    def why(self, name: str, labels: Labels | None = None) -> str:
        """What is wrong with that rule, in words; empty when it is OK."""
        return self._rule(name, labels).why

    def given_up(self, name: str, labels: Labels | None = None) -> str:
        """Why that rule's alerts were ended though it could not be judged; empty where they were not."""
        return self._rule(name, labels).given_up

    def expression(self, name: str, labels: Labels | None = None) -> Expression:
        """What that rule evaluates."""
        return self._rule(name, labels).expression

    def given(self, name: str, labels: Labels) -> tuple[float, int] | None:
        """The value that this rule gives for these labels, and when it was judged; None where it gives none,
        or cannot be judged now."""
        return self._rule(name, labels).given(labels)

    def each(self) -> tuple[RuleNow, ...]:
        """Every rule and what came of it, in the order of the files."""
        return tuple(state.told() for state in self._rules)

    def unknown(self, expression: Expression, ground: Ground, now: int) -> str:
        """Why nobody can say whether an expression that is no rule's has a result, though its sources
        answered; empty where it is known. What a blind rule would wait for is known to be absent."""
        found = (*self._writers.obstacles(expression), ground.obstacle(expression, now, answered=True))
        return next((why for health, why in found if health in (RuleHealth.FAILING, RuleHealth.COLD)), "")

    def recorded(self, name: str) -> bool:
        """Whether all rules that record this were judged well by their last findings."""
        return self._writers.are_well(name)

    def next_deadline(self, now: int) -> int | None:
        """When time alone makes a rule due, `now` at the earliest; None if nothing waits."""
        end = self._timers.next()
        return None if end is None else max(now, end)

    def keep(self) -> tuple[Kept, ...]:
        """What there is to know of the rules that have alerts, gave them up, or have recorded something."""
        return tuple(state.kept() for state in self._rules if state.active or state.given_up or state.written)

    def restore(self, kept: Iterable[Kept], *, unseen: bool) -> None:
        """Go on with what is known of the same rules; what belonged to others is left out.

        `unseen`: of a former life of the agent, between which and the next good judgement nobody looked.
        """
        known: dict[object, list[Kept]] = defaultdict(list)
        for each in kept:
            known[each.key].append(each)
        for index, state in enumerate(self._rules):
            if waiting := known[key(state.rule)]:
                state.restore(waiting.pop(0), unseen=unseen)
                self._note(index, state)

    def _note(self, index: int, state: RuleState) -> None:
        (self._live.add if state.active else self._live.discard)(index)
        self._timers.set(index, state.due_at(self._idle_ms))

    def _rule(self, name: str, labels: Labels | None) -> RuleState:
        rules = self._named.get(name, [])
        if not rules:
            raise KeyError(name)
        if labels is not None:
            makers = [state for state in rules if labels in state.active]
            rules = makers or [state for state in rules if state.may_make(labels)] or rules
        return next((state for state in rules if state.health is not RuleHealth.OK), rules[0])
