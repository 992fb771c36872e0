"""I1 to I6 of coordination.md, asked of the simulated world and of the canonical state, never of an agent;
I7 and I8 in simulation.accepted, what I3 asks of what is kept in simulation.kept_world, I9 in
simulation.partition."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from agent.control.budgets import STANDING, budget_of
from agent.control.claims import CLOSED, DIRTY, GRANTED, ORPHAN
from agent.control.fold import Verdict, fold
from agent.control.pauses import in_force
from agent.control.snapshot import dump
from agent.control.state import Claim, Limit, State
from agent.control.times import Budget
from agent.kafka.batches import Record
from simulation.accepted import Accepted
from simulation.brokers import ACT, E_CONTROLLER, E_OWN, Request, World
from simulation.partition import Partition

SLACK = 0.1  # seconds
MOVES = {
    "session ended": "orphans",
    "session ended in the barrier": "orphans of a barrier",
    "session ended after the last adoption": "stuck",
    "adopted": "adoptions",
    "redeclared": "redeclared",
    "resolved": "resolved",
}


class Violation(Exception):
    """An invariant is broken; the text names it first."""


class Cause(Protocol):
    """For what an effect is: a simulation.problems.Problem, or what the daemon claims for."""

    @property
    def name(self) -> str:
        """As in its claim."""
        ...

    @property
    def kind(self) -> str:
        """Of its claim."""
        ...

    @property
    def scopes(self) -> tuple[str, ...]:
        """What it claims."""
        ...

    @property
    def limit(self) -> Limit | None:
        """Its remedy's own rate."""
        ...

    @property
    def local(self) -> bool:
        """Whether its effect concerns one broker only, and is its own agent's."""
        ...


class Effect:
    """One effect: what it occupies, and when it began."""

    def __init__(self, name: str, problem: Cause) -> None:
        self.name, self.problem = name, problem
        self.began = False
        self.late = False  # its machine was frozen in the gap: I1, I2 and I6 are weakened


@dataclass
class Start:
    """An intent: when it came, in true time and what virtual time had run ahead of it."""

    at: float
    offset: int
    lost: bool = False  # with the log's tail


class Canon:
    """The true log, folded once more by itself: the state at each offset, and what was counted on the way."""

    def __init__(self, partition: Partition, mark_every: int) -> None:
        self.partition = partition
        self.mark_every = mark_every
        self.states: list[State] = []  # after each offset of the log as it is
        self.known: dict[int, set[str]] = {}  # offset → digests of all histories
        self.seen: Counter[str] = Counter()
        self.closed: dict[
            str, tuple[float, float]
        ] = {}  # problem → when a dirty claim of it was last closed,
        # and how far virtual time had run ahead by then
        self.dirty: dict[str, Start] = {}  # problem → the last intent for it that the log has
        self.ahead = 0.0
        self.budgets: list[tuple[float, Mapping[str, Budget]]] = []  # in force from then on
        self.paused_since: dict[str, float] = {}  # selector of a pause in force → since when
        self.told, self.void = "", False  # what the last record was
        self.accepted = Accepted()
        self.closing: Callable[[Claim, str], None] = lambda *_: None  # under which something may have begun
        self._last = 0.0
        partition.grown = self.grown
        partition.truncated = self.truncated

    @property
    def state(self) -> State:
        """Of the whole log."""
        return self.states[-1] if self.states else State()

    def grown(self, record: Record) -> None:
        """One record more."""
        before = self.state
        state, verdict = fold(before, record, self.mark_every)
        self.states.append(state)
        self.known.setdefault(record.offset, set()).add(state.digest)
        now = self.partition.kernel.now
        self.ahead += max((state.clock - before.clock) / 1_000 - (now - self._last), 0.0)
        self._last = now
        self.told, self.void = _record(verdict), verdict.void is not None
        self._count(before, state, verdict)
        self.accepted.grown(before, state, verdict, now)
        self._orders()

    def truncated(self, end: int) -> None:
        """The log ends before that offset."""
        del self.states[end:]
        self.accepted.truncated(end)
        for problem, start in list(self.dirty.items()):
            if start.offset >= end:
                start.lost = True
                del self.dirty[problem]
        self.seen["truncations"] += 1
        self._orders()

    def _orders(self) -> None:
        """What people ordered, as it is in force from now on."""
        state, now = self.state, self.partition.kernel.now
        if not self.budgets or self.budgets[-1][1] is not state.budgets:
            self.budgets.append((now, state.budgets))
        self.paused_since = {selector: self.paused_since.get(selector, now) for selector in in_force(state)}

    def cap(self, scope: str) -> int:
        """The most that was in force since an agent may have looked that acts now."""
        since = self.partition.kernel.now - ACT - SLACK
        caps = []
        for at, budgets in reversed(self.budgets):
            caps.append(budget_of(State(budgets=budgets), scope).cap)
            if at < since:
                break
        return max(caps)

    def _count(self, before: State, state: State, verdict: Verdict) -> None:
        seen, record = self.seen, verdict.record
        seen["records"] += 1
        if verdict.void is not None:
            seen["void: " + verdict.void.partition(":")[0]] += 1
        elif record is not None:
            seen[f"{record.t}s"] += 1
            if record.t == "expire" and record.x["session"] not in state.sessions:
                seen["expiries"] += 1
        if state.barrier and state.epoch != before.epoch:
            seen["barriers"] += 1
        for move in verdict.moves:
            if move.event in MOVES:
                seen[MOVES[move.event]] += 1
            if move.after is DIRTY and move.before is GRANTED:
                at = self.partition.kernel.now + self.ahead
                self.dirty[before.claims[move.claim].problem] = Start(at, state.offset)
            if move.after is CLOSED and move.before in (DIRTY, ORPHAN) and move.claim in before.claims:
                problem = before.claims[move.claim].problem
                self.closed[problem] = self.partition.kernel.now, self.ahead
            if move.after is CLOSED and move.before in STANDING and move.claim in before.claims:
                outcome = record.x.get("outcome", "") if record is not None else ""
                self.closing(before.claims[move.claim], outcome)


