"""The world as the daemon changes it: dynamic settings of brokers and topics, which the controller keeps, and
whose each value and each entry of a list is."""

from __future__ import annotations

import copy
from collections.abc import Container, Iterator
from dataclasses import dataclass
from random import Random

from agent.actions.throttles import LISTS, RATES, entries
from agent.control.claims import STAMPS
from agent.control.state import Claim
from agent.kafka.configs import ConfigChange
from agent.model import Effect
from agent.rehearsal.cluster import set_config
from agent.wire import decode_effect
from simulation.brokers import ACT, Request, Wanted, World
from simulation.process_loop import Kernel

PERSON = "a person"
Values = dict[str, dict[str, str]]  # by resource and key
Owned = tuple[str, str, str]  # resource, key, and the entry of a list; empty: the whole value


@dataclass(frozen=True)
class Alteration(Wanted):
    """One request: changes of one resource."""

    changes: tuple[ConfigChange, ...] = ()


class ClusterWorld(World):
    """Broker settings and topic settings alike are the controller's; a broker is asked for its own."""

    def __init__(self, kernel: Kernel, nodes: int, random: Random, values: Values) -> None:
        super().__init__(kernel, nodes, random)
        self.values = values
        self.wanted = copy.deepcopy(values)  # what must be there once nothing of the agents' is
        self.broken: list[str] = []  # whose value was overwritten by whom
        self.raced = 0  # times that a person set something while a request was under way
        self.names: dict[
            tuple[str, int | str], str
        ] = {}  # owner and stamp of an effect, or what it changes → its name
        self._owners: dict[Owned, str] = {}
        self._by_person: dict[Owned, float] = {}  # since when

    @staticmethod
    def home(resource: str) -> int:
        """The controller takes all."""
        return 0

    def begins(self, effect: Effect) -> str:
        """The name of an effect that is about to begin."""
        key = effect.owner, stamp_of(effect) or _text_of(effect)
        name = f"{effect.owner}/{key[1]}"
        while name in self.names.values():  # a log that was lost gave the same stamp once more
            name += "'"
        self.names[key] = name
        return name

    def name_of(self, effect: Effect) -> str:
        """The name of one that has begun, perhaps in a former life."""
        key = effect.owner, stamp_of(effect) or _text_of(effect)
        return self.names.get(key, f"{key[0]}/{key[1]}")

    def in_the_world(self) -> set[str]:
        """Effects of which something stands, or whose request may yet be executed."""
        flying = {effect for effect, count in self.flying.items() if count}
        return flying | (set(self._owners.values()) - {PERSON})

    def execute(self, request: Request) -> None:
        """All changes of the request at once."""
        wanted = request.wanted
        assert isinstance(wanted, Alteration)
        for change in wanted.changes:
            for owned in self._overwritten(change):
                self._overwrite(request, owned)
            before = set(entries(self.values.get(change.resource, {}).get(change.key)))
            set_config(self.values, change)
            self._own(change, before, request)
        told = ", ".join(f"{c.operation} {c.value} at {c.resource}/{_short(c.key)}" for c in wanted.changes)
        self.told(f"executed: {told}", request)

    def _overwritten(self, change: ConfigChange) -> Iterator[Owned]:
        """What a change takes away."""
        if change.operation == "append":
            return
        gone = set(entries(change.value)) if change.operation == "subtract" else None
        for owned in list(self._owners):
            if owned[:2] == (change.resource, change.key) and (gone is None or owned[2] in gone):
                yield owned

    def _overwrite(self, request: Request, owned: Owned) -> None:
        owner, word = self._owners.pop(owned), "undone" if request.undo else "set"
        since = self._by_person.pop(owned, None)
        if owner == request.effect:
            return
        if since is not None and request.left - since < ACT:  # Kafka has no compare-and-set
            self.raced += 1
            self.wanted[owned[0]].pop(owned[1], None)
        elif request.wanted.blind:
            self.raced += 1
        else:
            place = "/".join(filter(None, owned))
            self.broken.append(f"I2: {request.effect} is {word} over {owner}'s value of {place}")

    def _own(self, change: ConfigChange, before: set[str], request: Request) -> None:
        if change.operation == "append":
            for entry in sorted(set(entries(change.value)) - before):
                self._owners[change.resource, change.key, entry] = request.effect
        elif change.operation == "set" and not request.undo:
            self._owners[change.resource, change.key, ""] = request.effect

    def by_person(self, change: ConfigChange) -> None:
        """A person sets something, over whatever stands there; or removes what they set."""
        entry = change.value or "" if change.key in LISTS else ""
        owned = change.resource, change.key, entry
        if change.operation == "delete" and self._owners.get(owned) != PERSON:
            return
        for values in (self.values, self.wanted):
            set_config(values, change)
        self._owners.pop(owned, None)
        self._by_person.pop(owned, None)
        if change.operation != "delete":
            self._owners[owned] = PERSON
            self._by_person[owned] = self.kernel.now

    def left(self, excused: Container[str] = ()) -> str:
        """What is not as it should be in the end, but for what these effects set; empty where all is."""
        values = copy.deepcopy(self.values)
        for (resource, key, entry), owner in self._owners.items():
            if owner in excused:
                _take_out(values[resource], key, entry)
                if values[resource].get(key) == "" and key not in self.wanted.get(resource, {}):
                    del values[resource][key]
        there, wanted = _flat(values), _flat(self._as_wanted())
        wrong = {key for key in there.keys() | wanted.keys() if there.get(key) != wanted.get(key)}
        return ", ".join(f"{r}/{_short(k)} is {there.get((r, k))!r}" for r, k in sorted(wrong))

    def _as_wanted(self) -> Values:
        return self.wanted

    def flies(self, claim: Claim) -> bool:
        """Whether something of the claim may still land."""
        return claim.effect is not None and self.flying[self.name_of(decode_effect(claim.effect))] > 0

    def remove_by_hand(self, claim: Claim) -> list[str]:
        """A person undoes what the claim set."""
        name = self.name_of(decode_effect(claim.effect)) if claim.effect else ""
        ours = [owned for owned, owner in self._owners.items() if owner == name]
        for resource, key, entry in ours:
            del self._owners[resource, key, entry]
            _take_out(self.values[resource], key, entry)
        for change in decode_effect(claim.effect).changes if claim.effect else ():
            values = self.values.get(change.resource, {})
            if values.get(change.key) == "" and change.prior is None:
                del values[change.key]
        return ["/".join(filter(None, owned)) for owned in ours]


def stamp_of(effect: Effect) -> int:
    """The claim's last digits, as they stand in the effect's rates."""
    rates = (c.new for c in effect.changes if c.key in RATES and c.new is not None)
    return int(next(rates, "0")) % STAMPS


def _text_of(effect: Effect) -> str:
    """What an effect without a stamp changes: people leave no value twice."""
    return " ".join(
        f"{c.resource}/{_short(c.key)}-{c.prior if c.new is None else c.new}" for c in effect.changes
    )


def _take_out(values: dict[str, str], key: str, entry: str) -> None:
    """That entry of a list, or without one the whole value."""
    there = [e for e in entries(values.pop(key)) if entry and e != entry]
    if entry:
        values[key] = ",".join(there)


def _flat(values: Values) -> dict[tuple[str, str], object]:
    """The order in a list means nothing."""
    return {
        (resource, key): sorted(entries(value)) if key in LISTS else value
        for resource, of_it in values.items()
        for key, value in of_it.items()
    }


def _short(key: str) -> str:
    return key.replace("replication.throttled.", "")
