"""Agents, a network and a world for the laws of the fold: everything random comes from one seed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from random import Random

from scribe import LOG, Scribe, effect

from agent.control.bodies import FOLD
from agent.control.claims import DIRTY, GRANTED, ORPHAN, STUCK
from agent.control.pauses import paused
from agent.control.records import Record, encode
from agent.control.state import Claim, State
from agent.control.times import EVERY, LAB, Budget

PROBLEMS = ["p", "q", "r", "s"]
CAPS = {"x:topic/a": 1, "x:topic/b": 1, "disk_drain": 2, "quota": 2}
BUDGETS = {"quota": Budget(cap=2, rate=3, window=60_000)}
TIMES = replace(LAB, settle=300, probation=300, adoptions=1)


class World:
    """The effects that stand, by claim, and the log into which pending records find their way, or not."""

    def __init__(self, seed: int, agents: int = 3, every: int = EVERY) -> None:
        self.random = Random(seed)
        self.scribe = Scribe.born(times=TIMES, budgets=BUDGETS, every=every)
        self.states = [State(), self.scribe.state]  # after each record
        self.pending: list[bytes] = []
        self.standing: dict[int, tuple[str, ...]] = {}
        self.judged: set[bytes] = set()
        self.seen: Counter[str] = Counter()  # what happened at all
        self.agents = [Agent(f"broker-{number}", self) for number in range(agents)]

    def deliver(self) -> None:
        """One pending record, not always the oldest, reaches the log; now and then a copy stays under way."""
        raw = self.random.choice(self.pending)
        if self.random.random() < 0.9:
            self.pending.remove(raw)
        self.scribe.step = self.random.choice([1, 100, 4_000, 600_000, -90_000])
        void = self.scribe.raw(raw).void
        assert void is not None or raw not in self.judged, "a copy of a judged record was accepted"
        self.judged.add(raw)
        self.seen["accepted" if void is None else void.partition(":")[0]] += 1
        self.states.append(self.scribe.state)

    def apply(self, claim: Claim) -> None:
        """An effect begins, if the claim is still what its holder thinks: the barrier's beat, the hold time
        and the deadman's timer see to that. No scope may then be fuller than its cap."""
        now = self.scribe.state.claims.get(claim.id)
        if (
            now is None
            or now.token != claim.token
            or now.state is not DIRTY
            or paused(self.scribe.state, now)
        ):
            return
        self.standing[claim.id] = claim.scopes
        self.seen["effect"] += 1
        for scope, count in Counter(s for scopes in self.standing.values() for s in scopes).items():
            assert count <= CAPS[scope], f"{scope} holds {count} effects"

    def run(self, steps: int, after: Callable[[World], None]) -> None:
        """Random steps with every fault; `after` looks at the world after each."""
        for _ in range(steps):
            what = self.random.choices(["deliver", "lose", "crash", "elect", "step"], [400, 20, 10, 2, 568])[
                0
            ]
            agent = self.random.choice(self.agents)
            if what == "crash":
                agent.crash()
            elif what == "elect":
                self.scribe.epoch += 1
                self.seen["leader"] += 1
            elif what == "step":
                agent.step()
            elif self.pending:
                self.deliver() if what == "deliver" else self.pending.remove(self.random.choice(self.pending))
            after(self)

    def settle(self, after: Callable[[World], None]) -> None:
        """Faults and new claims stop, late copies still arrive; every claim must come to its end."""
        for _ in range(400):
            if not self.scribe.state.claims:
                break
            for agent in self.agents:
                agent.wants = False
                agent.step()
            while self.pending:
                self.deliver()
                after(self)
        assert not self.scribe.state.claims, "a claim was never closed"
        assert not self.standing, "an effect was left in the world"


