"""`why`: the facts in order, and what stands, of short stories."""

from __future__ import annotations

from msgspec.structs import replace
from short_stories import CLOSED, DRAIN, EFFECT, HELD, REFUSED, T0, THROTTLE, WAITS, fact

from agent.history import History, replay
from agent.model import Alert, AlertState, Entry, Kind, RuleHealth
from agent.report import Live, doing, why
from agent.report.story import KEPT_STORIES

NOW = T0 + 120_000
WANTED = (
    "alert LogDirFillingUp for /d1 (value 0.87): "
    "wants drain_disk {log_dir: /d1, until_used_ratio: 0.75}, step 1 of 2"
)


def told(entries: tuple[Entry, ...], subject: str, live: Live | None = None) -> tuple[list[str], list[str]]:
    """The facts, each with its second, and what stands."""
    answer = why(replay(entries), entries, subject, NOW, live)
    return [f"{(f['at'] - T0) // 1000} {f['text']}" for f in answer["facts"]], answer["stands"]


def firing(**labels: str) -> Alert:
    """The alert of the drain, active."""
    pairs = tuple(sorted({"alertname": "LogDirFillingUp", **labels}.items()))
    return Alert("LogDirFillingUp", pairs, AlertState.FIRING, T0, 0.87)


def test_a_whole_story_is_told_in_order() -> None:
    """Alert, refusal with its question, action, verdict, end; the alert is told once."""
    facts, stands = told(CLOSED, "/d1")
    assert facts == [
        f"0 {WANTED}",
        "0 refused (inputs): the agent has run for less than 30s",
        "30 begun: nothing objects",
        "31 done: 1 replica moves",
        "60 healed: used ratio 0.71 for 2m",
        "61 closed: what it moved stays",
    ]
    assert stands == ["drain_disk for /d1 is closed and nothing of it stands: what it moved stays"]


def test_rule_target_and_incident_find_the_same_story() -> None:
    answers = [why(replay(HELD), HELD, name, NOW) for name in ("LogDirFillingUp", "/d1", "i1")]
    assert [a["facts"] for a in answers] == [answers[0]["facts"]] * 3
    assert all(a["known"] for a in answers)


def test_the_start_carries_what_was_changed_and_until_when() -> None:
    answer = why(replay(HELD), HELD, "i1", NOW)
    start = next(f for f in answer["facts"] if f["kind"] == "started")
    assert start["changes"] == ["replica/orders-0: moved from /d1 to /d2"]
    assert start["until"] == T0 + 3_600_000


def test_a_refusal_stands_with_its_question() -> None:
    assert told((REFUSED,), "/d1")[1] == [
        "drain_disk for /d1 is not done: inputs: the agent has run for less than 30s"
    ]


def test_who_waits_is_told_for_whom() -> None:
    """From the journal: the holder as it was when the wait began."""
    assert told((WAITS,), "orders")[1] == [
        "throttle_replication for orders waits: x:topic/orders is held by broker-1 since offset 41"
    ]


def test_a_live_agent_knows_the_present_holder() -> None:
    live = Live(blockers={44: ("x:topic/orders is held by broker-3 since offset 43",)})
    assert told((WAITS,), "orders", live)[1] == [
        "throttle_replication for orders waits: x:topic/orders is held by broker-3 since offset 43"
    ]


def test_what_live_agents_last_said_of_it_is_told() -> None:
    """Of who holds what it waits for, and of the same target; not of the rest of a thousand agents."""
    live = Live(
        blockers={44: ("x:topic/orders is held by broker-3 since offset 43",)},
        said={
            "broker-2": (1_000, "throttle_replication for orders was decided just now"),
            "broker-3": (61_000, "drain_disk for /d1 is being done"),
            "broker-4": (61_000, "drain_disk for /d1 is being done"),
            "broker-5": (61_000, ""),
        },
    )
    assert told((WAITS,), "orders", live)[1][1:] == [
        "broker-2 said at 00:00:01: throttle_replication for orders was decided just now",
        "broker-3 said at 00:01:01: drain_disk for /d1 is being done",
    ]


def test_what_is_said_to_others_is_what_is_done_and_wanted() -> None:
    assert doing(replay(HELD), NOW) == "drain_disk for /d1 healed it, and what it set still stands"
    assert doing(replay((WAITS,)), NOW) == "throttle_replication for orders waits"
    assert doing(replay(CLOSED), NOW) == ""


def test_others_are_told_first_that_it_is_paused_and_until_it_is_over() -> None:
    """Whatever the reason: a beat has little room, and it is read up to the first semicolon."""
    pause = Entry(T0, Kind.OPERATOR, "new disks; rack 3 (ann)", question="pause", until=NOW + 1)
    history = replay((*HELD, pause))
    assert doing(history, NOW) == (
        "paused: new disks, rack 3 (ann); drain_disk for /d1 healed it, and what it set still stands"
    )
    assert doing(history, NOW + 1) == doing(replay(HELD), NOW)
    assert len(doing(replay((replace(pause, reason="x" * 2_000),)), NOW)) < 200


