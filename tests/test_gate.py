"""Every question of the gate: when it objects, in which words, and that they are asked in order."""

from __future__ import annotations

import re
from typing import Any

import pytest
from msgspec.structs import replace
from stories import EFFECT, RATE, decision, entry

from agent.gate import AGAIN, APPROVED_MS, ASKED_MS, QUESTIONS, Scene, World, judge, judge_on
from agent.history import History, replay
from agent.model import (
    AND_MORE,
    ActionSpec,
    Blast,
    Decision,
    Entry,
    Kind,
    Limits,
    Mode,
    Place,
    Policy,
    Rate,
    Refusal,
    Remedy,
    RuleHealth,
    Step,
    Verify,
)
from agent.proposal import name

NOW = 10_000_000
PLACE = Place("r.yml", 1, 1)
REMEDY = Remedy("Full", "sre", Mode.ACT, "path", (), (), Limits(max_targets=1), None, PLACE)
SPEC = ActionSpec("throttle", (), Blast.HOST, True, 1, False, "")
DISRUPTIVE = replace(SPEC, blast=Blast.DISRUPTIVE, corroborate=2)
FINE = Scene(
    now=NOW,
    decision=decision(),
    remedy=REMEDY,
    spec=SPEC,
    policy=Policy(),
    history=replay([]),
    node_id=1,
    agent_started_at=0,
    signals=frozenset({"host"}),
    world=World(at=NOW, asked=2),
    plan=EFFECT,
)
PROPOSING = replace(REMEDY, mode=Mode.PROPOSE)
ASKED = replace(entry(NOW - ASKED_MS + 1, Kind.PROPOSED, reason="throttle awaits a person"), effect=EFFECT)
OTHER_ARGS = replace(decision(), args=(("rate", 1),))
OTHERWISE_HELD = (
    replace(decision(), lease_ms=1),
    replace(decision(), verify=None),
    replace(decision(), worse_if="bad > 0"),
)
OTHER_PLAN = replace(EFFECT, changes=(RATE, replace(RATE, resource="topic/b")))
PAUSED = replay([Entry(1, Kind.OPERATOR, "upgrade", question="pause")])
ENDED = replay(
    entry(NOW - 1000 + n, k)
    for n, k in enumerate((Kind.STARTED, Kind.DONE, Kind.HEALED, Kind.UNDONE, Kind.CLOSED))
)
STEP = Step("throttle", (("log_dir", "$pth"), ("note", "a $b")), None, None, PLACE)
CHECK = Verify('used{path="$path", dir=~"$pth.*"} < 0.8', 60_000, 0)
UNLABELLED = (  # and what is said of each
    (replace(REMEDY, target="pth"), "target: the alert has no label pth"),
    (replace(REMEDY, target="pth", mode=Mode.OBSERVE), "target: the alert has no label pth"),
    (replace(REMEDY, steps=(STEP,)), "$pth: the alert has no label pth"),
    (replace(REMEDY, steps=(replace(STEP, args=(), verify=CHECK),)), "$pth: the alert has no label pth"),
    (replace(REMEDY, unless=('up{path="$dir"} > 0',)), "$dir: the alert has no label dir"),
    (replace(REMEDY, worse_if='up{path="$dir"} > 0'), "$dir: the alert has no label dir"),
    (
        replace(REMEDY, worse_if='up{path="/a$dir"} > 0'),
        r"no label dir; a $ that is meant as such is written \x24",
    ),
)
ELSEWHERE = replay([entry(1, Kind.STARTED, of=replace(decision("x@0"), alert="Other", target="/d2"))])
SAME_PATIENT = replay([entry(1, Kind.STARTED, of=replace(decision("x@0"), alert="Other"))])
FAILURES = replay(
    e
    for n in range(3)
    for e in (
        entry(n, Kind.STARTED, of=replace(decision(f"{n}@0"), target=f"/{n}")),
        entry(n, Kind.FAILED, of=replace(decision(f"{n}@0"), target=f"/{n}")),
        entry(n, Kind.UNDONE, of=replace(decision(f"{n}@0"), target=f"/{n}")),
    )
)


def answered(verb: str, at: int = NOW, of: Decision | None = None) -> History:
    """A proposal of long ago, and what ann said to it."""
    word = Entry(at, Kind.OPERATOR, "ann: not now", decision().incident, verb, of or decision())
    return replay([replace(ASKED, at=1), word])


