"""Did it help: healed, no better, worse, or not yet."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace
from stories import decision

from agent.model import Kind
from agent.verify import Before, Trigger, View, first_seen, judge, worsened

FULL = Trigger("used > 0.85", 0.9, 0.85)
BEFORE = Before(offline=0, under_min_isr=0, trigger=FULL)
VIEW = View(now=0, holds=False, trigger=FULL, worse_if=False, offline=0, under_min_isr=0)


def test_help_must_hold_without_a_break() -> None:
    """10 s stable, as the decision asks; a break begins anew."""
    first = judge(decision(), BEFORE, replace(VIEW, now=5_000, holds=True), 0, None)
    broken = judge(decision(), BEFORE, replace(VIEW, now=9_000), 0, first.since)
    again = judge(decision(), BEFORE, replace(VIEW, now=10_000, holds=True), 0, broken.since)

    early = judge(decision(), BEFORE, replace(VIEW, now=19_999, holds=True), 0, again.since)
    healed = judge(decision(), BEFORE, replace(VIEW, now=20_000, holds=True), 0, again.since)

    assert (early.verdict, healed.verdict) == (None, Kind.HEALED)


def test_no_better_only_when_the_time_is_over() -> None:
    """60 s after the action was done, not after it was begun."""
    assert judge(decision(), BEFORE, replace(VIEW, now=69_999), 10_000, None).verdict is None
    assert judge(decision(), BEFORE, replace(VIEW, now=70_000), 10_000, None).verdict is Kind.NO_BETTER


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"offline": 1}, "partitions offline rose from 0 to 1"),
        ({"under_min_isr": 2}, "partitions under min.insync.replicas rose from 0 to 2"),
        ({"worse_if": True}, "worse_if holds"),
        ({"trigger": replace(FULL, value=1.09)}, "Full moved from 0.9 to 1.09, away from 0.85"),
    ],
)
def test_worse_is_said_at_once_even_while_acting(changed: dict[str, Any], words: str) -> None:
    """Nobody waits for the end of a move that breaks the cluster."""
    found = judge(decision(), BEFORE, replace(VIEW, **changed), None, None)

    assert found.verdict is Kind.WORSE
    assert words in found.reason


def test_a_broker_that_is_away_condemns_no_action() -> None:
    """Its own crash takes its replicas away; what the rule itself calls worse still counts."""
    away = replace(VIEW, offline=4, under_min_isr=9, returning=True)

    assert judge(decision(), BEFORE, away, 0, None).verdict is None
    assert judge(decision(), BEFORE, replace(away, worse_if=True), 0, None).verdict is Kind.WORSE


def test_a_view_that_is_missing_condemns_nothing() -> None:
    """A gap proves nothing, neither help nor harm."""
    blind = replace(VIEW, offline=None, under_min_isr=None, trigger=None)

    assert judge(decision(), BEFORE, blind, 0, None).verdict is None


@pytest.mark.parametrize(
    ("was", "now", "threshold", "worse"),
    [
        (0.9, 1.07, 0.85, False),
        (613e6, 620e6, 60e6, False),  # far beyond: a fifth of the threshold is noise
        (613e6, 740e6, 60e6, True),
        (9.0, 6.9, 10.0, True),  # one that alerts below it
        (9.0, 12.0, 10.0, False),
        (1.0, 9.0, 0.0, False),
    ],
)
def test_a_fifth_of_the_threshold_or_of_the_first_value(
    was: float, now: float, threshold: float, worse: bool
) -> None:
    """Whichever is more; of nothing there is no fifth."""
    before = Before(trigger=Trigger("x", was, threshold))
    assert bool(worsened(decision(), before, replace(VIEW, trigger=Trigger("x", now, threshold)))) == worse


def test_what_was_seen_first_is_compared_with() -> None:
    """A view that tells nothing leaves it open; what was decided by has no part in it."""
    blind = replace(VIEW, offline=None, under_min_isr=None, trigger=None)
    none = first_seen(Before(), blind)
    later = first_seen(none, replace(VIEW, offline=2, under_min_isr=3, trigger=replace(FULL, value=1.5)))

    assert none == Before()
    assert later == Before(2, 3, replace(FULL, value=1.5))
    assert first_seen(later, VIEW) == later
    assert not worsened(replace(decision(), value=0.9), later, replace(VIEW, trigger=later.trigger))
    assert worsened(decision(), later, replace(VIEW, under_min_isr=4))


def test_a_rule_that_was_changed_is_compared_with_itself() -> None:
    """After a reload; and what is no number is compared with nothing."""
    percent, nan = Trigger("100 * used > 85", 90.0, 85.0), replace(FULL, value=float("nan"))
    assert not worsened(decision(), BEFORE, replace(VIEW, trigger=percent))
    assert first_seen(BEFORE, replace(VIEW, trigger=percent)).trigger == percent
    assert first_seen(BEFORE, replace(VIEW, trigger=nan)) == BEFORE
