"""Did it help: healed, no better, worse, or not yet."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace
from stories import decision

from agent.model import Kind
from agent.verify import Before, View, judge

BEFORE = Before(offline=0, under_min_isr=0)
VIEW = View(now=0, holds=False, value=0.9, threshold=0.85, worse_if=False, offline=0, under_min_isr=0)


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
        ({"value": 1.08}, "Full moved from 0.9 to 1.08, away from 0.85"),
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
    blind = replace(VIEW, offline=None, under_min_isr=None, value=None)

    assert judge(decision(), BEFORE, blind, 0, None).verdict is None
