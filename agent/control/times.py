"""The times and budgets with which a log is born (coordination.md sections 2 and 5), all in milliseconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

DAY = 24 * 3_600_000


@dataclass(frozen=True, slots=True)
class Budget:
    """At most `cap` at once and, if `rate` > 0, at most `rate` that began in `window` ms of log time."""

    cap: int
    rate: int = 0
    window: int = 0


@dataclass(frozen=True, slots=True)
class Times:
    """One column of section 5. `age` and `cooldown` are the fold's and travel in genesis."""

    beat_each: int  # an idle agent beats every `beat_each` × live sessions …
    beat_least: int  # … but not more often than this
    beat_most: int  # … and not more seldom than this
    beat_busy: int  # with claims, from writing the claim on
    degraded: int  # no own record accepted for so long, although something failed
    settle: int  # how long the log may show less than was read before its tail counts as lost
    age: int  # a claim that waited so long blocks all its scopes for younger ones
    cooldown: int  # of a handled problem

    def beat(self, sessions: int, busy: bool) -> int:
        """The longest time between two own records."""
        idle = min(max(self.beat_each * sessions, self.beat_least), self.beat_most)
        return min(idle, self.beat_busy) if busy else idle

    def params(self) -> dict[str, int]:
        """What genesis tells the fold of this column."""
        return {"age": self.age, "cooldown": self.cooldown}


PRODUCTION = Times(2_000, 4_000, 60_000, 5_000, 30_000, 15_000, 60_000, 600_000)
LAB = Times(0, 1_000, 1_000, 1_000, 6_000, 2_000, 60_000, 30_000)

BUDGETS: Mapping[str, Budget] = MappingProxyType(
    {
        "restart": Budget(1, 3, DAY),
        "restart/*": Budget(1),
        "start": Budget(3),
        "disk_drain": Budget(2),
        "throttle": Budget(3),
        "election": Budget(1),
        "quota": Budget(2),
        "rebuild": Budget(1),
    }
)


@dataclass(frozen=True, slots=True)
class Settings:
    """What an agent says of itself, and how it takes part. `agent` is `broker-<node id>`.

    `budgets` override those of section 2 in genesis and are unused once a log is born; `create` allows this
    agent to create the topic and to write genesis.
    """

    agent: str
    host: str
    topic: str = "ottla-control"
    times: Times = PRODUCTION
    budgets: Mapping[str, Budget] = field(default_factory=dict)
    create: bool = False
    cluster: str = ""
    rack: str = ""
    version: str = "0"


def genesis(log: str, settings: Settings) -> dict[str, object]:
    """The body of the record with which the log of topic id `log` is born."""
    budgets = {**BUDGETS, **settings.budgets}
    return {
        "log": log,
        "after": "",
        "cluster": settings.cluster,
        "fold": 1,
        "params": settings.times.params(),
        "budgets": {s: {"cap": b.cap, "rate": b.rate, "window": b.window} for s, b in budgets.items()},
    }