def test_nothing_objects_to_a_fine_scene() -> None:
    """So each test below fails for the one thing it changes."""
    assert judge(FINE) is None


@pytest.mark.parametrize(
    ("changed", "question", "words"),
    [
        ({"stop_file": "moving racks"}, "stop file", "the stop file stands: moving racks"),
        ({"history": PAUSED}, "pause", "paused: upgrade"),
        *(({"remedy": each}, "labels", words) for each, words in UNLABELLED),
        ({"decision": replace(decision(), labels=(("path", ""),))}, "labels", "target: the alert has no"),
        (
            {"remedy": replace(REMEDY, mode=Mode.OBSERVE)},
            "mode",
            "mode is observe: would have done throttle on /d1",
        ),
        (
            {"remedy": PROPOSING},
            "approval",
            "throttle on /d1 awaits a person till the alert ends: ottla approve",
        ),
        ({"remedy": PROPOSING, "history": answered("deny")}, "mode", "denied by ann: not now"),
        *(
            ({"remedy": PROPOSING, "history": answered("deny", of=of)}, "mode", "denied by ann: not now")
            for of in OTHERWISE_HELD
        ),
        ({"remedy": PROPOSING, "history": answered("deny", of=OTHER_ARGS)}, "approval", "awaits a person"),
        ({"given": False}, "mode", "the remedy was changed since this was decided"),
        (
            {"remedy": PROPOSING, "history": answered("approve", NOW - APPROVED_MS)},
            "approval",
            "; ann: not now approved it more than 15m ago",
        ),
        ({"remedy": PROPOSING, "history": answered("approve", of=OTHER_ARGS)}, "approval", "awaits a person"),
        *(
            ({"remedy": PROPOSING, "history": answered("approve", of=of)}, "approval", "awaits a person")
            for of in OTHERWISE_HELD
        ),
        (
            {"remedy": PROPOSING, "history": answered("approve", NOW + 1)},
            "approval",
            "approved it before the clock was set back",
        ),
        (
            {"remedy": PROPOSING, "history": answered("approve"), "plan": OTHER_PLAN},
            "approval",
            f"ottla deny {name(decision(), OTHER_PLAN)}; ann: not now approved another plan",
        ),
        ({"remedy": PROPOSING, "plan": None, "history": replay([ASKED])}, "approval", ASKED.reason),
        ({"health": RuleHealth.BLIND, "health_reason": "no series"}, "inputs", "Full is blind: no series"),
        ({"agent_started_at": NOW - 1}, "inputs", "the agent looks for 30s before it acts"),
        ({"signals": frozenset({"logs"})}, "corroboration", "log lines alone never suffice"),
        ({"spec": DISRUPTIVE}, "corroboration", "2 independent signals are needed; seen: host"),
        ({"patients": 2}, "storm", "2 patients are more than max_targets 1"),
        ({"history": SAME_PATIENT}, "one at a time", "throttle for Other is under way on /d1"),
        (
            {"history": ELSEWHERE},
            "one at a time",
            "Other holds follower.replication.throttled.rate of broker/1",
        ),
        ({"history": ENDED}, "cooldown", "the last action on /d1 is younger than the cooldown of 30m"),
        ({"policy": Policy(per_host=Rate(2, NOW)), "history": FAILURES}, "rates", "per_host of 2 in"),
        ({"history": FAILURES}, "breaker", "the breaker is open: 3 actions in a row did not heal"),
        ({"world": World(NOW, 2, reassigning=4)}, "coexistence", "4 partitions are being reassigned"),
        ({"unless": ("maintenance > 0",)}, "unless", "unless: maintenance > 0"),
        ({"world": None}, "healthy elsewhere", "the cluster's state is not known"),
        ({"world": World(0, 2)}, "healthy elsewhere", "the cluster's state is not known"),
        (
            {"world": World(NOW, 2, fenced=frozenset({3}))},
            "healthy elsewhere",
            "broker 3 is down: one patient at a time",
        ),
        ({"world": World(NOW, 2, under_min_isr=1)}, "healthy elsewhere", "1 under min.insync.replicas"),
        (
            {"claims": True, "control": "control topic unreadable"},
            "control topic",
            "control topic unreadable",
        ),
        ({"plan": Refusal("preconditions", "no room")}, "preconditions", "no room"),
    ],
)
def test_each_question_objects_in_words(changed: dict[str, Any], question: str, words: str) -> None:
    """One change to a fine scene, one refusal."""
    refusal = judge(replace(FINE, **changed))

    assert refusal is not None
    assert refusal.question == question
    assert words in refusal.reason


