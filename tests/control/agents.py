"""Agents, a network and a world for the laws of the fold: everything random comes from one seed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from random import Random

from scribe import LOG, Scribe, effect

from agent.control.claims import DIRTY, GRANTED
from agent.control.records import Record, encode
from agent.control.state import Claim, State
from agent.control.times import Budget

PROBLEMS = ["p", "q", "r", "s"]
CAPS = {"x:topic/a": 1, "x:topic/b": 1, "disk_drain": 2, "quota": 2}
BUDGETS = {"quota": Budget(cap=2, rate=3, window=60_000)}


class World:
    """The effects that stand, by claim, and the log into which pending records find their way, or not."""

    def __init__(self, seed: int, agents: int = 3) -> None:
        self.random = Random(seed)
        self.scribe = Scribe.born(**BUDGETS)
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
        """An effect begins: no scope may then be fuller than its cap."""
        self.standing[claim.id] = claim.scopes
        self.seen["effect"] += 1
        for scope, count in Counter(s for scopes in self.standing.values() for s in scopes).items():
            assert count <= CAPS[scope], f"{scope} holds {count} effects"

    def run(self, steps: int, after: Callable[[World], None]) -> None:
        """Random steps with every fault; `after` looks at the world after each."""
        for _ in range(steps):
            what = self.random.choices(["deliver", "lose", "crash", "step"], [40, 2, 1, 57])[0]
            agent = self.random.choice(self.agents)
            if what == "crash":
                agent.crash()
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
            "fold_max": 1,
            "version": "0",
            "redeclare": [],
            "handled": [],
        }
        self._write(state, "join", body, session=-1)

    def _act(self, state: State) -> None:
        own = [c for c in state.claims.values() if c.session == self.session]
        random = self.world.random
        if random.random() < 0.1 and state.claims:
            self._meddle(state, random.choice(list(state.claims.values())))
            return
        claim = random.choice(own) if own and (random.random() < 0.7 or not self.wants) else None
        if claim is None and self.wants and random.random() < 0.7:
            self._claim(state)
        elif claim is None:
            self._beat(state)
        elif claim.state is GRANTED and self.wants:
            self._write(state, "intent", self._of(claim, effect=effect("k"), via=1))
        elif claim.state is not DIRTY:
            self._write(state, "release", self._of(claim, outcome="cancelled"))
        elif claim.id in self.mine or claim.token == self.session:  # the latter: a former life's
            self._finish(state, claim)
        else:
            self.mine.add(claim.id)
            self.world.apply(claim)

    def _finish(self, state: State, claim: Claim) -> None:
        self.world.seen["adopted" if claim.id not in self.mine else "finished"] += 1
        self.world.standing.pop(claim.id, None)
        self._write(state, "release", self._of(claim, outcome=self.world.random.choice(["done", "undone"])))

    def _meddle(self, state: State, claim: Claim) -> None:
        """What a confused agent may write of another's claim."""
        if claim.session != self.session:
            self._write(state, "release", self._of(claim, outcome="done"))

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
        raw = encode(Record(t, 1, LOG, self.name, s, self.n, state.offset, state.digest, x))
        self.world.pending.append(raw)