class Invariants:
    """`effects` are registered by who begins them."""

    def __init__(self, world: World, canon: Canon, cooldown: float) -> None:
        self.world = world
        self.canon = canon
        self.effects: dict[str, Effect] = {}
        self.excused: Counter[str] = Counter()
        self._begun: list[tuple[Start, Effect]] = []
        self.first: str | None = None  # violation
        self._cooldown = cooldown  # seconds
        world.began = self.began

    def register(self, name: str, cause: Cause) -> None:
        """An effect that may begin."""
        self.effects[name] = Effect(name, cause)

    def began(self, request: Request) -> None:
        """A change of an effect leaves its agent, or an undo of it, which is no effect."""
        now = self.world.kernel.now
        effect = self.effects[request.effect]
        effect.late |= request.frozen
        if request.undo:
            return
        self.canon.seen["effects"] += 1
        there = sorted(self.world.in_the_world() - {request.effect})
        others = [self.effects[name] for name in there if name in self.effects]
        self._i1(effect, others)
        if not effect.began:
            effect.began = True
            self._i1_rates(effect)
        self._i2(effect, others)
        self._i2_handled(effect, now)
        self._i6(effect, now)

    def _i1(self, effect: Effect, others: list[Effect]) -> None:
        for scope in effect.problem.scopes:
            holding = [other for other in others if scope in other.problem.scopes]
            filled, cap = len(holding), self.canon.cap(scope)
            if filled + 1 > cap:
                why = f"I1: {scope} holds {filled} effects of {cap} when {effect.name} begins"
                self._broken(effect, holding, why)

    def _i1_rates(self, effect: Effect) -> None:
        """Of those that became dirty in a window of virtual time at most so many have begun, however long
        that took each. What the log lost is not counted: who began the next one could not know."""
        if (start := self.canon.dirty.get(effect.problem.name)) is None:
            return
        self._begun = [(each, other) for each, other in [*self._begun, (start, effect)] if not each.lost]
        for scope in effect.problem.scopes:
            budget = budget_of(self.canon.state, scope)
            those = [(each.at, other) for each, other in self._begun if scope in other.problem.scopes]
            self._i1_rate(effect, scope, those, budget.rate, budget.window)
        if limit := effect.problem.limit:
            those = [(each.at, other) for each, other in self._begun if other.problem.limit == limit]
            self._i1_rate(effect, limit.name, those, limit.rate, limit.window)

    def _i1_rate(
        self, effect: Effect, name: str, those: list[tuple[float, Effect]], rate: int, window: int
    ) -> None:
        for end, _ in those:
            begun = [other for at, other in those if 0 <= end - at < window / 1_000 - SLACK]
            if rate and len(begun) > rate:
                self._broken(effect, begun, f"I1: {len(begun)} effects of {name} began in {window} ms")

    def _i2(self, effect: Effect, others: list[Effect]) -> None:
        for other in others:
            both = set(other.problem.scopes) & set(effect.problem.scopes)
            for target in sorted(scope[2:] for scope in both if scope.startswith("x:")):
                why = f"I2: {other.name} is at {target} when {effect.name} begins"
                self._broken(effect, [other], why)

    def _i2_handled(self, effect: Effect, now: float) -> None:
        """Virtual time may run ahead of true time, by five seconds a record at most."""
        name = effect.problem.name
        closed, ahead = self.canon.closed.get(name, (-1e9, 0.0))
        if now - closed + self.canon.ahead - ahead < self._cooldown - SLACK:
            self._broken(effect, [], f"I2: {name} was closed {now - closed:.3f} s before")

    def _i6(self, effect: Effect, now: float) -> None:
        e = E_OWN if effect.problem.local else E_CONTROLLER
        for selector, since in self.canon.paused_since.items():
            if _selects(selector, effect.problem) and now - since > ACT + e + SLACK:
                why = f"I6: {effect.name} begins {now - since:.3f} s after a pause of {selector}"
                self._broken(effect, [], why)

    def _broken(self, effect: Effect, others: list[Effect], why: str) -> None:
        if effect.late or any(other.late for other in others):
            self.excused["late by a frozen machine"] += 1
        else:
            self.first = self.first or why  # raised outside of the agent's own step

    def check(self) -> None:
        """Raises the first Violation."""
        if first := self.first or self.canon.accepted.first or self.canon.partition.stuck:
            raise Violation(first)

    def executed(self, before: str | None, request: Request) -> None:
        """An undo must not strip another's value."""
        if request.undo and before is not None and before.partition("=")[2] != request.effect:
            if request.wanted.blind:
                self.excused["undone without the log, over another's"] += 1
            else:
                why = f"I2: {request.effect} is undone over {before}"
                self._broken(self.effects[request.effect], [], why)

    def equal(self, agent: str, state: State) -> None:
        """I4: an agent's digest is that of a history that was."""
        if state.offset >= 0 and state.digest not in self.canon.known.get(state.offset, ()):
            raise Violation(f"I4: {agent} has another digest at offset {state.offset}")

    def same(self, agent: str, state: State) -> None:
        """I4, the whole state, at the end."""
        if state.offset >= 0 and dump(state) != dump(self.canon.states[state.offset]):
            raise Violation(f"I4: {agent} has another state at offset {state.offset}")

    def left(self) -> str | None:
        """I3 and I5: what is not finished yet; None when all is."""
        if claims := self.canon.state.claims:
            return "I5: open claims: " + ", ".join(_told(c) for c in claims.values())
        standing = self.world.in_the_world()
        if on_time := sorted(standing - self.may_be_left()):
            return "I3: left in the world: " + ", ".join(on_time)
        if standing:
            self.excused["left by a frozen machine without SASL"] = len(standing)
        return None

    def may_be_left(self) -> set[str]:
        """Effects whose machine was frozen between the check and the request: only the end of a SASL session
        keeps that from being executed on waking, and only a stamped rate is found again (rule 9)."""
        return set() if self.world.sasl else {name for name, effect in self.effects.items() if effect.late}


def _selects(selector: str, cause: Cause) -> bool:
    """As people mean it: everything, one kind, or a scope."""
    kind, _, name = selector.partition(":")
    if kind == "scope":
        return any(s == name or (name.endswith("*") and s.startswith(name[:-1])) for s in cause.scopes)
    return selector == "*" or (kind, name) == ("kind", cause.kind)


def _told(claim: Claim) -> str:
    return f"{claim.id} {claim.problem} {claim.state} of {claim.holder or 'nobody'}"


def _record(verdict: Verdict) -> str:
    """A line of the trace."""
    record = verdict.record
    told = f"{record.t} of {record.a}/{record.s} n={record.n} b={record.b}" if record else "garbage"
    if record and record.t in ("claim", "release", "intent", "adopt", "expire", "found"):
        told += f" {record.x.get('problem') or record.x.get('id', record.x.get('session'))}"
    told += f" void: {verdict.void}" if verdict.void is not None else ""
    return told + "".join(f" [{m.claim} {m.before}→{m.after}: {m.event}]" for m in verdict.moves)
