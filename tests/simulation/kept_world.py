"""The cluster of actions whose effect is kept when it is complete: throttles that were left and are cleared,
replicas that move between log dirs. Whose each change is, and what no claim may leave half done."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from random import Random
from typing import Any

from agent.actions.moves import moves_of, replica_of
from agent.actions.throttles import FOLLOWER_LIST, FOLLOWER_RATE, LEADER_LIST, LEADER_RATE, LISTS, entries
from agent.control.state import Claim
from agent.kafka.configs import ConfigChange
from agent.model import Change, Effect, Operation
from agent.wire import decode_effect
from simulation.brokers import Request
from simulation.cluster_world import Owned, Values
from simulation.copying_world import CopyingWorld
from simulation.process_loop import Kernel

LEAST = 1_090_000  # bytes a second of what people leave: no other value's last digits are so high
Taken = tuple[str, str | None]


class KeptWorld(CopyingWorld):
    """`closed` is told of each claim under which something may have been done, and its outcome."""

    def __init__(self, kernel: Kernel, nodes: int, random: Random, values: Values) -> None:
        super().__init__(kernel, nodes, random, values)
        self.left_throttles = 0
        self.claimed: dict[str, str] = {}  # problem → the last effect for it
        self._effects: dict[str, Effect] = {}  # by name
        self._taken: dict[Owned, Taken] = {}  # what was cleared: by which effect, and whose it was
        self._ended: dict[str, str] = {}  # effects whose claims were closed → the last outcome

    def begins(self, effect: Effect) -> str:
        """Its name, by which it is known here."""
        name = super().begins(effect)
        self._effects[name] = effect
        return name

    def in_the_world(self) -> set[str]:
        """What was kept is nobody's effect any more."""
        open_ = {effect for effect, _ in self._taken.values() if effect not in self._ended}
        return super().in_the_world() | open_

    def leave_throttle(self, node: int, side: int) -> None:
        """A person sets a rate, and what it is for, and forgets both."""
        rate, listed = ((FOLLOWER_RATE, FOLLOWER_LIST), (LEADER_RATE, LEADER_LIST))[side % 2]
        self.left_throttles += 1
        number = self.left_throttles
        self.by_person(ConfigChange(f"broker/{node}", rate, "set", str(LEAST + number)))
        for broker in (node, 77)[: 1 + side // 2 % 2]:
            self.by_person(ConfigChange(f"topic/l{node}", listed, "append", f"{number}:{broker}"))

    def stands_left(self, node: int) -> bool:
        """Whether a rate that a person forgot does."""
        values = self.values.get(f"broker/{node}", {})
        return any(LEAST < int(values.get(key, "0")) < LEAST + 10_000 for key in (FOLLOWER_RATE, LEADER_RATE))

    def by_person(self, change: ConfigChange) -> None:
        """What they set anew was not cleared."""
        for owned in [o for o in self._taken if o[:2] == (change.resource, change.key)]:
            if change.operation == "set" or owned[2] in entries(change.value):
                del self._taken[owned]
        super().by_person(change)

    def _overwrite(self, request: Request, owned: Owned) -> None:
        """What an effect was to clear, as it found it, is taken away by it; an undo that comes twice changes
        nothing."""
        changes = request.wanted.changes  # type: ignore[attr-defined]  # an Alteration
        there = self.values.get(owned[0], {}).get(owned[1])
        again = any(
            c.operation == "set" and (c.resource, c.key, c.value) == (*owned[:2], there) for c in changes
        )
        if request.undo and again:
            return
        if not request.undo and owned in set(_clears(self._effects.get(request.effect), there)):
            self._by_person.pop(owned, None)
            self._taken[owned] = request.effect, self._owners.pop(owned)
            return
        super()._overwrite(request, owned)

    def _own(self, change: ConfigChange, before: set[str], request: Request) -> None:
        if not request.undo:
            return super()._own(change, before, request)
        back = {"set": [""], "append": sorted(set(entries(change.value)) - before)}.get(change.operation, [])
        for entry in back:
            owned = change.resource, change.key, entry
            if owned in self._owners:
                continue  # it was back already
            effect, owner = self._taken.pop(owned, ("nobody", None))
            if effect != request.effect:
                self.broken.append(
                    f"I2: {request.effect} puts back at {'/'.join(owned)} what {effect} cleared"
                )
            if owner is not None:
                self._owners[owned] = owner
        return None

    def closed(self, claim: Claim, outcome: str) -> None:
        """A claim ends as `done`, `undone`, or (empty) by a person, who has looked: it leaves nothing half
        done, and nothing under way."""
        effect = decode_effect(claim.effect) if claim.effect else None
        name = self.name_of(effect) if effect else self.claimed.get(claim.problem, "")
        if name in self._effects:
            self._ended[name] = outcome
            if outcome and (wrong := self._half(name, outcome)):
                self.broken.append(f"I3: {name} is closed as {outcome}, and {wrong}")

    def _half(self, name: str, outcome: str) -> str:
        """What of an effect is not as its end says; empty where all is. What people set anew is theirs."""
        if copied := [f"{t}-{p}" for node, (t, p) in self._copying() if self._copies[node, (t, p)] == name]:
            return f"{copied[0]} is still copied"
        effect = self._effects[name]
        there = {c: self.values.get(c.resource, {}).get(c.key) for c in effect.changes}
        cleared = [o for o, (whose, _) in self._taken.items() if whose == name]
        stands = [
            o for c in effect.changes for o in _clears(Effect("", "", (c,)), there[c]) if o in self._owners
        ]
        unmoved = [c for c in moves_of(effect) if self._path(effect, c) != c.new]
        if outcome == "done" and (stands or unmoved):
            return f"{'/'.join(stands[0]) if stands else unmoved[0].resource} is as before"
        if outcome == "undone" and cleared:
            return f"{'/'.join(cleared[0])} is still cleared"
        return f"only {'/'.join(cleared[0])} is cleared" if cleared and stands else ""

    def _path(self, effect: Effect, move: Change) -> str:
        return self.disks(int(effect.owner.removeprefix("broker-"))).replicas[replica_of(move)][0]

    def _as_wanted(self) -> Values:
        """Without what was cleared for good."""
        wanted = copy.deepcopy(super()._as_wanted())
        for (resource, key, entry), (effect, _) in self._taken.items():
            if self._ended.get(effect) == "done" and key in wanted.get(resource, {}):
                left = [e for e in entries(wanted[resource].pop(key)) if entry and e != entry]
                if left:
                    wanted[resource][key] = ",".join(left)
        return wanted

    def left(self, excused: Any = ()) -> str:
        """Also what is half done of what was kept."""
        half = (f"{name}: {wrong}" for name, end in self._ended.items() if (wrong := self._half(name, end)))
        return super().left(excused) or next(half, "")

    def remove_by_hand(self, claim: Claim) -> list[str]:
        """A person puts back what was cleared, too, and sees what is copied to its end."""
        done = super().remove_by_hand(claim)
        name = (
            self.name_of(decode_effect(claim.effect)) if claim.effect else self.claimed.get(claim.problem, "")
        )
        for owned in [o for o, (whose, _) in self._taken.items() if whose == name]:
            _, owner = self._taken.pop(owned)
            resource, key, entry = owned
            effect = self._effects[name]
            prior = next(c.prior for c in effect.changes if (c.resource, c.key) == (resource, key))
            there = entries(self.values.setdefault(resource, {}).get(key))
            self.values[resource][key] = ",".join((*there, entry)) if entry else str(prior)
            if owner is not None:
                self._owners[owned] = owner
            done.append("/".join(filter(None, owned)))
        return done


def _clears(effect: Effect | None, there: str | None) -> Iterator[Owned]:
    """What of the values that are there an effect takes away."""
    for change in effect.changes if effect else ():
        if change.operation is Operation.DELETE and there == change.prior:
            yield change.resource, change.key, ""
        elif change.operation is Operation.SUBTRACT and change.key in LISTS:
            yield from ((change.resource, change.key, e) for e in entries(change.new) if e in entries(there))
