"""The record types with their conditions and effects: section 2's table, row for row."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from agent.control import claim_rules as c
from agent.control import operator_rules as o
from agent.control import session_rules as s
from agent.control import snapshot
from agent.control.rule import Rule

TABLE: Mapping[str, Rule] = MappingProxyType(
    {
        "genesis": Rule((s.unborn, s.names_itself, s.times_fit, s.budgets_sound), s.bear),
        "join": Rule((s.newer_incarnation, s.can_fold, s.memory_has_room), s.join),
        "beat": Rule((), s.beat),
        "leave": Rule((), s.leave),
        "note": Rule((s.not_too_many_notes,), s.note),
        "claim": Rule(
            (
                c.scopes_named,
                c.scopes_have_budgets,
                c.problem_not_handled,
                c.stamp_free,
                c.not_too_many,
                c.within_rates,
            ),
            c.claim,
        ),
        "intent": Rule(
            (c.held, c.room_in_force, c.nothing_stops_it, c.effect_fits, c.drops_no_change), c.intent
        ),
        "release": Rule((c.held,), c.release),
        "expire": Rule((s.target_live, s.still_silent, s.waited_enough), s.expire),
        "adopt": Rule((c.adoptable,), c.adopt),
        "found": Rule((c.scopes_named, c.effect_fits, c.explained_by_none), c.found),
        "snapshot": Rule((snapshot.is_the_mark,), snapshot.take),
        "pause": Rule((o.as_expected, o.selector_known), o.pause),
        "budget": Rule((o.as_expected, o.budget_sound), o.budget),
        "params": Rule((o.as_expected, o.times_still_fit), o.params),
        "resolve": Rule((o.resolvable,), o.resolve),
        "raise": Rule((o.as_expected, o.next_version, o.all_can_follow), o.raise_fold),
    }
)
