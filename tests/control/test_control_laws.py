"""Laws of the fold under random schedules of agents with crashes, delays, losses and late copies."""

from __future__ import annotations

from collections import Counter

import pytest
from agents import BUDGETS, CAPS, World
from hypothesis import given, settings
from hypothesis import strategies as st
from scribe import Scribe, Written

from agent.control.claims import CLOSED, DIRTY, GRANTED, occupied
from agent.control.fold import fold
from agent.control.state import State
from agent.control.times import LAB

SCHEDULES = 100
STEPS = 800


class Checks:
    """Looks at each new record: I1 (caps, rates), I2 (handled stays handled), and what dirty claims do."""

    def __init__(self) -> None:
        self.checked = 2
        self.handled: dict[str, int] = {}
        self.began: list[int] = []

    def __call__(self, world: World) -> None:
        for index in range(self.checked, len(world.states)):
            self._caps(world.states[index])
            self._moves(world, world.states[index - 1], world.states[index])
        self.checked = len(world.states)

    @staticmethod
    def _caps(state: State) -> None:
        for scope, count in occupied(state.claims.values(), GRANTED, DIRTY).items():
            assert count <= CAPS[scope], f"{scope} is held {count} times"

    def _moves(self, world: World, before: State, after: State) -> None:
        for claim in before.claims.values():
            if claim.state is DIRTY and claim.id not in after.claims:
                assert claim.id not in world.standing, "a claim was closed over a standing effect"
                self.handled[claim.problem] = after.clock
            if (
                claim.state is not DIRTY
                and claim.id in after.claims
                and after.claims[claim.id].state is DIRTY
            ):
                self._begins(claim.problem, claim.scopes, after.clock)

    def _begins(self, problem: str, scopes: tuple[str, ...], now: int) -> None:
        assert now >= self.handled.get(problem, -LAB.cooldown) + LAB.cooldown, f"{problem} was handled"
        if "quota" in scopes:
            self.began = [at for at in self.began if at > now - BUDGETS["quota"].window] + [now]
            assert len(self.began) <= BUDGETS["quota"].rate, "more began than the rate allows"


def played(seed: int) -> World:
    """A whole schedule, checked after every step."""
    world, checks = World(seed), Checks()
    world.run(STEPS, checks)
    world.settle(checks)
    return world


@pytest.fixture(scope="module")
def worlds() -> list[World]:
    """All schedules: I1, I2, I3 and I5 were checked while they ran."""
    return [played(seed) for seed in range(SCHEDULES)]


def test_i1_i2_i3_i5_hold_in_every_schedule_and_the_schedules_are_not_empty(worlds: list[World]) -> None:
    seen = sum((world.seen for world in worlds), Counter[str]())
    for what in (
        "effect",
        "adopted",
        "finished",
        "crash",
        "a copy",
        "not the holder",
        "rate",
        "problem was handled",
    ):
        assert seen[what] > 20, f"{what}: {seen[what]}, of {seen}"


def test_i4_equal_offset_equal_state_whoever_folds_in_whatever_pieces(worlds: list[World]) -> None:
    for world in worlds[:10]:
        state = State()
        for index, record in enumerate(world.scribe.log):
            state, _ = fold(state, record)
            assert state == world.states[index + 1]


def test_a_claim_that_was_not_closed_by_its_holder_is_dirty_for_ever(worlds: list[World]) -> None:
    for world in worlds:
        for before, after in zip(world.states[1:], world.states[2:], strict=False):
            for move in after.moves:
                if (move.before, move.after) == (DIRTY, CLOSED):
                    claim = before.claims[move.claim]
                    assert before.sessions[claim.session].agent == claim.agent
                    assert after.sessions[claim.session].n > before.sessions[claim.session].n


@given(st.lists(st.binary(max_size=40), max_size=20), st.integers(), st.integers())
def test_any_bytes_at_any_time_never_raise(values: list[bytes], at: int, epoch: int) -> None:
    log = Scribe.born()
    session = log.join("broker-1")
    state = log.state
    for value in values:
        state, verdict = fold(state, Written(state.offset + 1, epoch, at, value))
        assert verdict.void is not None
    assert state.sessions[session] == log.state.sessions[session]


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
    state, _ = fold(world.states[kept], Written(kept, 1, world.scribe.now, b"another history"))
    lost = [raw for raw in (r.value for r in world.scribe.log[kept:]) if _stamp(raw) >= kept]
    for raw in lost + [raw for raw in world.pending if _stamp(raw) >= kept]:
        state, verdict = fold(state, Written(state.offset + 1, 1, world.scribe.now, raw))
        assert verdict.void is not None


def _stamp(raw: bytes) -> int:
    return int(raw.split(b'"b":')[1].split(b",")[0])