class Agent:
    """Follows the rules of coordination.md section 4 as far as the first version has them."""

    def __init__(self, name: str, world: World) -> None:
        self.name = name
        self.world = world
        self.read = 0  # how many records of the log
        self.wants = True
        self.crash()

    def crash(self) -> None:
        """The process is gone with all it knew; its effects and its records under way are not."""
        self.world.seen["crash"] += 1
        self.session: int | None = None
        self.nonce = ""
        self.n = 0
        self.mine: set[int] = set()  # claims whose effect this process began
        self.awaits: tuple[int, int] | None = None

    def step(self) -> None:
        """Reads some of the log, then does one sensible thing, or now and then a wrong one."""
        if self.world.random.random() < 0.8:
            self.read = len(self.world.states)
        state = self.world.states[max(self.read, 2) - 1]
        self._look(state)
        if self.session is None:
            self._join(state)
        elif self.awaits is None or self.world.random.random() < 0.05:  # seen, or given up
            self._act(state)

    def _look(self, state: State) -> None:
        live = next((s for s in state.sessions.values() if s.agent == self.name), None)
        if live and live.nonce == self.nonce and self.session is None:
            self.session, self.awaits = live.id, None
        if self.awaits and live and live.id == self.session and live.n >= self.awaits[1]:
            self.awaits = None

    def _join(self, state: State) -> None:
        if self.nonce and self.world.random.random() < 0.8:
            return
        self.nonce = f"{self.world.random.getrandbits(128):032x}"
        body = {
            "host": "",
            "rack": "",
            "incarnation": state.incarnations.get(self.name, 0) + 1,
            "nonce": self.nonce,
            "fold_max": FOLD,
            "version": "0",
            "redeclare": [],
            "handled": [],
        }
        self._write(state, "join", body, session=-1)

    def _act(self, state: State) -> None:
        own = [c for c in state.claims.values() if c.session == self.session]
        random = self.world.random
        if self.wants and random.random() < 0.12:
            self._meddle(state)
            return
        orphans = [c for c in state.claims.values() if c.state is ORPHAN]
        claim = random.choice(own) if own and (random.random() < 0.7 or not self.wants) else None
        if self.session in state.barrier and random.random() < 0.5:
            self._beat(state)
        elif orphans and random.random() < 0.3:
            self._write(state, "adopt", self._of(random.choice(orphans)))
        elif claim is None and self.wants and random.random() < 0.7:
            self._claim(state)
        elif claim is None:
            self._close(state)
        else:
            self._carry(state, claim)

    def _carry(self, state: State, claim: Claim) -> None:
        """One step with an own claim."""
        if claim.state is GRANTED and self.wants:
            self._write(state, "intent", self._of(claim, effect=effect(f"k{claim.id}"), via=1))
        elif claim.state is not DIRTY:
            self._write(state, "release", self._of(claim, outcome="cancelled"))
        elif claim.id in self.mine or claim.adoptions:  # an adopter only finishes
            self._finish(state, claim)
        else:
            self.mine.add(claim.id)
            self.world.apply(claim)

    def _finish(self, state: State, claim: Claim) -> None:
        """Nothing of it stands any more, whoever holds the claim now; then it is closed."""
        self.world.seen["finished" if claim.id in self.mine else "adopted"] += 1
        self.world.standing.pop(claim.id, None)
        self._write(state, "release", self._of(claim, outcome=self.world.random.choice(["done", "undone"])))

    def _close(self, state: State) -> None:
        """A beat, or what only a person may do: stuck claims are looked at, pauses are ended."""
        stuck = [c for c in state.claims.values() if c.state is STUCK]
        if stuck and self.world.random.random() < 0.5:
            self.world.standing.pop(stuck[0].id, None)
            self._write(state, "resolve", self._of(stuck[0], reason="looked", by="ann"))
        elif not self.wants and any(p.on for p in state.pauses.values()):
            self._pause(state, on=False)
        else:
            self._beat(state)

    def _meddle(self, state: State) -> None:
        """What a confused agent, a wrong clock or an operator may write at any moment."""
        random = self.world.random
        sessions, claims = sorted(state.sessions), sorted(state.claims)
        if claims and random.random() < 0.3:
            claim = state.claims[random.choice(claims)]
            if claim.session != self.session:
                self._write(state, "release", self._of(claim, outcome="done"))
        elif random.random() < 0.5:
            target = state.sessions[random.choice(sessions)]
            waited = random.choice([6_000, 8_000, 30_000])
            self._write(state, "expire", {"session": target.id, "last": target.last, "waited": waited})
        elif random.random() < 0.5:
            self._pause(state, on=random.random() < 0.5)
        else:
            seen = {"kind": "k", "scopes": ["disk_drain"], "host": "", "problem": random.choice(PROBLEMS)}
            self._write(state, "found", {**seen, "effect": effect(f"f{random.randrange(5)}")})

    def _pause(self, state: State, *, on: bool) -> None:
        expect = state.changes.get("pause/*", -1)
        words = {"reason": "r", "by": "ann", "expect": expect}
        self._write(
            state, "pause", {**words, "on": on, "selector": "*", "for": self.world.random.randrange(9)}
        )

    def _claim(self, state: State) -> None:
        random = self.world.random
        body = {
            "kind": "throttle_replication",
            "scopes": random.sample(sorted(CAPS), random.choice([1, 1, 2])),
            "problem": random.choice(PROBLEMS),
            "host": "",
            "priority": random.choice([4, 5]),
            "why": "",
        }
        self._write(state, "claim", body)

    def _beat(self, state: State) -> None:
        self._write(state, "beat", {"status": "", "firing": []})

    @staticmethod
    def _of(claim: Claim, **x: object) -> dict[str, object]:
        return {"id": claim.id, "token": claim.token, **x}

    def _write(self, state: State, t: str, x: dict[str, object], session: int | None = None) -> None:
        self.n = 0 if session == -1 else self.n + 1
        s = self.session if session is None else session
        assert s is not None
        self.awaits = None if session == -1 else (s, self.n)
        raw = encode(Record(t, FOLD, LOG, self.name, s, self.n, state.offset, state.digest, x))
        self.world.pending.append(raw)