def test_a_dollar_in_the_name_of_a_class_needs_no_label() -> None:
    remedy = replace(REMEDY, unless=('up{logger="kafka.log.LogCleaner$CleanerThread"} > 0',))
    assert judge(replace(FINE, remedy=remedy)) is None


def test_a_step_needs_no_label_that_another_step_names() -> None:
    ladder = replace(REMEDY, steps=(STEP, replace(STEP, args=())))
    assert judge(replace(FINE, remedy=ladder, decision=decision(step=1, steps=2))) is None


def test_nobody_acts_alone_on_a_symptom_of_many() -> None:
    """Two peers and half of them; one peer, or a minority, is no crowd."""
    scene = replace(FINE, spec=DISRUPTIVE, signals=frozenset({"host", "jmx"}))
    sick, well = frozenset({"Full"}), frozenset[str]()

    assert judge(replace(scene, peers={"broker-2": sick, "broker-3": sick})) == Refusal(
        "not everybody", "broker-2, broker-3 show the same: nobody acts alone"
    )
    assert judge(replace(scene, peers={"broker-2": sick, "broker-3": well})) is None
    assert (
        judge(
            replace(
                scene,
                peers={**{f"broker-{n}": well for n in range(4, 9)}, "broker-2": sick, "broker-3": sick},
            )
        )
        is None
    )


def test_who_cannot_tell_all_that_fires_may_show_the_same() -> None:
    """A beat has room for 32 names; the last one says that there are more."""
    scene = replace(FINE, spec=DISRUPTIVE, signals=frozenset({"host", "jmx"}))
    cut, both, well = (frozenset(names) for names in (("Other", AND_MORE), ("Full", AND_MORE), ("Other",)))

    assert judge(replace(scene, peers={"broker-2": cut, "broker-3": both, "broker-4": well})) == Refusal(
        "not everybody", "broker-2 (perhaps), broker-3 show the same: nobody acts alone"
    )
    assert judge(replace(scene, peers={"broker-2": cut, "broker-3": well})) is None


def test_the_own_broker_being_down_is_no_other_patient() -> None:
    """It is the patient."""
    assert judge(replace(FINE, world=World(NOW, 2, fenced=frozenset({1})))) is None


def test_what_takes_nothing_may_run_while_a_broker_is_down() -> None:
    """Clearing a throttle brings replicas back: refusing it would be the second fault."""
    scene = replace(FINE, spec=replace(SPEC, blast=Blast.NOTHING), world=World(NOW, 2, fenced=frozenset({3})))

    assert judge(scene) is None


def test_the_next_rung_of_a_ladder_is_no_repeat() -> None:
    """Cool-down is between incidents, not between the steps of one."""
    assert judge(replace(FINE, history=ENDED, decision=decision(step=1, steps=2))) is None


TAKEN_BACK = (Kind.STARTED, Kind.REFUSED)


def refusal_after(
    minutes: float, *kinds: Kind, step: int = 0, cooldown_ms: int = 3_600_000
) -> Refusal | None:
    """The gate's answer so long after the second of these, a ms apart; the host may begin one in an hour."""
    told = replay(entry(NOW + n, kind) for n, kind in enumerate(kinds))
    limits = Limits(cooldown_ms=cooldown_ms, per_host=Rate(1, 3_600_000))
    now = NOW + 1 + round(minutes * 60_000)
    asked = replace(
        FINE, now=now, history=told, world=World(at=now, asked=2), decision=decision(step=step, steps=2)
    )
    return judge(replace(asked, remedy=replace(REMEDY, limits=limits)))


@pytest.mark.parametrize("step", [0, 1])
@pytest.mark.parametrize("cooldown_ms", [0, 60_000, 3_600_000])
def test_where_nothing_was_begun_there_is_no_cooldown(step: int, cooldown_ms: int) -> None:
    """But a short rest, since the last look asks what no other look does; and no start is used up."""
    rested = Refusal("cooldown", "its start was refused at the instant of effect less than 5m ago")

    def after(minutes: float) -> Refusal | None:
        return refusal_after(minutes, *TAKEN_BACK, step=step, cooldown_ms=cooldown_ms)

    assert after(4.9) == rested
    assert after(5) is None
    assert after(-0.1) is None, "a clock set back keeps nobody"


