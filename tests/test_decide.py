"""What firing alerts want next, and how incidents end."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from stories import decision, entry

from agent.decide import decide, endings, is_given
from agent.history import History, replay
from agent.model import Alert, AlertState, Kind, Limits, Mode, Place, Remedy, Step, Verify, labels_of

PLACE = Place("r.yml", 1, 1)
CHECK = Verify('used{path="$path"} < 0.8', 60_000, 10_000)
STEPS = (
    Step("trim", (("log_dir", "$path"), ("note", "a $path b")), 1_000, CHECK, PLACE),
    Step("throttle", (), None, CHECK, PLACE),
)
REMEDIES = {"Full": Remedy("Full", "sre", Mode.ACT, "path", (), STEPS, Limits(), None, PLACE)}
ALERT = Alert("Full", labels_of({"alertname": "Full", "path": "/d1"}), AlertState.FIRING, 0, 0.9)
TWO = decision(steps=2)


def test_a_firing_alert_wants_the_first_step() -> None:
    """Complete: labels filled in, only whole words."""
    (one,) = decide([ALERT], REMEDIES, History(), 5)

    assert (one.incident, one.do, one.target, one.lease_ms, one.steps) == (
        "Full//d1@5",
        "trim",
        "/d1",
        1_000,
        2,
    )
    assert one.args == (("log_dir", "/d1"), ("note", "a $path b"))
    assert one.verify == Verify('used{path="/d1"} < 0.8', 60_000, 10_000)


def test_of_several_alerts_of_a_patient_those_with_all_labels_come_first() -> None:
    """What is refused for a label would take the one try that the patient has; else the order stays."""
    has = [replace(ALERT, labels=(*ALERT.labels, ("topic", name))) for name in "ba"]
    other = replace(ALERT, labels=labels_of({"alertname": "Full", "path": "/d2", "topic": "c"}))
    remedies = {"Full": replace(REMEDIES["Full"], unless=('moving{topic="$topic"} > 0',))}

    found = decide([ALERT, *has, other], remedies, History(), 5)

    assert [dict(one.labels).get("topic") for one in found] == ["b", "a", "c", None]


@pytest.mark.parametrize("value", [0.9, float("nan")])
def test_a_remedy_gives_what_it_decided_whatever_the_alert_s_value_is(value: float) -> None:
    (one,) = decide([replace(ALERT, value=value)], REMEDIES, History(), 5)

    assert is_given(one, REMEDIES["Full"])
    assert is_given(one, replace(REMEDIES["Full"], limits=Limits(cooldown_ms=1), owner="dba"))


@pytest.mark.parametrize(
    "other",
    [
        {"steps": (replace(STEPS[0], args=(("log_dir", "/d2"), ("note", "a $path b"))), STEPS[1])},
        {"steps": (replace(STEPS[0], do="drop"), STEPS[1])},
        {"steps": (replace(STEPS[0], lease_ms=2_000), STEPS[1])},
        {"steps": (replace(STEPS[0], verify=None), STEPS[1])},
        {"steps": STEPS[:1]},
        {"steps": ()},
        {"worse_if": "used > 0.95"},
        {"target": "alertname"},
    ],
    ids="-".join,
)
def test_a_remedy_that_is_changed_gives_it_no_more(other: dict[str, object]) -> None:
    """An argument, the action, lease, verification, the ladder's length, what is worse, the patient."""
    (one,) = decide([ALERT], REMEDIES, History(), 5)

    assert not is_given(one, replace(REMEDIES["Full"], **other))


def test_pending_alerts_and_alerts_without_a_remedy_want_nothing() -> None:
    """`for` is the rule author's patience."""
    assert (
        decide(
            [replace(ALERT, state=AlertState.PENDING), replace(ALERT, rule="Other")], REMEDIES, History(), 5
        )
        == ()
    )


def test_a_refused_incident_is_asked_again_under_its_own_name() -> None:
    """One incident, however often it is refused."""
    (again,) = decide([ALERT], REMEDIES, replay([entry(1, Kind.REFUSED, of=TWO)]), 5)

    assert (again.incident, again.step) == (TWO.incident, 0)


@pytest.mark.parametrize("verdict", [Kind.NO_BETTER, Kind.FAILED])
def test_the_next_step_only_if_this_one_did_not_help(verdict: Kind) -> None:
    """And only once nothing of it stands."""
    story = [entry(1, Kind.STARTED, of=TWO), entry(2, Kind.DONE), entry(3, Kind.NO_BETTER)]
    if verdict is Kind.FAILED:
        story = [entry(1, Kind.STARTED, of=TWO), entry(2, Kind.FAILED)]
    assert decide([ALERT], REMEDIES, replay(story), 5) == ()

    (following,) = decide([ALERT], REMEDIES, replay([*story, entry(4, Kind.UNDONE)]), 5)

    assert (following.step, following.do) == (1, "throttle")


@pytest.mark.parametrize(
    ("story", "firing", "end", "words"),
    [
        ((Kind.REFUSED,), False, Kind.WITHDRAWN, "the alert ended"),
        ((Kind.STARTED, Kind.DONE, Kind.HEALED, Kind.UNDONE), True, Kind.CLOSED, "healed"),
        ((Kind.STARTED, Kind.DONE, Kind.WORSE, Kind.UNDONE), True, Kind.ESCALATED, "a person is needed"),
        ((Kind.STARTED, Kind.DONE, Kind.NO_BETTER, Kind.UNDONE), True, Kind.ESCALATED, "after the last step"),
        ((Kind.STARTED, Kind.DONE, Kind.NO_BETTER, Kind.UNDONE), False, Kind.CLOSED, "the alert ended"),
        ((Kind.ESCALATED,), False, Kind.CLOSED, "the alert ended"),
        ((Kind.STARTED, Kind.UNDONE), True, Kind.CLOSED, "undone before it was judged"),
    ],
)
def test_how_incidents_end(story: tuple[Kind, ...], firing: bool, end: Kind, words: str) -> None:
    """One entry, in words."""
    history = replay(entry(n, kind) for n, kind in enumerate(story))

    (last,) = endings([ALERT] if firing else [], REMEDIES, history, 9)

    assert last.kind is end
    assert words in last.reason


@pytest.mark.parametrize(("step", "steps"), [(0, 1), (1, 2), (2, 1)])
def test_where_the_next_step_was_taken_from_the_ladder_a_person_is_called(step: int, steps: int) -> None:
    """Three steps when it was decided, and now so many."""
    was = decision(step=step, steps=3)
    kinds = (Kind.STARTED, Kind.DONE, Kind.NO_BETTER, Kind.UNDONE)
    history = replay(entry(n, kind, of=was) for n, kind in enumerate(kinds))
    remedies = {"Full": replace(REMEDIES["Full"], steps=REMEDIES["Full"].steps[:steps])}

    assert decide([ALERT], remedies, history, 9) == ()
    (last,) = endings([ALERT], remedies, history, 9)
    assert (last.kind, last.reason) == (Kind.ESCALATED, "no better after the last step: a person is needed")


@pytest.mark.parametrize(
    "story", [(Kind.STARTED,), (Kind.STARTED, Kind.DONE), (Kind.WAITING,), (Kind.ESCALATED,)]
)
def test_what_is_under_way_is_left_alone(story: tuple[Kind, ...]) -> None:
    """Neither decided again nor ended."""
    history = replay(entry(n, kind) for n, kind in enumerate(story))

    assert decide([ALERT], REMEDIES, history, 9) == ()
    assert endings([ALERT], REMEDIES, history, 9) == ()
