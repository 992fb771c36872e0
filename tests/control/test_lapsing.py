"""Memories that lapse hold and answer what a look at all their entries says, whichever of them is asked."""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random
from typing import TypeVar

from agents import World
from msgspec.structs import replace

from agent.control.digests import sha256
from agent.control.lapsing import Beginnings, ClosedClaims, HandledProblems, closed_claims
from agent.control.snapshot import dump, load
from agent.control.state import Began, Closed

M = TypeVar("M")


def forks(first: M, grown: Callable[[Random, M, int], M]) -> list[tuple[int, M]]:
    """Many that were each made of the newest or of one left behind, with the instant at which they were."""
    random, every = Random(11), [(0, first)]
    for _ in range(1_500):
        clock, one = random.choice(every[-4:] if random.random() < 0.9 else every)
        clock += random.randrange(4)
        every.append((clock, grown(random, one, clock)))
    random.shuffle(every)
    return every


def test_problems_lapse_when_a_look_at_all_says_so() -> None:
    naive: dict[int, dict[str, int]] = {}

    def grown(random: Random, one: HandledProblems, clock: int) -> HandledProblems:
        problem, until = f"p{random.randrange(30)}", clock + random.randrange(40)
        made = one.having(problem, until, clock)
        naive[id(made)] = {p: u for p, u in one.items() if u > clock} | {problem: until}
        assert made == naive[id(made)]
        return made

    every = forks(HandledProblems({}), grown)
    assert all(one == naive[id(one)] for _, one in every if id(one) in naive)  # none was changed since
    assert max(len(one) for _, one in every) > 10


def test_a_stamp_is_taken_where_a_look_at_all_finds_it() -> None:
    def grown(random: Random, one: ClosedClaims, clock: int) -> ClosedClaims:
        value = Closed(0, random.randrange(8), "a", "p", clock + random.randrange(40))
        asked = random.randrange(8)
        looked = any(c.stamp == asked and c.until > clock for c in one.values())
        assert one.has_stamp(asked, clock) == looked
        number = random.randrange(40)
        made = one.having(number, value, clock)
        assert made == {n: c for n, c in one.items() if c.until > clock} | {number: value}
        return made

    answers = set()
    for clock, one in forks(ClosedClaims({}), grown):
        for stamp in range(8):
            answers.add(one.has_stamp(stamp, clock))
            assert one.has_stamp(stamp, clock) == any(
                c.stamp == stamp and c.until > clock for c in one.values()
            )
    assert answers == {True, False}


def test_what_began_under_a_name_is_what_a_look_at_all_finds() -> None:
    def grown(random: Random, one: Beginnings, clock: int) -> Beginnings:
        names = tuple(random.sample(["quota", "limit/a", "limit/b"], random.randint(1, 3)))
        began = Began(clock, names) if random.random() < 0.8 else None
        made = one.having(began, clock - 50)
        assert made == (*(b for b in one if b.at > clock - 50), *([began] if began else []))
        return made

    for clock, one in forks(Beginnings(), grown):
        for name in ("quota", "limit/a", "limit/b", "none"):
            since = clock - 20
            assert list(one.of(name, since)) == [b.at for b in one if name in b.names and b.at > since]


def test_folded_memories_and_those_of_a_snapshot_are_the_same() -> None:
    world = World(3)
    world.run(400, lambda _: None)
    last = world.states[-1]
    text = dump(last)

    loaded = load({"state": json.loads(text), "hash": sha256(text), "at": last.offset})
    assert dump(replace(loaded, mark=last.mark)) == text
    assert isinstance(last.closed, ClosedClaims)
    assert not isinstance(loaded.closed, ClosedClaims)
    for stamp in [c.stamp for c in last.closed.values()]:
        taken = closed_claims(loaded.closed).has_stamp(stamp, last.clock)
        assert closed_claims(last.closed).has_stamp(stamp, last.clock) == taken
