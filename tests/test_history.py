"""Laws of the fold: what the table allows, what is remembered, and that replay equals live."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from stories import EFFECT, decision, entry

from agent.history import (
    STANDING,
    TRANSITIONS,
    History,
    ImpossibleTransition,
    Incident,
    Phase,
    fold,
    folding,
    replay,
)
from agent.history.folding import KEPT_MS
from agent.model import Change, Effect, Entry, Kind, Operation
from agent.wire import decode, encode

HAPPY = (Kind.STARTED, Kind.DONE, Kind.HEALED, Kind.UNDONE, Kind.CLOSED)


@st.composite
def allowed(draw: st.DrawFn) -> list[Entry]:
    """Any walk through the table, of up to three incidents, times rising."""
    phases: dict[str, Phase] = {}
    entries: list[Entry] = []
    for at in range(draw(st.integers(1, 25))):
        name = draw(st.sampled_from(("a@0", "b@0", "c@0")))
        choices = sorted(TRANSITIONS[phases.get(name, Phase.NEW)])
        if not choices:
            continue
        kind = draw(st.sampled_from(choices))
        if phases.get(name, Phase.NEW) is Phase.NEW and kind is Kind.WITHDRAWN:
            continue
        phases[name] = TRANSITIONS[phases.get(name, Phase.NEW)][kind]
        entries.append(entry(at * 1_000, kind, of=decision(name)))
    return entries


@given(allowed())
def test_replay_equals_live_after_any_entry(entries: list[Entry]) -> None:
    """A crash after any entry: what is folded again from the lines is what stood."""
    live = History()
    for n, one in enumerate(entries, 1):
        live = fold(live, one)

        again = replay(decode(encode(e)) for e in entries[:n])

        assert again == live


@given(allowed())
def test_what_may_stand_is_known_by_its_effect(entries: list[Entry]) -> None:
    """From STARTED until UNDONE, CLOSED or an untouched refusal, the incident names its effect."""
    for incident in replay(entries).incidents.values():
        if incident.phase in STANDING:
            assert incident.effect == EFFECT
            assert incident.started_at is not None


@given(allowed())
def test_every_phase_but_closed_leads_on(entries: list[Entry]) -> None:
    """No incident is stuck for ever: the table has a way on from wherever a crash leaves it."""
    for incident in replay(entries).incidents.values():
        assert incident.phase is Phase.CLOSED or TRANSITIONS[incident.phase]


def test_a_whole_story_ends_closed() -> None:
    """Started, done, healed, undone, closed."""
    history = replay(entry(n, kind) for n, kind in enumerate(HAPPY))

    assert history.incidents["Full//d1@0"].phase is Phase.CLOSED
    assert history.standing() == ()
    assert history.unverified == 0


def test_what_the_table_does_not_allow_is_a_bug() -> None:
    """It raises, naming the incident and its phase."""
    history = replay([entry(0, Kind.STARTED)])

    with pytest.raises(ImpossibleTransition, match=r"healed for 'Full//d1@0', which is acting"):
        fold(history, entry(1, Kind.HEALED))


def test_an_entry_without_a_decision_opens_nothing() -> None:
    """A journal that begins in the middle is refused, not guessed at."""
    with pytest.raises(ImpossibleTransition, match="no decision opened"):
        fold(History(), entry(0, Kind.DONE))


def test_verdicts_that_did_not_heal_are_counted_until_one_does() -> None:
    """The breaker's count; a person who resumes closes it too."""
    bad = replay(
        e
        for n in range(3)
        for e in (
            entry(n, Kind.STARTED, of=decision(f"{n}@0")),
            entry(n, Kind.FAILED, of=decision(f"{n}@0")),
        )
    )
    assert bad.unverified == 3

    assert fold(bad, Entry(9, Kind.OPERATOR, "looked", question="resume")).unverified == 0


