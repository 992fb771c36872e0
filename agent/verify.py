"""Did it help? Judged by samples taken after the action, never by an exit code; a gap proves nothing."""

from __future__ import annotations

import math

from msgspec import Struct
from msgspec.structs import replace

from agent.model import Decision, Kind
from agent.quantities import show_duration


class Trigger(Struct, frozen=True):
    """What the alert's rule gives now: a value that rests on nothing but what was after the effect began, and
    the number that `expr` compares it with."""

    expr: str
    value: float
    threshold: float


class View(Struct, frozen=True):
    """What is seen at one instant after the effect began."""

    now: int  # of the clock that `done_at` is of, as far as time has passed
    holds: bool  # `verify` has a result on fresh samples
    trigger: Trigger | None  # None where it is gone, or cannot be told
    worse_if: bool
    offline: int | None  # partitions, in a peer's view
    under_min_isr: int | None
    returning: bool = False  # the own broker is down, or came back a moment ago


class Before(Struct, frozen=True):
    """What was seen first: of a peer's view the last one before the effect began, else the first one after
    it; of the trigger the first value after it."""

    offline: int | None = None
    under_min_isr: int | None = None
    trigger: Trigger | None = None


class Judgement(Struct, frozen=True):
    """`verdict` None means: not yet. `since` is when `verify` began to hold without a break."""

    verdict: Kind | None
    reason: str
    since: int | None = None


def first_seen(before: Before, view: View) -> Before:
    """What this view is the first to tell is what later ones are compared with."""
    was, now = before.trigger, view.trigger
    if now is not None and not math.isnan(now.value) and (was is None or was.expr != now.expr):
        was = now  # the first one, or of a rule that was changed since
    return replace(
        before,
        offline=view.offline if before.offline is None else before.offline,
        under_min_isr=view.under_min_isr if before.under_min_isr is None else before.under_min_isr,
        trigger=was,
    )


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
    return _moved_away(decision.alert, before.trigger, view.trigger)


def _moved_away(alert: str, was: Trigger | None, now: Trigger | None) -> str:
    if was is None or now is None or was.expr != now.expr or not now.threshold:
        return ""
    away = abs(now.value - now.threshold) - abs(was.value - now.threshold)
    # Not of the first distance, which is nearly nothing right after the crossing; and of a value that is far
    # beyond the threshold, a fifth of the threshold is noise.
    if away > max(abs(now.threshold), abs(was.value)) / 5:
        return f"{alert} moved from {was.value:g} to {now.value:g}, away from {now.threshold:g}"
    return ""
