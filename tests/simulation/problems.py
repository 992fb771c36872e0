"""What breaks in the world, who sees it, and which effect mends it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from agent.control.state import Limit
from agent.control.times import Budget
from simulation.brokers import Key
from simulation.schedules import Event

BUDGETS = {
    "throttle": Budget(1),
    "drain": Budget(2),
    "quota": Budget(2, 4, 20_000),
    "restart": Budget(1, 3, 30_000),
    "restart/*": Budget(1),
}
KEEPERS = {"throttle": Budget(2), "disk_drain": Budget(1)}  # where actions keep what they have done
LIMIT = Limit("limited", 2, 20_000)  # of the kind `limited`, without a budget of its own; never drawn


@dataclass(frozen=True, slots=True)
class Problem:
    """One kind of trouble at one target. `lease`: how long its effect stands, seconds."""

    name: str
    kind: str
    target: int
    begins: float
    ends: float
    seen_by: int  # a bit for each node
    lease: float

    def active(self, now: float) -> bool:
        """Whether its symptom is there."""
        return self.begins <= now < self.ends

    @property
    def local(self) -> bool:
        """Whether its effect concerns one broker only, and is its own agent's."""
        return self.kind in ("drain", "restart")

    @property
    def limit(self) -> Limit | None:
        """Its remedy's own rate."""
        return LIMIT if self.kind == LIMIT.name else None

    @property
    def resource(self) -> str:
        """What its effect changes."""
        if self.local:
            return f"broker/{self.target}"
        return f"client/{self.target}" if self.kind == "quota" else f"topic/{self.target}"

    @property
    def resources(self) -> tuple[str, ...]:
        """The same, as a list of one."""
        return (self.resource,)

    @property
    def scopes(self) -> tuple[str, ...]:
        """What it claims."""
        rack = (f"restart/rack-{self.target % 2}",) if self.kind == "restart" else ()
        budget = () if self.limit else (self.kind,)
        return (*budget, *rack, f"x:{self.resource}")

    @property
    def keys(self) -> tuple[Key, ...]:
        """The settings that its effect changes, one after the other."""
        names = ("rate-in", "rate-out") if self.kind == "throttle" else ("rate",)
        return tuple((self.resource, name) for name in names)


class Problems:
    """All that have begun."""

    def __init__(self) -> None:
        self._all: list[Problem] = []
        self.now: Callable[[], float] = lambda: 0.0
        self.effect_made: Callable[[str, Problem], None] = lambda *_: None

    def add(self, event: Event) -> None:
        """A `problem` event."""
        kind = event.word.partition("#")[0]
        name = f"{kind}/{event.word}/{event.node}"
        lease = 0.5 + event.number // 2 % 7 * 0.9
        self._all.append(
            Problem(name, kind, event.node, event.at, event.at + event.lasts, event.number, lease)
        )

    def seen_by(self, node: int) -> Iterator[Problem]:
        """Those whose symptom is there, and that this node sees."""
        now = self.now()
        return (p for p in self._all if p.seen_by >> node & 1 and p.active(now))

    def end(self) -> None:
        """No symptom is left."""
        self._all.clear()