def test_open_incidents_are_never_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Closed ones are, once no limit looks back so far."""
    monkeypatch.setattr(folding, "KEPT_ANYHOW", 0)
    old = [entry(n, kind) for n, kind in enumerate(HAPPY)]
    standing = entry(5, Kind.STARTED, of=decision("other@5"))
    late = entry(KEPT_MS + 10_000, Kind.REFUSED, of=decision("late@9"))

    history = replay([*old, standing, late])

    assert set(history.incidents) == {"other@5", "late@9"}
    assert [s.at for s in history.starts] == []


@pytest.mark.parametrize("wrong", [1, 40])
def test_a_clock_that_is_ahead_for_a_while_refills_no_limit(wrong: int) -> None:
    """However many entries it stamps; and a replay comes to the same."""
    acted = [entry(n * 10 + m, kind, of=decision(f"i@{n}")) for n in range(4) for m, kind in enumerate(HAPPY)]
    ahead = [entry(KEPT_MS + 86_400_000 + n, Kind.REFUSED, of=decision(f"j@{n}")) for n in range(wrong)]
    set_right = entry(100, Kind.REFUSED, of=decision("k@100"))

    history = replay([*acted, *ahead, set_right])

    assert len(history.starts) == 4
    assert history.ended("Full", "/d1") == 33


@pytest.mark.parametrize(
    ("anyhow", "late", "kept"), [(3, KEPT_MS + 9, [2, 3]), (1, KEPT_MS + 9, []), (1, KEPT_MS + 2, [2, 3])]
)
def test_starts_are_remembered_while_they_are_young_or_among_the_newest(
    monkeypatch: pytest.MonkeyPatch, anyhow: int, late: int, kept: list[int]
) -> None:
    monkeypatch.setattr(folding, "KEPT_ANYHOW", anyhow)
    lives = [entry(at, kind, of=decision(f"i@{at}")) for at in (0, 1, 2, 3, late) for kind in HAPPY]
    assert [start.at for start in replay(lives).starts] == [*kept, late]


def test_what_was_taken_back_and_begins_again_at_the_same_instant_counts_once() -> None:
    history = replay(entry(7, kind) for kind in (Kind.STARTED, Kind.REFUSED, Kind.STARTED, Kind.DONE))
    assert [start.at for start in history.starts] == [7]


def test_what_was_set_is_remembered_the_newest_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rate is another value each time, and an agent lives for years."""

    def start(n: int, value: str) -> Entry:
        change = Change("broker/1", "rate", Operation.SET, None, value)
        return replace(entry(n, Kind.STARTED, of=decision(f"d@{n}")), effect=Effect("rate", "b", (change,)))

    monkeypatch.setattr(folding, "KEPT_VALUES", 5)
    values = [str(n) for n in range(7)]
    history = replay(start(n, value) for n, value in enumerate([*values[:-1], "0", values[-1]]))

    assert [value for _, _, value in history.written] == ["3", "4", "5", "0", "6"], "0 was set again since"


def test_a_pause_ends_by_itself_or_by_a_person() -> None:
    """Its end is exclusive."""
    paused = fold(History(), Entry(0, Kind.OPERATOR, "upgrade", question="pause", until=100))

    assert paused.paused(99) is not None
    assert paused.paused(100) is None
    assert fold(paused, Entry(1, Kind.OPERATOR, "done", question="resume")).paused(2) is None


def test_an_answer_counts_for_one_start() -> None:
    """What was taken back at the instant of effect is asked for again; an answer to nothing is nothing."""
    word = Entry(2, Kind.OPERATOR, "ann", decision().incident, "approve")
    asked = replay([entry(1, Kind.PROPOSED), word])
    (incident,) = asked.incidents.values()
    assert incident.answer is not None
    assert incident.answer.approved

    begun = replay([entry(3, Kind.STARTED), entry(4, Kind.REFUSED)], asked)

    assert [i.answer for i in begun.incidents.values()] == [None]
    assert fold(History(), word) == History()


@pytest.mark.parametrize("epoch", [4, None], ids=["now", "older journals"])
def test_a_claim_is_known_by_its_leader_epoch_too(epoch: int | None) -> None:
    """Its id is an offset, and offsets are used again; older journals tell no epoch."""
    line = encode(replace(entry(1, Kind.STARTED), claim=70, claim_epoch=4))
    line = line if epoch else line.replace(b',"claim_epoch":4', b"")
    (incident,) = replay([decode(line)]).incidents.values()

    assert incident.claimed == ((70, 4) if epoch else 70)
    assert (incident.claim, incident.claim_epoch) == (70, epoch)


