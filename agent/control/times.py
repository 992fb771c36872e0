"""The times and budgets with which a log is born (coordination.md sections 2 and 5), all in milliseconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from types import MappingProxyType

from agent.control.bodies import FOLD, WEEK

EVERY = 5_000  # offsets between two marks
DAY = 24 * 3_600_000
HOUR = 3_600_000


@dataclass(frozen=True, slots=True)
class Budget:
    """At most `cap` at once and, if `rate` > 0, at most `rate` that began in `window` ms of log time."""

    cap: int
    rate: int = 0
    window: int = 0


@dataclass(frozen=True, slots=True)
class Times:
    """One column of section 5. All but `degraded` and `short` travel in genesis, and are the log's then."""

    beat_each: int = 2_000  # an idle agent beats every `beat_each` × live sessions …
    beat_least: int = 4_000  # … but not more often than this
    beat_most: int = 60_000  # … and not more seldom than this
    beat_busy: int = 5_000  # with claims, from writing the claim on
    w: int = 30_000  # silence after which a session with claims, or in the barrier, may be expired
    w_idle: int = 150_000  # … any other
    h: int = 20_000  # hold time
    rho: int = 10  # per mille: how much faster or slower an agent's clock may run
    act: int = 3_000  # from arming the deadman to the last byte of an effect
    e_own: int = 5_000  # how long an effect in doubt may still land, sent to its own broker …
    e_controller: int = 100_000  # … or through the controller
    settle: int = 15_000  # nothing is granted for so long after a leader change or a log's birth
    probation: int = 60_000  # a new session begins nothing for so long
    age: int = 60_000  # a claim that waited so long blocks all its scopes for younger ones
    adoptions: int = 3  # a claim that outlives the last of them is stuck
    cooldown: int = 600_000  # of a handled problem
    degraded: int = 30_000  # no own record accepted for so long, although something failed
    short: int = 15_000  # how long the log may show less than was read before its tail counts as lost

    def params(self) -> dict[str, int]:
        """What genesis tells the fold of this column."""
        return {name: value for name, value in asdict(self).items() if name not in ("degraded", "short")}


PRODUCTION = Times()
LAB = Times(
    beat_each=0,
    beat_least=1_000,
    beat_most=1_000,
    beat_busy=1_000,
    w=6_000,
    w_idle=8_000,
    h=4_000,
    act=2_000,
    e_controller=65_000,
    settle=2_000,
    probation=3_000,
    cooldown=30_000,
    degraded=6_000,
    short=2_000,
)

# The compiled bounds: least and most of each parameter. `cooldown/KIND` is bounded as `cooldown`.
BOUNDS: Mapping[str, tuple[int, int]] = MappingProxyType(
    {
        "beat_each": (0, 60_000),
        "beat_least": (10, 60_000),
        "beat_most": (10, 600_000),
        "beat_busy": (10, 60_000),
        "w": (100, HOUR),
        "w_idle": (100, DAY),
        "h": (50, HOUR),
        "rho": (0, 200),
        "act": (10, HOUR),
        "e_own": (10, HOUR),
        "e_controller": (10, HOUR),
        "settle": (0, HOUR),
        "probation": (0, HOUR),
        "age": (0, DAY),
        "adoptions": (1, 10),
        "cooldown": (1, WEEK),
    }
)
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


def params_fault(params: Mapping[str, int]) -> str | None:
    """Why no log may live by these parameters, in words; above all, H must fit into W on the worst clocks,
    and an agent that lives must be heard in time though one of its beats is lost."""
    for name in BOUNDS:
        if name not in params:
            return f"params are missing: {name}"
    for name, value in params.items():
        known = "cooldown" if name.startswith("cooldown/") else name
        if known not in BOUNDS:
            return f"no such parameter: {name}"
        least, most = BOUNDS[known]
        if not least <= value <= most:
            return f"out of bounds: {name} is {least} to {most}"
    rho = params["rho"]
    if params["h"] * (1_000 + rho) >= params["w"] * (1_000 - rho):
        return "the hold time does not fit into W"
    for pause, silence in (("beat_busy", "w"), ("beat_most", "w_idle")):
        if 2 * params[pause] >= params[silence]:
            return f"two beats do not fit into a silence: twice {pause} must be less than {silence}"
    return None if params["w"] <= params["w_idle"] else "W idle is below W"


def beat_pause(params: Mapping[str, int], sessions: int, busy: bool) -> int:
    """The longest time between two own records (section 5)."""
    idle = min(max(params["beat_each"] * sessions, params["beat_least"]), params["beat_most"])
    return min(idle, params["beat_busy"]) if busy else idle


@dataclass(frozen=True, slots=True)
class Settings:
    """What an agent says of itself, and how it takes part. `agent` is `broker-<node id>`.

    `budgets` override those of section 2 in genesis and are unused once a log is born; `create` allows this
    agent to create the topic and to write genesis. `fold_max` is the newest fold version it can follow.
    `mark_every` is part of the fold (fold.py).
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
    fold_max: int = FOLD
    mark_every: int = EVERY


def genesis(log: str, settings: Settings, after: str = "") -> dict[str, object]:
    """The body of the record with which the log of topic id `log` is born, in place of the log `after`."""
    budgets = {**BUDGETS, **settings.budgets}
    return {
        "log": log,
        "after": after,
        "cluster": settings.cluster,
        "fold": settings.fold_max,
        "params": settings.times.params(),
        "budgets": {s: {"cap": b.cap, "rate": b.rate, "window": b.window} for s, b in budgets.items()},
    }
