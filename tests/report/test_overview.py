"""`status` and `actions`: what is shown of entries, with and without a live agent."""

from __future__ import annotations

from msgspec.structs import replace
from short_stories import CLOSED, EFFECT, HELD, STARTED, T0, WAITS, fact

from agent.commands.show import actions as shown
from agent.history import replay
from agent.model import Alert, AlertState, Change, Effect, Entry, Kind, Operation, RuleHealth
from agent.report import Live, actions, status
from agent.report.words import changes

NOW = T0 + 120_000


def test_the_journal_alone_says_that_it_is_alone() -> None:
    """No agent, no sources; incidents and when the last entry was."""
    told = status(replay(HELD), HELD, NOW)
    assert (told["live"], told["as_of"], told["agent"], told["sources"]) == (False, T0 + 60_000, None, [])
    assert [(i["id"], i["phase"], i["changes"]) for i in told["incidents"]] == [
        ("i1", "held", ["replica/orders-0: moved from /d1 to /d2"])
    ]


def test_what_is_closed_is_no_open_incident() -> None:
    assert status(replay(CLOSED), CLOSED, NOW)["incidents"] == []


def test_an_empty_journal_is_no_error() -> None:
    told = status(replay(()), (), NOW)
    assert (told["as_of"], told["incidents"], told["last_agent_entry"]) == (None, [], None)


def test_the_pause_is_shown_until_it_ends() -> None:
    pause = Entry(T0, Kind.OPERATOR, "rack 3 moves", question="pause", until=NOW)
    history = replay((pause,))
    before, after = (status(history, (pause,), now) for now in (NOW - 1, NOW))
    assert (before["modes"]["paused"], before["pause"]) == ("rack 3 moves", {"since": T0, "until": NOW})
    assert (after["modes"]["paused"], after["pause"]) == (None, None)


def test_live_extras_are_filled_in() -> None:
    alert = Alert("Full", (("alertname", "Full"), ("path", "/d1")), AlertState.FIRING, T0, 0.9)
    live = Live((alert,), {"Full": (RuleHealth.OK, ""), "Dark": (RuleHealth.BLIND, "x matches nothing")})
    told = status(replay(()), (), NOW, live)
    assert told["live"]
    assert told["rules"]["not_ok"] == [{"rule": "Dark", "health": "blind", "why": "x matches nothing"}]
    assert told["alerts"][0]["labels"] == {"alertname": "Full", "path": "/d1"}


def test_an_action_is_one_item_with_its_end() -> None:
    (told,) = actions((*HELD, fact(70, Kind.UNDONE, "the lease ended")))
    assert (told["do"], told["target"], told["verdict"]) == ("drain_disk", "/d1", "healed")
    times = [(told[k] - T0) // 1000 for k in ("at", "done_at", "verdict_at", "undone_at")]
    assert times == [30, 31, 60, 70]
    assert told["reason"] == "the lease ended"


def test_an_action_begun_again_after_a_crash_is_the_same_one() -> None:
    again = replace(STARTED, at=T0 + 40_000)
    (told,) = actions((STARTED, again))
    assert (told["at"], told["begun"], told["done_at"]) == (T0 + 30_000, 2, None)


def test_what_was_refused_at_the_instant_of_effect_is_not_under_way() -> None:
    """Nor does it go on as what is begun later."""
    refused = replace(fact(31, Kind.REFUSED, "2 partitions are offline"), question="healthy elsewhere")
    withdrawn = fact(40, Kind.WITHDRAWN, "the alert ended")
    (told,) = actions((STARTED, refused, withdrawn))
    assert (told["refused_at"], told["undone_at"]) == (T0 + 31_000, None)
    assert told["reason"] == "2 partitions are offline"
    assert "under way" not in shown([told], NOW)
    later = replace(STARTED, at=T0 + 50_000)
    assert [a["begun"] for a in actions((STARTED, refused, later))] == [1, 1]


def test_the_next_step_is_another_action() -> None:
    """What was undone has ended; newest first, and only so many."""
    undone = (fact(31, Kind.UNDONE, "so"), replace(STARTED, at=T0 + 50_000))
    told = actions((STARTED, *undone))
    assert [(a["at"] - T0) // 1000 for a in told] == [50, 30]
    assert [(a["at"] - T0) // 1000 for a in actions((STARTED, *undone), 1)] == [50]


def test_an_action_whose_decision_is_gone_is_left_out() -> None:
    """An agent keeps only the newest entries in memory."""
    assert actions((replace(STARTED, decision=None), fact(31, Kind.DONE, "so"))) == []


def test_what_was_never_begun_is_no_action() -> None:
    assert actions((WAITS,)) == []


def test_each_operation_has_its_words() -> None:
    """Absent is told apart from empty."""
    made = [
        Change("broker/2", "rate", Operation.SET, None, "100"),
        Change("broker/2", "rate", Operation.SET, "", "100"),
        Change("broker/2", "rate", Operation.DELETE, "100", None),
        Change("topic/t", "list", Operation.APPEND, "", "0:1"),
        Change("topic/t", "list", Operation.SUBTRACT, "0:1", "0:1"),
    ]
    assert changes(Effect("x", "broker-2", tuple(made))) == [
        "broker/2: rate from absent to 100",
        "broker/2: rate from '' to 100",
        "broker/2: rate deleted (was 100)",
        "topic/t: list gained 0:1",
        "topic/t: list lost 0:1",
    ]
    assert changes(EFFECT) == ["replica/orders-0: moved from /d1 to /d2"]
    assert changes(None) == []
