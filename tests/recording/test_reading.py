"""Raw samples in pieces, and ends of series that the API does not show."""

from __future__ import annotations

import asyncio
from typing import cast

import numpy as np
import pytest
from held import START, Held, holding, made, plain
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.recording.prometheus import Prometheus, TooLarge
from agent.recording.reading import Reading
from agent.recording.recorded import Recorded

STEP = 15_000


async def reread(held: Held, start: int, end: int, piece: int) -> tuple[Recorded, Reading]:
    """What a reading makes of what is held."""
    reading = Reading(cast(Prometheus, held), "up", STEP, piece)
    again = Recorded()
    async for part in reading.read(start, end):
        for key, each in part.found.items():
            again.put(*key, each)
    return again, reading


@settings()  # machines are busy
@given(
    st.lists(st.sampled_from(["sample", "sample", "sample", "gap", "end", "nan"]), min_size=1, max_size=60),
    st.integers(1, 30),
    st.sampled_from([0, 1, 7_000]),
)
def test_a_reading_shows_at_each_step_what_the_server_shows(kinds: list[str], piece: int, shift: int) -> None:
    """Samples are the same; ends come within a step, however the time is cut into pieces."""
    times = [START + n * STEP + shift for n in range(len(kinds))]
    ends = [at for at, kind in zip(times, kinds, strict=True) if kind == "end"]
    there = [
        (at, float("nan") if kind == "nan" else at * 1.0)
        for at, kind in zip(times, kinds, strict=True)
        if kind in ("sample", "nan")
    ]
    if not there:
        return
    ends = [at for at in ends if at > there[0][0]]
    held = Held(holding(up=made([at for at, _ in there], [v for _, v in there], ends)), at=START + 10**9)
    first, last = START - STEP, START + (len(kinds) + 25) * STEP
    again, _ = asyncio.run(reread(held, first, last, piece * STEP))
    assert _raw(again) == _raw(held.recorded)
    copy = Held(again, at=held.at)
    was, now = asyncio.run(_shown(held, first, last)), asyncio.run(_shown(copy, first, last))
    assert was == now


def _raw(recorded: Recorded) -> list[tuple[int, str]]:
    return [row for row in plain(recorded)["up", ()] if row[1] != "stale"]


async def _shown(held: Held, start: int, end: int) -> list[int]:
    steps = await held.steps("up", start, end, STEP)
    return [at for each in steps.values() for at in each.times.tolist()]


async def test_steps_are_asked_for_only_where_there_is_a_gap() -> None:
    """Most series have none: then one query a piece is all."""
    held = Held(holding(up=made([START + n * STEP for n in range(41)], [1.0] * 41)), at=START + 10**9)
    await reread(held, START, START + 40 * STEP, 10 * STEP)
    assert held.asked == ["samples"] * 4


async def test_a_gap_without_an_end_is_none() -> None:
    """Samples may be late or missing: while a query shows the series, and once it is too old, it goes on."""
    times = [START + n * STEP for n in (0, 1, 2, 8, 9, 60, 61)]
    held = Held(holding(up=made(times, [1.0] * 7)), at=START + 10**9)
    again, _ = await reread(held, START - 1, START + 62 * STEP, 5 * STEP)
    assert plain(again) == plain(held.recorded)


async def test_too_much_at_once_is_halved() -> None:
    """Until the server bears it; one that bears nothing is said to."""
    held = Held(holding(up=made([START + n * STEP for n in range(100)], [1.0] * 100)), at=START + 10**9)
    held.most_ms = 10 * STEP
    again, _ = await reread(held, START - 1, START + 100 * STEP, 100 * STEP)
    assert plain(again) == plain(held.recorded) | {("up", ()): [*plain(held.recorded)["up", ()]]}
    held.most_ms = 1
    with pytest.raises(TooLarge):
        await reread(held, START, START + 100 * STEP, 100 * STEP)


async def test_without_range_selectors_steps_are_taken() -> None:
    """And it is known that they are no raw samples."""
    held = Held(holding(up=made([START + 1000 + n * STEP for n in range(5)], [1.0, 2, 3, 4, 5])), raw=False)
    again, reading = await reread(held, START, START + 5 * STEP, STEP * 2)
    assert reading.resampled
    assert [at for at, _ in plain(again)["up", ()]] == [START + n * STEP for n in range(1, 6)]
    np.testing.assert_array_equal(again.tracks["up"][()].values, [1, 2, 3, 4, 5])
