"""Laws of the text formats: what prometheus_client reads is read, however it comes in and whatever is wanted.

OTTLA_FUZZ_SECONDS lengthens the fuzz; what it finds is printed with the bytes.
"""

from __future__ import annotations

import os
import random
import time

import pytest
from damage import damaged
from expositions import NAMES, PIECES, TRICKY, Family, body_of, families, oracle, read
from hypothesis import example, given
from hypothesis import strategies as st

from agent.sources.exposition_body import Malformed, TooMany, Wanted
from agent.sources.exposition_series import Known
from agent.sources.exposition_text import Reader

SECONDS = float(os.environ.get("OTTLA_FUZZ_SECONDS", "2"))
CUTS = st.lists(st.integers(0, 10_000), max_size=4).map(tuple)
WANTED = st.none() | st.frozensets(st.sampled_from([*NAMES, *(f"{name}_total" for name in NAMES)]))


@given(families(), CUTS)
@example(TRICKY, ())
@example(TRICKY, (30, 31, 32))
def test_text_is_read_as_prometheus_client_reads_it(drawn: list[Family], cuts: tuple[int, ...]) -> None:
    """Names, labels, values and times; the first time and, when all series are known, again."""
    body = body_of(drawn, openmetrics=False)
    expected, known = oracle(body, openmetrics=False), Known()

    for _ in range(3):
        found, seen = read(body, known=known, cuts=cuts)
        assert found == expected
        assert (seen.duplicates, seen.grouped) == (0, True)


@given(families(types=("gauge", "counter", "unknown")), CUTS)
@example([Family("a", "counter", True, (('{b="x"}', 1.0, 1500), ("", 2.0, 1500)))], (5,))
def test_openmetrics_is_read_as_prometheus_client_reads_it(
    drawn: list[Family], cuts: tuple[int, ...]
) -> None:
    """Seconds, `_total`, exemplars and `_created`."""
    usable = [one for one in drawn if _is_fit_for_openmetrics(one)]
    body, known = body_of(usable, openmetrics=True), Known()
    expected = oracle(body, openmetrics=True)

    for _ in range(2):
        assert read(body, known=known, cuts=cuts, openmetrics=True)[0] == expected


def _is_fit_for_openmetrics(one: Family) -> bool:
    """Its counters are neither NaN nor below zero, and one family's samples all have a time or none has."""
    timed = {at is None for _, _, at in one.samples}
    fit = one.type != "counter" or all(value >= 0 for _, value, _ in one.samples)
    return len(timed) <= 1 and fit


@given(families(), families(), WANTED, CUTS, st.booleans(), st.booleans())
@example(TRICKY, TRICKY, frozenset({"kafka_x"}), (), False, False)
def test_what_is_wanted_is_the_same_as_all_of_it_sifted(
    before: list[Family],
    drawn: list[Family],
    names: frozenset[str] | None,
    cuts: tuple[int, ...],
    openmetrics: bool,
    whole: bool,
) -> None:
    """Whether the rest is passed over or looked at, and whatever was known from another body before."""
    body, known = body_of(drawn, openmetrics=openmetrics), Known()
    read(body_of(before, openmetrics=openmetrics), names, known=known, openmetrics=openmetrics)
    everything, _ = read(body, openmetrics=openmetrics)
    expected = {key: value for key, value in everything.items() if names is None or key[0] in names}

    for _ in range(2):
        found, seen = read(body, names, known=known, cuts=cuts, openmetrics=openmetrics, whole=whole)
        assert found == expected
        assert seen.grouped
        if whole and names is not None:
            assert (seen.beyond is not None) == _beyond(drawn, names, openmetrics)


def _beyond(drawn: list[Family], names: frozenset[str], openmetrics: bool) -> bool:
    """Whether any sample is of a family that has nothing to do with these names."""
    asked = {family.decode() for family in Wanted(names).families}
    return any(
        asked.isdisjoint((one.sample_name, one.name if openmetrics else one.sample_name))
        for one in drawn
        if one.samples
    )


@given(families(), st.randoms(use_true_random=False))
def test_samples_outside_their_family_are_noticed(drawn: list[Family], dice: random.Random) -> None:
    """By a look at the whole, which also reads them; that is when passing over would lose some."""
    lines = body_of(drawn, openmetrics=False).split(b"\n")[:-1]
    dice.shuffle(lines)
    body = b"".join(line + b"\n" for line in lines)
    names = frozenset({"a", "kafka_x"})

    found, seen = read(body, names, whole=True)

    assert found == {key: value for key, value in read(body)[0].items() if key[0] in names}
    if seen.grouped:
        assert read(body, names)[0] == found


def test_any_bytes_are_an_exposition_or_malformed() -> None:
    """And leave what is known as it was: the next body is read as if they had never come."""
    dice, until = random.Random(5), time.monotonic() + SECONDS
    bodies = [body_of(TRICKY, openmetrics=om) for om in (False, True)]
    expected = [read(body, openmetrics=om)[0] for body, om in zip(bodies, (False, True), strict=True)]
    known, tried, taken, silent = Known(), 0, 0, 0
    while tried < 100 or time.monotonic() < until:
        om, names = dice.random() < 0.5, dice.choice((None, frozenset({"a"}), frozenset({"kafka_x", "a"})))
        body = damaged(bodies[om], dice, PIECES)
        cuts, whole = tuple(dice.randrange(500) for _ in range(dice.randrange(3))), dice.random() < 0.5
        tried += 1
        try:
            read(body, names, known=known, cuts=cuts, openmetrics=om, whole=whole)
            taken += 1
        except Malformed as error:
            silent += not ("line " in str(error) or "# EOF" in str(error))
        except Exception as error:
            raise AssertionError(f"{body!r} {names} {cuts} {om} {whole}") from error
        if tried % 20 == 0:
            assert read(bodies[om], known=known, openmetrics=om)[0] == expected[om], body
            known = Known() if len(known.series) > 2_000 else known
    assert 0 < taken < tried
    assert silent == 0  # each refusal says where
    print(f"{tried} bodies, {taken} of them taken")


def test_more_samples_than_are_taken_are_refused() -> None:
    """As many as are allowed are not."""
    body = b"".join(b'a{b="%d"} 1\n' % number for number in range(10))
    Reader(Known(), Wanted(None), most=10).feed(body)
    with pytest.raises(TooMany, match="more than 9"):
        Reader(Known(), Wanted(None), most=9).feed(body)