@st.composite
def leaping(draw: st.DrawFn) -> list[Entry]:
    """Short lives of few patients by a clock that leaps either way, and a person's words between them."""
    phases: dict[str, Phase] = {}
    entries: list[Entry] = []
    at = 100
    for _ in range(draw(st.integers(1, 60))):
        at += draw(st.sampled_from((1, 2, 3, 4, 5, 12, -7)))
        name = draw(st.sampled_from("abcdefghij"))
        phase = phases.get(name, Phase.NEW)
        if phase is not Phase.NEW and draw(st.booleans()) and draw(st.booleans()):
            entries.append(Entry(at, Kind.OPERATOR, "ann", name, question="deny"))
            continue
        kinds = TRANSITIONS[phase].keys() - ({Kind.WITHDRAWN} if phase is Phase.NEW else set())
        ends = kinds & {Kind.WITHDRAWN, Kind.CLOSED}  # most lives are to be short
        if kinds:
            ends = ends if draw(st.integers(0, 3)) else set()
            kind = draw(st.sampled_from(sorted(ends or kinds)))
            phases[name] = TRANSITIONS[phase][kind]
            entries.append(entry(at, kind, of=decision(name)))
    return entries


def left(history: History, now: int, looks: bool) -> dict[str, Incident]:
    """What of it is to be remembered: the rule, without regard to what it costs."""
    closed = [i for i in history.incidents.values() if i.phase is Phase.CLOSED]
    excess, spare = len(history.incidents) - 4, len(history.incidents) - 2
    gone = {i.id for n, i in enumerate(closed) if n < excess or (looks and n < spare and i.at < now - 10)}
    return {name: one for name, one in history.incidents.items() if name not in gone}


@given(leaping())
def test_what_is_forgotten_live_and_replayed(entries: list[Entry]) -> None:
    """The oldest that are closed, in the order in which they were opened; what was before stays as it was."""
    with pytest.MonkeyPatch.context() as patch:
        plain = live = History()
        looked = 0
        for n, one in enumerate(entries, 1):
            patch.setattr(folding, "KEPT_MS", 10**9)
            patch.setattr(folding, "KEPT_INCIDENTS", 10**9)
            plain = fold(plain, one)
            if one.kind is not Kind.OPERATOR:
                looks = not 0 <= one.at - looked < 3
                plain = replace(plain, incidents=left(plain, one.at, looks))
                looked = one.at if looks else looked
            patch.setattr(folding, "KEPT_MS", 10)
            patch.setattr(folding, "LOOK_MS", 3)
            patch.setattr(folding, "KEPT_INCIDENTS", 4)
            patch.setattr(folding, "KEPT_ANYHOW", 2)
            before, names = live, list(live.incidents.items())

            live = fold(live, one)

            assert list(live.incidents.items()) == list(plain.incidents.items())
            assert live == replay(entries[:n]) == replay(entries[n // 2 : n], replay(entries[: n // 2]))
            assert list(before.incidents.items()) == names


@pytest.mark.parametrize(("apart", "room"), [(10, 0), (310_000, 200)])
def test_what_one_entry_costs_does_not_grow_with_what_is_remembered(
    monkeypatch: pytest.MonkeyPatch, apart: int, room: int
) -> None:
    """A full journal has 700,000 of them. The oldest go as there are too many, or by their age."""

    def life(n: int) -> list[Entry]:
        of = decision(f"d@{n}")
        return [entry(n * apart, Kind.REFUSED, of=of), entry(n * apart + 1, Kind.WITHDRAWN, of=of)]

    lives = [one for n in range(2_900) for one in life(n)]

    def took(kept: int) -> float:
        monkeypatch.setattr(folding, "KEPT_INCIDENTS", kept + room)
        remembered = replay(lives[: 2 * kept])
        assert len(remembered.incidents) == kept
        began = time.process_time()
        replay(lives[2 * kept :][:2_000], remembered)
        return time.process_time() - began

    assert min(took(1_900) for _ in range(3)) < 8 * min(took(20) for _ in range(3))
