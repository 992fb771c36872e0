"""Short stories in entries: for who tells one, and who reads one. Instants are seconds after T0."""

from __future__ import annotations

from msgspec.structs import replace

from agent.model import Change, Decision, Effect, Entry, Kind, Operation

T0 = 1_790_000_000_000

DRAIN = Decision(
    incident="i1",
    alert="LogDirFillingUp",
    step=0,
    do="drain_disk",
    args=(("log_dir", "/d1"), ("until_used_ratio", 0.75)),
    target="/d1",
    labels=(("alertname", "LogDirFillingUp"), ("path", "/d1")),
    value=0.87,
    steps=2,
)
MOVE = Change("replica/orders-0", "log.dir", Operation.MOVE, "/d1", "/d2")
EFFECT = Effect("drain_disk", "broker-2", (MOVE,))
THROTTLE = replace(
    DRAIN, incident="i2", alert="UnderReplicated", do="throttle_replication", target="orders", steps=1
)


def fact(after: int, kind: Kind, reason: str, of: Decision = DRAIN) -> Entry:
    """An entry so many seconds after T0; what a kind carries besides is added with `replace`."""
    opening = kind in (Kind.REFUSED, Kind.WAITING, Kind.STARTED)
    return Entry(T0 + after * 1000, kind, reason, of.incident, decision=of if opening else None)


REFUSED = replace(fact(0, Kind.REFUSED, "the agent has run for less than 30s"), question="inputs")
STARTED = replace(fact(30, Kind.STARTED, "nothing objects"), effect=EFFECT, until=T0 + 3_600_000)
HELD = (
    REFUSED,
    STARTED,
    fact(31, Kind.DONE, "1 replica moves"),
    fact(60, Kind.HEALED, "used ratio 0.71 for 2m"),
)
CLOSED = (*HELD, fact(61, Kind.CLOSED, "what it moved stays"))
WAITS = replace(
    fact(5, Kind.WAITING, "x:topic/orders is held by broker-1 since offset 41", THROTTLE),
    claim=44,
)
