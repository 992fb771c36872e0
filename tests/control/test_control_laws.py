"""Laws of the fold under random schedules (coordination.md sections 2, 3 and 6).

Agents crash and vote wrongly, leaders change, records are delayed, lost and doubled, effects are found,
people pause and resolve.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from agents import BUDGETS, CAPS, World
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from scribe import Scribe, Written

from agent.control.budgets import OCCUPYING, STANDING, occupied
from agent.control.claims import CLOSED, DIRTY, GRANTED, TRANSITIONS
from agent.control.digests import sha256
from agent.control.fold import fold
from agent.control.pauses import paused
from agent.control.schedule import schedule
from agent.control.snapshot import dump, load
from agent.control.state import State
from agent.control.times import LAB

SCHEDULES = int(os.environ.get("OTTLA_CONTROL_SCHEDULES", "60"))
FIRST = int(os.environ.get("OTTLA_CONTROL_SEED", "0"))
STEPS = 800


class Checks:
    """Looks at each new record: I1 (caps, rates), I2 (handled stays handled), I6, what dirty claims do."""

    def __init__(self) -> None:
        self.checked = 2
        self.handled: dict[str, int] = {}
        self.began: list[int] = []

    def __call__(self, world: World) -> None:
        for index in range(self.checked, len(world.states)):
            before, after = world.states[index - 1], world.states[index]
            self._caps(after)
            for move in after.moves:
                assert move.before is None or (move.before, move.event) in TRANSITIONS
                if move.before in STANDING and move.after is CLOSED:
                    self._closes(world, before, after, move.claim)
                if move.event == "intent" and move.before is GRANTED:
                    self._begins(before, after, move.claim)
        self.checked = len(world.states)

    @staticmethod
    def _caps(state: State) -> None:
        """But for what was found, and what only waited when its session ended behind a barrier."""
        claimed = (
            c for c in state.claims.values() if c.kind != "k" and (c.state is GRANTED or c.effect is not None)
        )
        for scope, count in occupied(claimed, *OCCUPYING).items():
            assert count <= CAPS[scope], f"{scope} is held {count} times"

    def _closes(self, world: World, before: State, after: State, claim: int) -> None:
        assert claim not in world.standing, "a claim was closed over a standing effect"
        self.handled[before.claims[claim].problem] = after.clock

    def _begins(self, before: State, after: State, claim: int) -> None:
        problem, now = after.claims[claim].problem, after.clock
        assert now >= self.handled.get(problem, -LAB.cooldown) + LAB.cooldown, f"{problem} was handled"
        assert not paused(after, after.claims[claim]), "it began although it was paused"
        assert not before.barrier, "it began behind a barrier"
        standing = occupied(after.claims.values(), *STANDING)
        for scope in after.claims[claim].scopes:
            assert standing[scope] <= CAPS[scope], f"{scope} had no room for one more"
        if "quota" in after.claims[claim].scopes:
            self.began = [at for at in self.began if at > now - BUDGETS["quota"].window] + [now]
            assert len(self.began) <= BUDGETS["quota"].rate, "more began than the rate allows"


def played(seed: int) -> World:
    """A whole schedule, checked after every step."""
    world, checks = World(seed), Checks()
    try:
        world.run(STEPS, checks)
        world.settle(checks)
    except AssertionError as error:
        raise AssertionError(f"seed {seed}, offset {world.scribe.state.offset}: {error}") from error
    return world


@pytest.fixture(scope="module")
def worlds() -> list[World]:
    """All schedules: I1, I2, I3, I5 and I6 were checked while they ran."""
    return [played(seed) for seed in range(FIRST, FIRST + SCHEDULES)]


def test_i1_i2_i3_i5_i6_hold_in_every_schedule_and_the_schedules_are_not_empty(worlds: list[World]) -> None:
    seen = sum((world.seen for world in worlds), Counter[str]())
    seen += Counter(m.event for world in worlds for state in world.states for m in state.moves)
    for what in (
        "effect",
        "adopted",
        "finished",
        "crash",
        "leader",
        "found",
        "session ended",
        "session ended in the barrier",
        "session ended after the last adoption",
        "resolved",
        "a copy",
        "not the holder",
        "rate",
        "paused",
        "behind a barrier",
        "its session is in probation",
        "problem was handled",
    ):
        assert seen[what] >= 5, f"{what}: {seen[what]}, of {seen}"


def test_i4_equal_offset_equal_state_whoever_folds_in_whatever_pieces(worlds: list[World]) -> None:
    for world in worlds[:6]:
        state = State()
        for index, record in enumerate(world.scribe.log):
            state, _ = fold(state, record)
            assert state == world.states[index + 1]


def test_section_6_replay_from_a_snapshot_equals_replay_from_the_start(worlds: list[World]) -> None:
    for seed, world in enumerate(worlds):
        at = len(world.scribe.log) * (seed % 9 + 1) // 10
        state = _from_snapshot(world.states[at + 1])
        for record in world.scribe.log[at + 1 :]:
            state, _ = fold(state, record)
        assert state.digest == world.scribe.state.digest
        assert dump(state) == dump(world.scribe.state)


def _from_snapshot(state: State) -> State:
    text = dump(state)
    loaded = load({"at": state.offset, "hash": sha256(text), "state": json.loads(text)})
    return replace(loaded, mark=state.mark)  # this offset is none of a mark


def test_section_3_nothing_waits_that_could_be_granted(worlds: list[World]) -> None:
    """The schedule looks only where something changed; looking again anywhere must find nothing more."""
    for world in worlds:
        for state in world.states[1:]:
            assert schedule(State(), state) is state


def test_what_may_stand_is_closed_by_its_holder_or_by_a_person(worlds: list[World]) -> None:
    for world in worlds:
        for before, after in zip(world.states[1:], world.states[2:], strict=False):
            for move in after.moves:
                if (move.before, move.after) == (DIRTY, CLOSED):
                    holder = before.claims[move.claim].session
                    assert after.sessions[holder].last == after.offset
                elif move.before in STANDING and move.after is CLOSED:
                    assert move.event == "resolved"


def test_what_an_ended_session_held_is_an_orphan_or_stuck_and_no_barrier_waits_for_it(
    worlds: list[World],
) -> None:
    for world in worlds[:6]:
        for state in world.states[1:]:
            assert state.barrier <= state.sessions.keys()
            for claim in state.claims.values():
                assert claim.session in state.sessions or claim.state in ("orphan", "stuck")


@pytest.mark.parametrize("hash_seed", ["1", "4242"])
def test_i4_the_digest_is_the_same_whatever_the_hash_seed(worlds: list[World], hash_seed: str) -> None:
    """Sets and hash() differ from process to process: nothing of that may be in a state."""
    code = (
        "from test_control_laws import played; from agent.control.snapshot import dump;"
        f" s = played({FIRST}).scribe.state; print(s.digest, dump(s))"
    )
    here = Path(__file__).parent
    path = os.pathsep.join([str(here), str(here.parent), str(here.parent.parent)])
    env = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": path}
    shown = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False)
    state = worlds[0].scribe.state
    assert shown.stdout.split(" ", 1) == [state.digest, dump(state) + "\n"], shown.stderr


@given(st.lists(st.binary(max_size=40), max_size=20), st.integers(), st.integers())
def test_any_bytes_at_any_time_never_raise(values: list[bytes], at: int, epoch: int) -> None:
    log = Scribe.born()
    session = log.join("broker-1")
    state = log.state
    for value in values:
        state, verdict = fold(state, Written(state.offset + 1, epoch, at, value))
        assert verdict.void is not None
    assert state.sessions[session] == log.state.sessions[session]


MIXED = World(11)
MIXED.run(500, lambda _: None)
PIECES = json.loads(b"[" + b",".join(r.value for r in MIXED.scribe.log) + b"]")


@settings(max_examples=300)
@given(st.data())
def test_real_records_with_mixed_up_values_never_raise_and_are_judged_alike(data: st.DataObject) -> None:
    """Fields of one real record in another, numbers moved a little, keys dropped: at a place of its own."""
    place = data.draw(st.integers(1, len(PIECES) - 1))
    value = json.loads(json.dumps(PIECES[data.draw(st.integers(0, len(PIECES) - 1))]))
    state = MIXED.states[place]
    value |= {"b": state.offset, "d": state.digest}
    live = sorted(state.sessions)
    in_session: bool = data.draw(st.booleans())
    if live and in_session:
        session = state.sessions[data.draw(st.sampled_from(live))]
        value |= {"s": session.id, "a": session.agent, "n": session.n + 1}
    for _ in range(data.draw(st.integers(0, 3))):
        _mutate(data, value["x"], PIECES[data.draw(st.integers(0, len(PIECES) - 1))]["x"])
    raw = json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
    record = Written(place, data.draw(st.integers(-1, 9)), data.draw(st.integers(0, 2**62)), raw)
    once, twice = fold(state, record), fold(state, record)
    assert once == twice
    assert once[0].offset == place
    assert load({"at": place, "hash": sha256(dump(once[0])), "state": json.loads(dump(once[0]))})


def _mutate(data: st.DataObject, x: dict[str, object], other: dict[str, object]) -> None:
    keys = sorted(x) + sorted(other)
    if not keys:
        return
    key = data.draw(st.sampled_from(keys))
    old = x.get(key)
    if isinstance(old, int) and data.draw(st.booleans()):
        x[key] = old + data.draw(st.sampled_from([-1, 1, 10**15]))
    elif key in other:
        x[key] = other[key]
    else:
        x.pop(key, None)


@settings(max_examples=60)
@given(st.integers(0, 30), st.integers(0, 400), st.integers(0, 255))
def test_a_real_record_with_one_byte_changed_never_raises(seed: int, place: int, byte: int) -> None:
    world = World(seed)
    world.run(60, lambda _: None)
    for offset, record in enumerate(world.scribe.log[1:], 1):
        raw = bytearray(record.value)
        raw[place % len(raw)] = byte
        state, _ = fold(world.states[offset], Written(offset, 0, record.at, bytes(raw)))
        assert state.offset == offset


@settings(max_examples=30)
@given(st.integers(0, 1_000), st.integers(1, 40))
def test_what_was_written_upon_a_lost_tail_is_void(seed: int, cut: int) -> None:
    world = World(seed)
    world.run(150, lambda _: None)
    kept = len(world.scribe.log) - min(cut, len(world.scribe.log) - 1)
    epoch = world.scribe.epoch + 1
    state, _ = fold(world.states[kept], Written(kept, epoch, world.scribe.now, b"another history"))
    lost = [raw for raw in (r.value for r in world.scribe.log[kept:]) if _stamp(raw) >= kept]
    for raw in lost + [raw for raw in world.pending if _stamp(raw) >= kept]:
        state, verdict = fold(state, Written(state.offset + 1, epoch, world.scribe.now, raw))
        assert verdict.void is not None


def _stamp(raw: bytes) -> int:
    return int(raw.split(b'"b":')[1].split(b",")[0])
