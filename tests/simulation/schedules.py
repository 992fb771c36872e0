"""What will happen: everything is drawn from the seed before it begins, so that a schedule can be cut down by
leaving events out, and what is left happens as before."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from agent.control.times import EVERY

MARKED = 7  # of so many schedules one has marks, and snapshots, at every SOON offsets
SOON = 60
SETS = ("base", "gap", "frozen", "stopped", "path", "tail", "recreated", "upgrade", "people")
LATER_SETS = ("woken", "votes", "orders", "forged")  # have seeds of their own: the others keep theirs
MILLIONS = ("kept", "deleted", "segments")  # have a million seeds each, for the same reason
SIZES = (1, 2, 3, 3, 3, 4, 4, 5, 5, 7)
OFTEN_MARKED = ("forged", "deleted", "segments")
EARLY = ("gap", "frozen", "stopped", "path", "woken")  # their faults take long to show
MANY = 30  # agents, in one schedule of so many


@dataclass(frozen=True, slots=True)
class Event:
    """At `at` seconds `what` befalls `node` (an agent's machine, or a broker), for `lasts` seconds."""

    at: float
    what: str
    node: int = 0
    lasts: float = 0.0
    number: int = 0
    word: str = ""

    def __str__(self) -> str:
        told = f"{self.at:8.3f} {self.what}"
        told += f" node={self.node}" if self.node else ""
        told += f" for {self.lasts:.3f} s" if self.lasts else ""
        return (
            told + (f" number={self.number}" if self.number else "") + (f" {self.word}" if self.word else "")
        )


@dataclass(frozen=True, slots=True)
class Machinery:
    """One machine's clocks and release."""

    rate: float
    offset: float
    fold_max: int


@dataclass(frozen=True, slots=True)
class Schedule:
    """Faults stop at `ends`."""

    seed: int
    faults: str  # which set
    machines: tuple[Machinery, ...]
    sasl: bool
    ends: float
    events: tuple[Event, ...] = field(repr=False)
    times: tuple[tuple[str, int], ...] = ()  # parameters that differ from the simulation's
    mark_every: int = EVERY  # offsets between two marks, of each of which a snapshot is written

    @property
    def daemon(self) -> bool:
        """Whether the daemon itself plays it."""
        return DAEMON <= self.seed < LATER or self.seed >= BY_HAND or self.faults == "kept"


# What befalls agents and the log in every set: how often, and how long it lasts at most.
BASE: dict[str, tuple[int, float]] = {
    "crash": (6, 20.0),
    "pause": (3, 12.0),
    "cut from log": (3, 10.0),
    "cut from world": (2, 8.0),
    "cut": (2, 10.0),
    "log down": (1, 9.0),
    "min ISR lost": (1, 9.0),
    "leader": (3, 0.0),
    "appends lost": (2, 4.0),
    "appends unanswered": (3, 4.0),
    "appends late": (2, 3.0),
    "appends twice": (2, 4.0),
    "zombie leader": (2, 7.0),
    "shorter log": (1, 1.2),
    "garbage": (1, 0.0),
    "replayed": (2, 0.0),
    "unreadable batch": (1, 0.0),
    "writes lost": (1, 5.0),
    "writes slow": (6, 10.0),
    "writes unanswered": (3, 8.0),
    "clock step": (1, 0.0),
    "suspend": (1, 9.0),
    "disk full": (1, 4.0),
    "operator pauses": (1, 6.0),
}
OWN: dict[str, dict[str, tuple[int, float]]] = {
    "base": {},
    "gap": {"pause in the gap": (16, 40.0), "crash in the gap": (4, 8.0)},
    "frozen": {"freeze": (4, 20.0), "freeze in the gap": (12, 40.0)},
    "stopped": {
        "node stops": (6, 15.0),
        "node dies": (2, 0.0),
        "node stops on arrival": (9, 15.0),
        "host hangs": (9, 34.0),
        "writes slow": (8, 10.0),
    },
    "path": {"cut from world": (6, 12.0), "cut in the gap": (16, 16.0)},
    "tail": {"tail lost": (9, 0.0), "leader": (3, 0.0), "crash": (6, 12.0)},
    "recreated": {"topic re-created": (3, 0.0)},
    "upgrade": {"update": (8, 0.0), "raise": (5, 0.0)},
    "people": {
        "operator pauses": (5, 25.0),
        "operator cuts a budget": (4, 25.0),
        "operator changes times": (3, 0.0),
        "operator resolves": (4, 0.0),
        "host is gone": (1, 0.0),
        "confusion": (9, 0.0),
        "undo crashes": (5, 40.0),
    },
    "woken": {"node stops again": (9, 16.0), "host hangs": (2, 34.0), "node stops on arrival": (2, 15.0)},
    "votes": {"votes late": (9, 40.0), "pause": (9, 13.0)},
    "orders": {"operators race": (1, 0.0)},
    "forged": {"snapshot forged": (9, 40.0), "crash": (9, 6.0)},
    "kept": {
        "crash": (6, 34.0),
        "crash in the gap": (9, 34.0),
        "pause in the gap": (4, 25.0),
        "cut in the gap": (4, 16.0),
        "tail lost": (3, 0.0),
        "node stops on arrival": (3, 10.0),
        "node dies": (2, 0.0),
        "writes slow": (6, 10.0),
        "beginning deleted": (4, 0.0),
    },
    "deleted": {
        "beginning deleted": (12, 0.0),
        "crash": (6, 12.0),
        "pause": (3, 14.0),
        "cut from log": (6, 20.0),
        "tail lost": (3, 0.0),
    },
    "segments": {"segment ends": (9, 0.0), "beginning deleted": (3, 0.0), "tail lost": (2, 0.0)},
}
ON_NODES = frozenset(
    {
        "node stops",
        "host hangs",
        "node dies",
        "node stops on arrival",
        "node stops again",
        "writes lost",
        "writes slow",
        "writes unanswered",
    }
)
KINDS = ("throttle", "throttle", "drain", "quota", "restart")

DAEMON = 900_000  # the seeds from here on are played by the daemon itself (simulation.daemon_agent),
LATER = 2_000_000  # those from here on are of the later sets,
MILLION = 1_000_000
FIRST_MILLION = 3  # those from three million on are of MILLIONS, one after the other,
BY_HAND = 1_000_000_000  # and those from here on are written for the daemon (simulation.daemon_written)
LAGS = ("Behind", "Behind", "Far", "Slow")
MENDED = ("Leftover", "Leftover", "Full", "Full", "Behind", "Far")  # where what mends it is kept
# What befalls a daemon: it and its people have more to do with than the simulation's own driver.
AT_DAEMONS: dict[str, tuple[int, float]] = {
    "crash at an entry": (6, 8.0),
    "operator throttles": (4, 15.0),
    "stop file": (1, 8.0),
    "operator undoes": (1, 0.0),
}
AT_KEEPERS = AT_DAEMONS | {"operator throttles": (0, 0.0), "throttle left": (6, 0.0)}


def drawn(seed: int) -> Schedule:
    """The schedule of a seed."""
    faults = set_of(seed)
    if DAEMON <= seed < LATER or faults == "kept":
        return _drawn_for_daemons(seed, faults)
    random = Random(seed)
    many = random.randrange(150) == 0
    agents = MANY if many else random.choice(SIZES)
    ends = 14.0 if many else random.uniform(40.0, 55.0) if faults in EARLY else random.uniform(20.0, 45.0)
    machines = tuple(
        Machinery(
            rate=1 + random.choice([0, 0, random.uniform(-0.009, 0.009)]),
            offset=random.choice([0.0, random.uniform(-0.2, 0.2), random.uniform(-300, 300)]),
            fold_max=random.choice([1, 2]) if faults == "upgrade" else 2,
        )
        for _ in range(agents)
    )
    events = [*_problems(random, agents, ends), *_faults(random, faults, agents, ends)]
    events.sort(key=lambda event: event.at)
    every = SOON if seed % MARKED == MARKED - 1 else EVERY
    every = SOON // 2 if faults in OFTEN_MARKED else every
    return Schedule(seed, faults, machines, random.random() < 0.7, ends, tuple(events), mark_every=every)


def set_of(seed: int) -> str:
    """The set of faults of a seed."""
    if seed < LATER:
        return SETS[seed % len(SETS)]
    million = seed // MILLION - FIRST_MILLION
    return MILLIONS[million] if million >= 0 else LATER_SETS[seed % len(LATER_SETS)]


def seeds_of(faults: str, most: int) -> range:
    """So many of a set; of one that the daemon plays, too, where its name begins with that."""
    name = faults.removeprefix("daemon-")
    if name in MILLIONS:
        first, step = MILLION * (FIRST_MILLION + MILLIONS.index(name)), 1
    elif name in LATER_SETS:
        first, step = LATER + LATER_SETS.index(name), len(LATER_SETS)
    else:
        first, step = SETS.index(name) + (0 if name == faults else DAEMON), len(SETS)
    return range(first, first + most * step, step)


def _drawn_for_daemons(seed: int, faults: str) -> Schedule:
    random = Random(seed)
    agents = random.choice(SIZES)
    ends = random.uniform(45.0, 70.0)
    machines = tuple(
        Machinery(
            rate=1 + random.choice([0, 0, random.uniform(-0.009, 0.009)]),
            offset=random.choice([0.0, random.uniform(-0.2, 0.2), random.uniform(-300, 300)]),
            fold_max=2,
        )
        for _ in range(agents)
    )
    table, alerts = (AT_KEEPERS, MENDED) if faults == "kept" else (AT_DAEMONS, LAGS)
    own = _of(random, table, random.randint(0, 3), agents, ends, 0.9)
    events = [*_lags(random, agents, ends, alerts), *_faults(random, faults, agents, ends), *own]
    events.sort(key=lambda event: event.at)
    every = SOON if faults == "kept" else EVERY
    return Schedule(seed, faults, machines, random.random() < 0.7, ends, tuple(events), mark_every=every)


def _lags(random: Random, agents: int, ends: float, alerts: tuple[str, ...]) -> list[Event]:
    """Whose replicas fall behind, by the alert that tells it; `number` says of which topic."""
    few = min(agents, random.choice([1, 2, 3]))
    found = []
    for _ in range(random.randint(3, 7)):
        at = 2.0 + (ends - 15.0) * random.random()
        lasts = random.uniform(9.0, 35.0)
        number = random.randint(0, 1 << 16)
        found.append(Event(at, "problem", random.randint(1, few), lasts, number, random.choice(alerts)))
    return found


def _problems(random: Random, agents: int, ends: float) -> list[Event]:
    """What breaks in the world. `number` has a bit for each agent that sees it; `node` is the target."""
    few = random.choice([1, 1, 2, 3])  # targets: the fewer, the more agents want the same
    found = []
    for index in range(random.randint(4, 8)):
        kind = random.choice(KINDS)
        if kind in ("drain", "restart"):
            target = random.randint(1, agents)
            seen = 1 << target
        else:
            target = random.randint(1, few)
            seen = sum(1 << node for node in range(1, agents + 1) if random.random() < 0.8)
        at = 3.0 + (ends - 6.0) * random.random()
        lasts = random.uniform(6.0, 30.0)
        found.append(Event(at, "problem", target, lasts, seen, f"{kind}#{random.randint(0, index)}"))
    return found


def _faults(random: Random, faults: str, agents: int, ends: float) -> list[Event]:
    """Some of those of every set, and some of the set's own."""
    events = []
    tables = [(BASE, random.randint(2, 8))]
    if OWN[faults]:
        tables.append((OWN[faults], random.randint(1, 4)))
    latest = 0.5 if faults in EARLY else 0.9
    for table, count in tables:
        events += _of(random, table, count, agents, ends, latest)
    return events


def _of(
    random: Random, table: dict[str, tuple[int, float]], count: int, agents: int, ends: float, latest: float
) -> list[Event]:
    """So many of a table's."""
    events = []
    names = sorted(table)
    for what in random.choices(names, [table[name][0] for name in names], k=count):
        longest = table[what][1]
        lasts = longest * random.random() ** (1.5 if table is BASE else 1.0)
        node = random.randint(0 if what in ON_NODES else 1, agents)
        at = 4.0 + (ends - 4.0) * latest * random.random()
        events.append(Event(at, what, node, lasts, random.randint(1, 1 << 16)))
    return events
