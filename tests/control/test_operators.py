"""What people change through an agent: pause, budget, params, raise (coordination.md section 2)."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from scribe import Scribe

from agent.control.bodies import FOLD
from agent.control.memory import MEMORIES
from agent.control.operator_rules import PAUSES
from agent.control.records import BadRecord
from agent.control.state import Began
from agent.control.times import LAB, Budget

BUDGET = {"scope": "disk_drain", "cap": 1, "rate": 0, "window": 0}


def two(log: Scribe | None = None) -> tuple[Scribe, int, int]:
    """A log with two agents."""
    log = log or Scribe.born()
    return log, log.join("broker-1"), log.join("broker-2")


def paused(log: Scribe, session: int, selector: str = "*", seconds: int = 0, expect: int = -1) -> int:
    """The offset of a pause that must be accepted."""
    words = {"on": True, "selector": selector, "for": seconds, "expect": expect}
    assert log.order(session, "pause", **words).void is None
    return log.state.offset


def test_section_2_a_pause_stops_intents_and_grants_but_never_a_release() -> None:
    log, one, other = two()
    dirty, granted = log.dirty(one, "x:topic/a"), log.claimed(one, "x:topic/b")
    paused(log, other)
    waiting = log.claimed(other, "x:topic/c")
    assert log.is_(waiting) == "queued"
    assert log.intent(one, granted).void == "paused: *"
    assert log.intent(one, dirty, "k", "l").void == "paused: *"  # an extension is an effect too
    assert log.release(one, dirty, "undone").void is None
    assert log.release(one, granted, "cancelled").void is None


def test_section_2_a_pause_ends_after_so_many_seconds_of_log_time() -> None:
    log, one, other = two()
    paused(log, other, seconds=20)
    waiting = log.claimed(one, "x:topic/c")
    log.wait(other, 19_000)
    assert log.is_(waiting) == "queued"
    log.wait(other, 1_000)
    assert log.is_(waiting) == "granted"
    assert log.intent(one, waiting).void is None


def test_section_2_a_pause_without_an_end_lasts_until_it_is_resumed() -> None:
    log, one, other = two()
    offset = paused(log, other)
    waiting = log.claimed(one, "x:topic/c")
    log.wait(other, 3_600_000)
    assert log.is_(waiting) == "queued"
    resume = {"on": False, "selector": "*", "for": 0}
    assert log.order(one, "pause", **resume).void == f"changed meanwhile: at offset {offset}"
    assert log.order(one, "pause", **resume, expect=offset).void is None
    assert log.is_(waiting) == "granted"


@pytest.mark.parametrize(
    ("selector", "means"),
    [
        ("*", [True, True, True]),
        ("kind:drain_disk", [False, True, False]),
        ("agent:broker-1", [True, True, False]),
        ("host:broker-2", [False, False, True]),
        ("scope:x:topic/a", [True, False, False]),
        ("scope:x:*", [True, False, True]),
        ("scope:disk_drain", [False, True, False]),
        ("scope:restart*", [False, False, False]),
    ],
)
def test_section_2_a_pause_stops_what_its_selector_names(selector: str, means: list[bool]) -> None:
    log, one, other = two()
    paused(log, other, selector)
    claims = [
        log.claimed(one, "x:topic/a"),
        log.claimed(one, "disk_drain", kind="drain_disk"),
        log.claimed(other, "x:topic/b"),
    ]
    assert [log.is_(c) == "queued" for c in claims] == means


@pytest.mark.parametrize("selector", ["", "all", "kind:", "colour:red"])
def test_section_2_a_selector_that_names_nothing_is_refused(selector: str) -> None:
    log, one, _ = two()
    words = {"on": True, "selector": selector or "x", "for": 0}
    assert str(log.order(one, "pause", **words).void).startswith("no such selector")
    assert not log.state.pauses


def test_section_2_pauses_that_ended_make_room_for_new_ones() -> None:
    log, one, _ = two()
    for number in range(PAUSES):
        paused(log, one, f"kind:k{number}", seconds=100 if number else 0)
    words = {"on": True, "selector": "kind:new", "for": 0}
    assert log.order(one, "pause", **words).void == "too many pauses"
    log.wait(one, 101_000)
    offset = log.state.changes["pause/kind:k0"]
    assert log.order(one, "pause", on=False, selector="kind:k0", expect=offset, **{"for": 0}).void is None
    assert log.order(one, "pause", **words).void is None
    assert set(log.state.pauses) == {"kind:new"}
    assert set(log.state.changes) == {"pause/kind:new"}
    paused(log, one, "kind:k0")


def test_section_2_what_people_changed_is_remembered_within_bounds() -> None:
    log, one, _ = two()
    for number in range(3 * PAUSES):
        offset = paused(log, one, f"kind:k{number}")
        assert (
            log.order(one, "pause", on=False, selector=f"kind:k{number}", expect=offset, **{"for": 0}).void
            is None
        )
    assert len(log.state.pauses) <= PAUSES
    assert len(log.state.changes) <= PAUSES


def test_section_2_what_is_paused_does_not_keep_others_from_what_it_waits_for() -> None:
    log, one, other = two()
    paused(log, one, "agent:broker-1")
    log.claimed(one, "x:topic/a", priority=0)
    assert log.is_(log.claimed(other, "x:topic/a")) == "granted"


def test_section_2_compare_and_set_is_for_each_selector_and_each_budget() -> None:
    log, one, other = two()
    first = paused(log, one, "*")
    paused(log, one, "kind:drain_disk")
    assert log.order(other, "budget", **BUDGET).void is None
    again = {**BUDGET, "cap": 5}
    assert log.order(other, "budget", **again).void == f"changed meanwhile: at offset {log.state.offset - 1}"
    assert log.order(other, "budget", **again | {"scope": "quota"}).void is None
    paused(log, other, "*", expect=first)


def test_section_2_a_smaller_cap_counts_at_once_even_for_what_was_granted() -> None:
    log, one, other = two()
    log.dirty(one, "disk_drain")
    granted = log.claimed(other, "disk_drain")
    assert log.order(one, "budget", **BUDGET).void is None
    assert log.intent(other, granted).void == "no room: disk_drain"
    assert log.release(other, granted, "cancelled").void is None


def test_section_2_a_larger_cap_grants_what_waits() -> None:
    log, one, other = two()
    for number in range(2):
        log.dirty(one, "disk_drain", problem=f"p{number}")
    waiting = log.claimed(other, "disk_drain")
    log.order(one, "budget", **BUDGET | {"cap": 3})
    assert log.is_(waiting) == "granted"
    assert log.intent(other, waiting).void is None


def test_section_2_orphans_and_stuck_claims_count_at_an_intent() -> None:
    log, one, other = two()
    log.orphan(one, "disk_drain")
    granted = log.claimed(other, "disk_drain")
    log.order(other, "budget", **BUDGET)
    assert log.intent(other, granted).void == "no room: disk_drain"


def test_section_2_budgets_are_within_compiled_bounds() -> None:
    log, one, _ = two()
    assert log.order(one, "budget", **BUDGET | {"scope": "x:topic/a", "cap": 2}).void == (
        "exclusive scopes are for one"
    )
    assert log.order(one, "budget", **BUDGET | {"rate": 1}).void == "a rate needs a window"


def test_section_2_a_rate_set_by_a_person_counts_what_began_before() -> None:
    """Also where nothing had a rate then, and where it was without one for a while."""
    log, one, _ = two()
    log.release(one, log.dirty(one, "disk_drain"), "done")
    for rate, window in ((3, 100_000), (0, 0), (1, 100_000)):
        last = log.state.changes.get("budget/disk_drain", -1)
        log.order(one, "budget", **BUDGET | {"rate": rate, "window": window}, expect=last)
    assert str(log.claim(one, "disk_drain").void).startswith("rate: disk_drain allows 1 in 100 s: 1 began")


def test_section_2_what_no_rate_counts_makes_room_in_a_full_memory_and_what_one_counts_does_not() -> None:
    log, one, _ = two()
    log.state = replace(
        log.state, began=tuple(Began(log.state.clock, ("disk_drain",)) for _ in range(MEMORIES))
    )
    first = log.state.began[1]
    log.release(one, log.dirty(one, "disk_drain", problem="p"), "done")
    assert len(log.state.began) == MEMORIES
    assert log.state.began[0] == first
    log.order(one, "budget", **BUDGET | {"rate": 9_999, "window": 100_000})
    assert log.claim(one, "disk_drain", problem="q").void == "the memory is full"


@pytest.mark.parametrize(
    ("values", "at_once"),
    [
        ({"w": 5_000}, False),
        ({"w": 7_000}, True),
        ({"h": 5_000}, False),
        ({"h": 3_000}, True),
        ({"e_own": 6_000}, False),
        ({"e_own": 4_000}, True),
        ({"e_controller": 70_000}, False),
        ({"w_idle": 7_000}, False),
        ({"age": 1_000}, True),
    ],
)
def test_section_2_a_shorter_w_a_longer_h_or_e_counts_after_the_older_of_the_two_times(
    values: dict[str, int], at_once: bool
) -> None:
    log, one, _ = two()
    ((name, value),) = values.items()
    older = log.state.params[name]
    assert log.order(one, "params", values=values).void is None
    assert log.state.params[name] == (value if at_once else older)
    if not at_once:
        log.wait(one, older - 1)
        assert log.state.params[name] == older
        log.wait(one, 1)
        assert log.state.params[name] == value
        assert not log.state.coming


@pytest.mark.parametrize("name", ["act", "e_own", "e_controller"])
def test_section_2_a_shorter_act_or_e_counts_once_what_left_under_the_older_can_land_no_more(
    name: str,
) -> None:
    """At once where no claim has begun anything; else who adopts it would doubt its request too shortly."""
    log, one, _ = two()
    before = log.state.params
    assert log.order(one, "params", values={name: before[name] - 1}).void is None
    assert log.state.params[name] == before[name] - 1
    log.dirty(one, "throttle", problem="p")
    last, now = log.state.changes["params"], log.state.params
    assert log.order(one, "params", values={name: before[name] - 2}, expect=last).void is None
    log.wait(one, now["act"] + max(now["e_own"], now["e_controller"]) - 1)
    assert log.state.params[name] == before[name] - 1
    log.wait(one, 1)
    assert log.state.params[name] == before[name] - 2
    assert not log.state.coming


def test_section_2_h_must_still_fit_into_w_at_every_moment() -> None:
    log, one, _ = two()
    for values in ({"h": 5_950}, {"w": 4_000}, {"h": 8_000, "w": 9_000, "w_idle": 8_500}):
        assert log.order(one, "params", values=values).void is not None
    assert log.order(one, "params", values={"h": 3_000, "w": 4_000}).void is None
    assert log.state.params["h"] == 3_000
    last = log.state.offset
    assert log.order(one, "params", values={"h": 5_000}, expect=last).void == (  # a shorter W is coming
        "the hold time does not fit into W"
    )


def test_section_2_params_clear_all_votes() -> None:
    log, one, other = two()
    log.expire(one, other, LAB.w_idle)
    assert log.state.sessions[other].votes
    log.order(one, "params", values={"w_idle": 60_000})
    assert not log.state.sessions[other].votes


def test_section_2_params_are_compare_and_set() -> None:
    log, one, _ = two()
    log.order(one, "params", values={"age": 1_000})
    assert str(log.order(one, "params", values={"age": 2_000}).void).startswith("changed meanwhile")


def test_section_5_a_kind_may_have_a_longer_cool_down_of_its_own() -> None:
    log, one, other = two()
    log.order(one, "params", values={"cooldown/drain_disk": 90_000})
    for kind, problem in (("drain_disk", "p"), ("other", "q")):
        log.release(one, log.dirty(one, "x:a", kind=kind, problem=problem), "done")
    log.wait(one, LAB.cooldown)
    assert log.claim(other, "x:a", problem="p").void == "problem was handled: p"
    assert log.claim(other, "x:b", problem="q").void is None


def test_section_2_a_fold_is_raised_by_one_when_every_live_session_can_follow() -> None:
    log = Scribe.born(fold=1)
    one, old = log.join("broker-1"), log.join("broker-2", fold_max=1)
    assert log.state.version == 1
    assert log.order(one, "raise", to=2).void == "cannot follow: broker-2"
    log.say(old, "leave")
    assert log.order(one, "raise", to=3).void == "not the next fold version: 2 is"
    assert log.order(one, "raise", to=2).void is None
    assert log.state.version == 2
    x = {"host": "", "rack": "", "incarnation": 2, "nonce": "0" * 32, "fold_max": 1, "version": "0"}
    late = log.put("join", "broker-2", -1, x | {"redeclare": [], "handled": []})
    assert late.void == "fold too old"


def test_section_2_records_of_another_version_are_void_before_and_after_the_raise() -> None:
    log = Scribe.born(fold=1)
    one = log.join("broker-1")
    beat = {"status": "", "firing": []}
    assert log.put("beat", "broker-1", one, beat, f=2).void == "another fold version"
    log.order(one, "raise", to=2)
    assert log.put("beat", "broker-1", one, beat, f=1).void == "another fold version"
    assert log.put("beat", "broker-1", one, beat, f=2).void is None


def test_section_6_a_field_of_a_later_version_is_void_below_it() -> None:
    plan = [{"resource": "replica/orders-0", "key": "replicas"}]
    log = Scribe.born(fold=1)
    one = log.join("broker-1")
    with pytest.raises(BadRecord, match="not a body of type claim"):
        log.claim(one, "x:a", plan=plan)
    log.order(one, "raise", to=FOLD)
    claim = log.claimed(one, "x:a", plan=plan)
    assert log.state.claims[claim].plan == (("replica/orders-0", "replicas"),)


def test_section_2_a_remedys_limit_is_held_as_the_lower_of_the_two() -> None:
    log, one, _ = two(Scribe.born(budgets={"limit/a": Budget(0, 1, 10_000)}))
    limit = {"name": "a", "rate": 2, "window": 100_000}
    log.release(one, log.dirty(one, "throttle", limit=limit), "done")
    assert str(log.claim(one, "throttle", limit=limit).void).startswith("rate: limit/a allows 1 in 10 s")
    log.wait(one, 10_000)
    log.release(one, log.dirty(one, "throttle", limit=limit), "done")
    log.wait(one, 10_000)
    assert str(log.claim(one, "throttle", limit=limit).void).startswith("rate: limit/a allows 2 in 100 s")