def test_the_next_step_is_told_as_what_is_wanted_next() -> None:
    """Each rung of the ladder shows what it wanted."""
    last = replace(DRAIN, step=1, do="escalate", args=())
    entries = (
        replace(fact(0, Kind.STARTED, "nothing objects"), effect=EFFECT),
        fact(1, Kind.DONE, "so"),
        fact(2, Kind.NO_BETTER, "still 0.87"),
        fact(3, Kind.UNDONE, "all of it"),
        replace(fact(4, Kind.ESCALATED, "the ladder ends"), decision=last),
    )
    facts, stands = told(entries, "i1")
    assert facts[5:] == [
        "4 alert LogDirFillingUp for /d1 (value 0.87): wants escalate, step 2 of 2",
        "4 a person is needed: the ladder ends",
    ]
    assert stands == ["escalate for /d1 did not heal it: a person is needed: the ladder ends"]


def test_nothing_known_says_so_and_suggests() -> None:
    answer = why(replay(CLOSED), CLOSED, "LogDirFilingUp", NOW)
    assert (answer["known"], answer["facts"]) == (False, [])
    assert answer["suggestions"] == ["LogDirFillingUp"]
    assert answer["stands"] == ["nothing is recorded about LogDirFilingUp"]


def test_a_rule_that_cannot_be_judged_says_why() -> None:
    live = Live(rules={"LogDirFillingUp": (RuleHealth.BLIND, "up matches nothing")})
    assert told((), "LogDirFillingUp", live)[1] == [
        "rule LogDirFillingUp is blind, so it neither acts nor clears: up matches nothing"
    ]


def test_a_quiet_rule_is_told_as_quiet() -> None:
    live = Live(rules={"LogDirFillingUp": (RuleHealth.OK, "")})
    assert told((), "LogDirFillingUp", live)[1] == [
        "rule LogDirFillingUp is ok and its expression has no result: there is nothing to heal"
    ]


def test_a_firing_alert_without_a_remedy_is_told_as_such() -> None:
    live = Live(alerts=(firing(path="/d1"),), rules={"LogDirFillingUp": (RuleHealth.OK, "")})
    (words,) = told((), "/d1", live)[1]
    assert words.startswith("alert LogDirFillingUp is firing for path=/d1 (value 0.87); no remedy is written")


def test_a_firing_alert_with_a_remedy_is_only_told() -> None:
    live = Live(alerts=(firing(path="/d1"),), remedies={"LogDirFillingUp": (("path", "/d1"),)})
    assert told((), "/d1", live)[1] == ["alert LogDirFillingUp is firing for path=/d1 (value 0.87)"]


def test_a_firing_alert_that_its_remedy_is_not_for_is_told_as_such() -> None:
    """Of several rules with one name a remedy may choose: the name alone does not tell."""
    choosy = {"LogDirFillingUp": (("path", "/d1"), ("starved", "yes"))}
    live = Live(alerts=(firing(path="/d1", starved="no"),), remedies=choosy)
    (words,) = told((), "/d1", live)[1]
    assert words == (
        "alert LogDirFillingUp is firing for path=/d1, starved=no (value 0.87); "
        "its remedy is for path=/d1, starved=yes only, so nothing is done"
    )


def test_a_rule_whose_files_were_refused_says_that_it_is_an_older_one() -> None:
    """Who has just saved it would otherwise look for a mistake in what is not in force."""
    live = Live(rules={"Full": (RuleHealth.OK, "")}, refused="alerts.yml:5:9: unknown key 'exprr'")
    words = "the rules on disk were refused, so older ones are in force: alerts.yml:5:9: unknown key 'exprr'"
    assert told((), "Full", live)[1][-1] == words
    assert words not in told((), "/d1", live)[1]


def test_a_pause_is_part_of_the_answer() -> None:
    pause = Entry(T0, Kind.OPERATOR, "rack 3 moves (alice)", question="pause")
    assert told((pause,), "/d1")[1] == [
        "nothing is recorded about /d1",
        "the agent is paused, it begins nothing new: rack 3 moves (alice)",
    ]


def test_only_the_newest_stories_are_told_and_the_others_counted() -> None:
    many = tuple(
        fact(n, Kind.REFUSED, "so", replace(DRAIN, incident=f"i{n}")) for n in range(KEPT_STORIES + 3)
    )
    answer = why(replay(many), many, "/d1", NOW)
    assert answer["omitted_incidents"] == 3
    assert answer["facts"][-1]["incident"] == f"i{KEPT_STORIES + 2}"


def test_a_story_whose_beginning_is_gone_is_left_out() -> None:
    """The journal keeps so many entries; the oldest incident may lose its decision."""
    entries = (fact(0, Kind.UNDONE, "so"), fact(1, Kind.REFUSED, "so", THROTTLE))
    answer = why(History(), entries, "i1", NOW)
    assert not answer["known"]
