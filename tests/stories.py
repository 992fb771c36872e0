"""Small makers of entries and decisions, for tests that tell stories."""

from __future__ import annotations

from agent.model import Change, Decision, Effect, Entry, Kind, Operation, Verify

RATE = Change("broker/1", "follower.replication.throttled.rate", Operation.SET, None, "1000")
EFFECT = Effect("throttle", "broker-1", (RATE,))


def decision(
    incident: str = "Full//d1@0", *, step: int = 0, steps: int = 1, do: str = "throttle"
) -> Decision:
    """A decision of the alert `Full` for `/d1`."""
    return Decision(
        incident=incident,
        alert="Full",
        step=step,
        do=do,
        args=(),
        target="/d1",
        labels=(("alertname", "Full"), ("path", "/d1")),
        value=0.9,
        verify=Verify('used{path="/d1"} < 0.8', 60_000, 10_000),
        steps=steps,
    )


def entry(at: int, kind: Kind, *, of: Decision | None = None, reason: str = "so") -> Entry:
    """An entry of that decision's incident; a start carries the effect."""
    of = of or decision()
    opening = kind in (Kind.STARTED, Kind.REFUSED, Kind.PROPOSED, Kind.WAITING, Kind.ESCALATED)
    effect = EFFECT if kind is Kind.STARTED else None
    return Entry(at, kind, reason, of.incident, decision=of if opening else None, effect=effect)
