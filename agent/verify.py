"""Did it help? Judged by samples taken after the action, never by an exit code; a gap proves nothing."""

from __future__ import annotations

from msgspec import Struct

from agent.model import Decision, Kind
from agent.quantities import show_duration


class View(Struct, frozen=True):
    """What is seen at one instant after the action."""

    now: int  # of the clock that `done_at` is of, as far as time has passed
    holds: bool  # `verify` has a result on fresh samples
    value: float | None  # of the alert that started it, None where it is gone
    threshold: float | None  # of its expression, where it has one
    worse_if: bool
    offline: int | None  # partitions, in a peer's view
    under_min_isr: int | None
    returning: bool = False  # the own broker is down, or came back a moment ago


class Before(Struct, frozen=True):
    """The peer's view when the effect began."""

    offline: int | None = None
    under_min_isr: int | None = None


class Judgement(Struct, frozen=True):
    """`verdict` None means: not yet. `since` is when `verify` began to hold without a break."""

    verdict: Kind | None
    reason: str
    since: int | None = None


def judge(
    decision: Decision, before: Before, view: View, done_at: int | None, since: int | None
) -> Judgement:
    """Healed, no better, worse, or not yet. `done_at` None: still acting, so only `worse` can be said."""
    worse = worsened(decision, before, view)
    if worse:
        return Judgement(Kind.WORSE, worse)
    if done_at is None:
        return Judgement(None, "still working")
    check = decision.verify
    if check is None:  # `rules check` wants a reason for this; without one, done is all that can be said
        return Judgement(Kind.HEALED, "done; the rule asks for no verification", view.now)
    if view.holds:
        since = view.now if since is None else since
        if view.now - since >= check.stable_for_ms:
            return Judgement(Kind.HEALED, f"{check.expr} held {show_duration(check.stable_for_ms)}", since)
        return Judgement(None, "verify holds, not long enough yet", since)
    if view.now - done_at >= check.within_ms:
        return Judgement(Kind.NO_BETTER, f"not {check.expr} within {show_duration(check.within_ms)}")
    return Judgement(None, "verify does not hold yet")


def worsened(decision: Decision, before: Before, view: View) -> str:
    """In what way it got worse since the effect began; empty where it did not."""
    for name, was, now in (
        ("partitions offline", before.offline, view.offline),
        ("partitions under min.insync.replicas", before.under_min_isr, view.under_min_isr),
    ):
        # A broker that is away takes its replicas with it: that is its crash, and no work of the action's.
        if was is not None and now is not None and now > was and not view.returning:
            return f"{name} rose from {was} to {now}"
    if view.worse_if:
        return f"worse_if holds: {decision.worse_if}"
    if view.value is None or view.threshold is None:
        return ""
    # A fifth of the threshold: a fifth of the first distance would be noise right after the crossing.
    away = abs(view.value - view.threshold) - abs(decision.value - view.threshold)
    if away > abs(view.threshold) / 5 > 0:
        return (
            f"{decision.alert} moved from {decision.value:g} to {view.value:g}, away from {view.threshold:g}"
        )
    return ""