def test_no_refusal_makes_a_rest_longer() -> None:
    assert refusal_after(5, *TAKEN_BACK, *(Kind.REFUSED,) * 5) is None
    over = (Kind.STARTED, Kind.FAILED, Kind.UNDONE)
    hour = replay([*(entry(NOW + n, k) for n, k in enumerate(over)), entry(NOW + 3_000_000, Kind.REFUSED)])
    assert hour.ended("Full", "/d1") == NOW + 2


def test_a_start_that_is_taken_back_leaves_an_earlier_action_s_cooldown() -> None:
    ladder = (Kind.STARTED, Kind.FAILED, Kind.UNDONE, *TAKEN_BACK, Kind.WITHDRAWN)
    history = replay(entry(NOW + n, kind) for n, kind in enumerate(ladder))
    assert history.ended("Full", "/d1") == NOW + 2
    assert [start.at for start in history.starts] == [NOW]


def test_what_has_begun_goes_on_though_its_remedy_was_changed() -> None:
    assert judge_on(replace(FINE, given=False)) is None


def test_what_has_begun_is_asked_in_the_same_order_and_words() -> None:
    asked = dict(QUESTIONS)
    assert [name for name in asked if name in dict(AGAIN)] == [name for name, _ in AGAIN]
    assert all(asked[name] is ask for name, ask in AGAIN)


def test_the_questions_are_asked_in_the_order_of_the_design() -> None:
    """Policy is a list that one can read; whoever changes the list changes this too."""
    assert [name for name, _ in QUESTIONS] == [
        "stop file",
        "pause",
        "labels",
        "mode",
        "inputs",
        "corroboration",
        "not everybody",
        "storm",
        "one at a time",
        "cooldown",
        "rates",
        "breaker",
        "coexistence",
        "unless",
        "healthy elsewhere",
        "control topic",
        "approval",
    ]


def test_a_person_s_word_counts_for_what_they_were_asked() -> None:
    """Nothing objects to what was approved, until it is too long ago; without a plan nobody is asked."""
    scene = replace(FINE, remedy=PROPOSING, history=answered("approve"))

    assert judge(scene) is None
    assert judge(replace(scene, plan=None)) is None, "the last look has no plan"
    assert judge(replace(FINE, remedy=PROPOSING, plan=None)) is None
    assert judge(replace(scene, plan=replace(EFFECT, changes=()))) is None, "it may change less"
    assert judge(replace(FINE, history=answered("deny"))) is None, "a remedy that acts asks nobody"


def test_the_command_to_approve_is_safe_to_paste() -> None:
    """An incident's id holds the target, which holds what a label holds; a proposal's name holds nothing."""
    refusal = judge(replace(FINE, remedy=PROPOSING, decision=decision("Full/$(reboot)@0")))

    assert refusal is not None
    assert re.search("ottla approve [0-9a-f]{6}, or ottla deny [0-9a-f]{6}$", refusal.reason)


def test_a_plan_is_made_again_for_what_was_asked_long_ago_or_is_answered() -> None:
    """Before that the question of a plan would be asked of the brokers each few seconds."""
    scene = replace(FINE, remedy=PROPOSING, plan=None)
    word = Entry(NOW, Kind.OPERATOR, "ann", decision().incident, "approve", decision())

    old = replace(scene, history=replay([replace(ASKED, at=NOW - ASKED_MS)]))
    assert judge(old) is None
    assert judge(replace(old, planned_at=NOW - ASKED_MS)) is None
    assert judge(replace(old, planned_at=NOW + 1)) is None, "a clock set back keeps nobody"
    assert judge(replace(old, planned_at=NOW - ASKED_MS + 1)) is not None, "and it was the same"
    assert judge(replace(scene, history=replay([ASKED, replace(word, decision=OTHER_ARGS)]))) is None
    assert judge(replace(scene, decision=OTHER_ARGS, history=replay([ASKED]))) is None
    again = replay([ASKED, word, replace(ASKED, at=NOW + 1)])
    assert judge(replace(scene, now=NOW + 1, history=again)) is not None
