"""The counts of open claims are what the claims say, in whatever order states are made and asked."""

from __future__ import annotations

from collections import Counter
from random import Random

from agents import World
from msgspec.structs import replace

from agent.control.claims import CLOSED
from agent.control.open_claims import OpenClaims, counted, limit_of
from agent.control.state import Claim, ClaimState, Limit


def told(claims: OpenClaims) -> dict[object, int]:
    """Every count that is not 0, counted by the claims themselves."""
    counts: Counter[object] = Counter()
    for claim in claims.values():
        counts[claim.state] += 1
        counts["session", claim.session] += 1
        counts["stamp", claim.stamp] += 1
        for scope in claim.scopes:
            counts[claim.state, scope] += 1
        counts.update({("named", claim.state, name): 1 for name in {*claim.scopes, limit_of(claim)} - {""}})
    return dict(counts)


def answers(claims: OpenClaims, keys: list[object]) -> dict[object, int]:
    """What it answers to each of these."""
    found: dict[object, int] = {}
    for key in keys:
        match key:
            case ClaimState():
                found[key] = claims.of_state(key)
            case ("session", int(session)):
                found[key] = claims.of_session(session)
            case ("stamp", int(stamp)):
                found[key] = claims.with_stamp(stamp)
            case ("named", ClaimState() as state, str(name)):
                found[key] = claims.with_name(state, name)
            case (ClaimState() as state, str(scope)):
                found[key] = claims.with_scope(state, scope)
    return {key: count for key, count in found.items() if count}


def drawn(random: Random, number: int) -> Claim:
    """A claim in any state but closed."""
    limit = random.choice([None, Limit("a", 1, 1), Limit("b", 1, 1)])
    scopes = tuple(random.sample(["x:a", "quota", "limit/a", "restart"], random.randint(1, 3)))
    state = random.choice([state for state in ClaimState if state is not CLOSED])
    session = random.randrange(3)
    return Claim(
        number, 0, number % 7, "a", "a", session, "k", scopes, "p", "", 0, "", limit, 0, number, 0, state
    )


def test_each_of_many_forks_counts_its_own_claims() -> None:
    random, every = Random(7), [OpenClaims({})]
    for _ in range(600):
        one = random.choice(every[-8:] if random.random() < 0.8 else every)  # the newest, or one left behind
        number = random.randrange(12)
        gone = number in one and random.random() < 0.3
        claim = replace(one[number], state=CLOSED) if gone else drawn(random, number)
        every.append(one.changed(claim))
    keys: list[object] = sorted({key for each in every for key in told(each)}, key=str)
    random.shuffle(every)
    for each in every:
        assert answers(each, keys) == told(each)
    assert len(keys) > 40


def test_a_folded_state_and_one_from_a_snapshot_count_alike() -> None:
    world = World(3)
    world.run(400, lambda _: None)
    for state in world.states:
        keys = list(told(counted(state.claims)))
        assert answers(counted(state.claims), keys) == answers(counted(dict(state.claims)), keys)
    assert any(isinstance(state.claims, OpenClaims) and len(state.claims) > 2 for state in world.states)
