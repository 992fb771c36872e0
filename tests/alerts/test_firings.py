"""What fired in this life: since when, until when, and how much of it is kept."""

from __future__ import annotations

from agent.alerts.firings import KEPT, OF_A_RULE, Firings
from agent.model import Alert, AlertState, Firing


def alert(
    rule: str = "Full", path: str = "/d", state: AlertState = AlertState.FIRING, value: float = 1
) -> Alert:
    """One of a rule."""
    return Alert(rule, (("alertname", rule), ("path", path)), state, 0, value)


def test_what_begins_and_what_ends_is_told_once() -> None:
    """A pending alert is neither; the value is the last one that was seen."""
    firings = Firings()
    labels = alert().labels

    assert firings.look([alert(state=AlertState.PENDING)], 1_000) == ([], [])
    assert firings.look([alert()], 2_000) == ([Firing("Full", labels, 1, 2_000, None)], [])
    assert firings.look([alert(value=3)], 3_000) == ([], [])
    assert firings.told() == ()
    assert firings.look([], 5_000) == ([], [Firing("Full", labels, 3, 2_000, 5_000)])
    assert firings.look([], 6_000) == ([], [])
    assert [one.lasted_ms for one in firings.told()] == [3_000]


def test_the_last_of_each_rule_are_kept_and_those_of_a_storm_take_no_others_place() -> None:
    firings = Firings()
    for storm in ([alert("Rare")], [alert(path=str(n)) for n in range(10_000)], []):
        firings.look(storm, 1_000)

    told = firings.told()
    assert [one.rule for one in told] == ["Rare"] + ["Full"] * OF_A_RULE
    assert told[-1].labels == alert(path="9999").labels


def test_of_many_rules_the_oldest_make_room() -> None:
    firings = Firings()
    for number in range(KEPT + 10):
        firings.look([alert(f"R{number}")], number)
    firings.look([], KEPT + 10)

    assert len(firings.told()) == KEPT
    assert [firings.told()[n].rule for n in (0, -1)] == ["R10", f"R{KEPT + 9}"]
