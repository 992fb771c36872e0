"""What an agent does about the problems that it sees: claims, applies, undoes, and cleans up what was left.

The fold, all that reads and writes the log, what precedes each effect (`Effects`, rule 4), when it is not in
doubt any more (`Doubt`, rule 5) and who adopts what (rule 8) are the real ones; what ties them together is
done here as simply as it can be, where the daemon has actions and Kafka's requests.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from typing import Any

from agent.control.budgets import WAITING
from agent.control.claims import DIRTY, changes_of, is_called
from agent.control.doubt import Doubt, Look, Sent
from agent.control.past import identity
from agent.control.state import Claim
from agent.control_topic import ClaimVoid, ControlTopic, ControlUnavailable, Effects, InDoubt, NotAccepted
from agent.model import Called
from simulation.brokers import Key, Sending, Wanted, World
from simulation.machines import Process
from simulation.problems import Problem, Problems

TROUBLE = (NotAccepted, ClaimVoid, ControlUnavailable)
LOOK = 0.5  # seconds between two looks at what is to be done
LOOKS = 6  # until a claim that nobody works on is cancelled, as the daemon's sweep does
AGAIN = 2.0  # seconds until a problem is claimed again


class Stopped(Exception):
    """No effect may leave now; the text says why."""


class Remedies:
    """All of one process."""

    def __init__(self, process: Process, topic: ControlTopic, world: World, problems: Problems) -> None:
        self.process = process
        self.machine = process.machine
        self.topic = topic
        self.world = world
        self.problems = problems
        self._busy: set[str] = set()  # names of problems
        self._held: set[int] = set()  # claims that a task works on
        self._tasks: set[asyncio.Task[None]] = set()
        self._unheld: Counter[int] = Counter()  # claim → looks that found no task working on it
        self._number = 0
        self._sent_at = 0
        self._effects = Effects(topic, process)

    async def run(self) -> None:
        """For ever."""
        while True:
            for problem in self.problems.seen_by(self.machine.node):
                if problem.name not in self._busy and self.topic.degraded is None:
                    self._busy.add(problem.name)
                    self._do(self._remedy(problem))
            for claim in list(self.topic.own_claims().values()):
                held = any(is_called(claim, held) for held in self._held)
                if claim.state is DIRTY and not held and claim.session == self._session():
                    self._held.add(claim.id)
                    self._do(self._clean_up(claim))
                elif claim.state in WAITING and not held:
                    self._unheld[claim.id] += 1
                    if self._unheld[claim.id] % LOOKS == 0:  # it landed after its writer had given up
                        self._do(self._give_up(claim.id))
            await asyncio.sleep(LOOK)

    def _do(self, work: Any) -> None:
        task = self.process.loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _session(self) -> int | None:
        return self.topic._life.member.session

    async def _remedy(self, problem: Problem) -> None:
        """From the claim to its end; in trouble the claim's state says what is still to be done."""
        claim = -1
        try:
            claim = await self._claim(problem)
            self._held.add(claim)
            await self.topic.granted(claim)
            await self._carry(claim, problem)
        except (*TROUBLE, Stopped, TimeoutError):
            await self._give_up(claim)
        finally:
            self._held.discard(claim)
            await asyncio.sleep(AGAIN)
            self._busy.discard(problem.name)

    async def _claim(self, problem: Problem) -> int:
        return await self.topic.claim(
            problem.kind,
            problem.scopes,
            problem.name,
            "",
            limit=problem.limit,
            by_anyone=not problem.local,
        )

    async def _give_up(self, claim: int) -> None:
        """What was never begun is cancelled; what may be is cleaned up by whoever finds it dirty."""
        own = self.topic.own_claim(claim)
        if claim >= 0 and own is not None and own.state is not DIRTY and own.effect is None:
            try:
                await self.topic.release(claim, "cancelled")
            except TROUBLE:
                return

    async def _carry(self, claim: int, problem: Problem) -> None:
        via = problem.target if problem.local else self.machine.node
        self._number += 1
        effect = f"{self.machine.agent}/{self.machine.starts}/{self._number}"
        found = self.topic.own_claim(claim)
        if found is None:
            raise Stopped("gone")
        value = f"{found.stamp}={effect}"
        self.world.stamps[effect] = found.stamp
        self.problems.effect_made(effect, problem)
        first = [self._change(key, value) for key in problem.keys[:1]]
        both = [self._change(key, value) for key in problem.keys]
        await self.topic.intent(claim, self._effect(first), via=via)
        await self._apply(claim, problem, effect, first[0], via)
        if len(both) > 1:  # extended on the way
            await self.topic.intent(claim, self._effect(both), via=via)
            await self._apply(claim, problem, effect, both[1], via)
        await asyncio.sleep(problem.lease)
        await self._undo(claim, both, via, "done")

    @staticmethod
    def _change(key: Key, value: str) -> dict[str, object]:
        return {"resource": key[0], "key": key[1], "operation": "set", "prior": None, "new": value}

    def _effect(self, changes: list[dict[str, object]]) -> str:
        return json.dumps({"action": "simulated", "owner": self.machine.agent, "changes": changes})

    async def _apply(
        self, claim: int, problem: Problem, effect: str, change: dict[str, Any], via: int
    ) -> None:
        """One change of the world."""
        key = change["resource"], change["key"]

        async def look() -> str | None:
            self.world.at_the_look(self.process)
            seen = await self.world.observe(self.process, problem.resources, via)
            if not problem.active(self.world.kernel.now):
                return "the symptom is gone"
            return "another's value stands" if self.world.guarded and seen.get(key) is not None else None

        wanted = Wanted(effect, key, change["new"], via, undo=False)
        try:
            await self._effects.apply(claim, lambda: self._ready(wanted), look, self._sent)
        except (InDoubt, TimeoutError):
            await self._settled(problem.resources, via, self._sent_at)

    async def _ready(self, wanted: Wanted) -> Sending:
        while True:
            try:
                return await self.world.connect(self.process, wanted)
            except TimeoutError:
                await asyncio.sleep(0.5)

    def _sent(self, at: int) -> None:
        """From here on it is in doubt until it was answered."""
        self._sent_at = at

    async def _observed(self, resources: tuple[str, ...], via: int) -> dict[Key, str]:
        while True:
            try:
                return await self.world.observe(self.process, resources, via)
            except TimeoutError:
                await asyncio.sleep(0.5)

    async def _settled(self, resources: tuple[str, ...], via: int, left: int) -> dict[Key, str]:
        """Rule 5: what stands once nothing can land any more of what left at boot time `left` (ms)."""
        local = all(resource.startswith("broker/") for resource in resources)
        params = self.topic.params
        e = params["e_own" if local else "e_controller"]
        doubt = Doubt(Sent(left, params["act"], e, self._targets(resources, via)))
        while True:
            begun = self.topic.boot
            try:
                seen = await self.world.observe(self.process, resources, via)
                look = Look(
                    begun, self.topic.boot, self._targets(resources, via), tuple(sorted(seen.items()))
                )
            except TimeoutError:
                look = Look(begun, self.topic.boot, {}, None)
            if doubt.look(look):
                return seen
            await asyncio.sleep(0.5)

    def _targets(self, resources: tuple[str, ...], via: int) -> dict[str, str]:
        nodes = {via, *(self.world.home(resource) for resource in resources)}
        return {f"node {node}": str(self.world.nodes[node].lives) for node in sorted(nodes)}

    async def _undo(self, claim: Called, changes: list[dict[str, Any]], via: int, outcome: str) -> None:
        """Compare and undo: what is not ours any more stays."""
        resources = tuple(dict.fromkeys(change["resource"] for change in changes))
        seen = await self._observed(resources, via) if changes else {}
        while standing := [c for c in changes if seen.get((c["resource"], c["key"])) == c["new"]]:
            change = standing[-1]
            try:
                await self._undo_one(claim, change, via)
                seen = await self._observed(resources, via)
            except (InDoubt, TimeoutError):
                seen = await self._settled(resources, via, self._sent_at)
            except Stopped:  # somebody else's value
                seen = await self._observed(resources, via)
        await self.topic.release(claim, outcome)

    async def _undo_one(self, claim: Called, change: dict[str, Any], via: int) -> None:
        key = change["resource"], change["key"]

        async def look() -> str | None:
            self.world.at_the_look(self.process)
            seen = await self.world.observe(self.process, (key[0],), via)
            if seen.get(key) != change["new"]:
                raise Stopped("another value stands")
            return None

        effect = change["new"].partition("=")[2]
        adopted = effect.partition("/")[0] != self.machine.agent
        blind = self.topic.degraded is not None and not adopted
        wanted = Wanted(effect, key, None, via, undo=True, blind=blind)
        await self._effects.undo(claim, lambda: self._ready(wanted), look, self._sent, adopted=adopted)

    async def _clean_up(self, claim: Claim) -> None:
        """Rule 8: settled, then undone, then closed; it is never applied again."""
        try:
            changes = changes_of(claim.effect) or [c async for c in self._by_stamp(claim)]
            resources = tuple(dict.fromkeys(c["resource"] for c in changes)) or _resources(claim)
            via = claim.via if claim.via is not None else _sender(claim)
            await self._settled(resources, via, self.topic.boot)
            changes = changes_of(claim.effect) or [c async for c in self._by_stamp(claim)]
            await self._undo(identity(claim), changes, via, "undone")
        except (*TROUBLE, Stopped, TimeoutError):
            await asyncio.sleep(0.5)
        finally:
            self._held.discard(claim.id)

    async def _by_stamp(self, claim: Claim) -> Any:
        """An orphan from a barrier has no effect: what stands with its stamp is its."""
        resources = _resources(claim)
        seen = await self._observed(resources, self.machine.node)
        for key, value in sorted(seen.items()):
            if value.startswith(f"{claim.stamp}="):
                yield self._change(key, value)


def _sender(claim: Claim) -> int:
    """Who made the effect; of one that was found it is not who found it."""
    agent: str = json.loads(claim.effect)["owner"] if claim.effect else claim.agent
    return int(agent.removeprefix("broker-"))


def _resources(claim: Claim) -> tuple[str, ...]:
    return tuple(scope[2:] for scope in claim.scopes if scope.startswith("x:"))
