"""A verification rests on what was read after the effect stood, whatever the wall clock is set to."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import replace
from stories import decision

from agent.daemon.freshness import NEVER, Freshness, Taken, begun
from agent.daemon.sight import Sight
from agent.history import Incident, Phase
from agent.model import Boot, Place, RecordRule, Sample, Verify
from agent.promql import evaluate
from agent.rulebook import Rulebook
from agent.rulebook.compiled import compiled
from agent.series import Series

NAME = "host_log_dir_used_ratio"
OF = replace(decision(), verify=Verify(f"{NAME} >= 0", 60_000, 10_000))
START = 10_000_000  # of the wall clock, as long as nobody sets it
SET = st.integers(-30_000, 30_000)


def blank(*records: RecordRule) -> Sight:
    """Without rules but these; what is verified is read."""
    series = Series(3_600_000)
    sight = Sight(Rulebook(records, {}, (), "none"), series, lambda: None, 1)
    series.want(dict.fromkeys([NAME, *(rule.name for rule in records)], 3_600_000))
    return sight


READINGS = st.lists(
    st.tuples(st.integers(0, 8_000), st.integers(0, 6_000), SET, SET), min_size=1, max_size=12
)


@example(  # a sample too far ahead of the clock is taken back, and the next ones are refused
    before=[(0, 0, 0, 3)],
    in_flight=0,
    after=[(0, 0, 5_002, 0), (0, 0, 0, 0), (0, 0, 0, 5_000)],
    off=0,
    told=True,
)
@given(before=READINGS, in_flight=st.integers(0, 6_000), after=READINGS, off=SET, told=st.booleans())
def test_what_holds_was_read_afterwards(
    before: list[tuple[int, int, int, int]],
    in_flight: int,
    after: list[tuple[int, int, int, int]],
    off: int,
    told: bool,
) -> None:
    """Each reading: how long after the one before it begins, how long it takes, and by how much the wall
    clock is off when it begins and when it ends. A sample's value is when its reading truly began. `told`:
    the store hears what the clock says."""
    sight, ran = blank(), 1
    for pause, takes, begins_off, ends_off in before:
        ran += pause
        began, sample = ran, Sample(NAME, (), START + ran + begins_off, float(ran))
        ran += takes
        sight.take([sample], began, START + ran + ends_off if told else None)
    under_way = Sample(NAME, (), START + ran + before[-1][3], float(ran)), ran
    ran += in_flight
    stood, fresh = ran, Freshness(START + ran + off, ran)
    sight.take([under_way[0]], under_way[1], START + ran + off if told else None)
    for pause, takes, begins_off, ends_off in after:
        ran += 1 + pause
        began, sample = ran, Sample(NAME, (), START + ran + begins_off, float(ran))
        ran += takes
        now = START + ran + ends_off
        sight.take([sample], began, now if told else None)
        if sight.view(OF, fresh, fresh, now).holds:
            [seen] = evaluate(compiled(NAME), sight.series, now)
            assert seen.value > stood


def test_no_sample_from_before_is_fresh_by_a_clock_that_was_set_back() -> None:
    sight = blank()
    sight.take([Sample(NAME, (), START, 1.0)], 0)
    fresh = Freshness(START - 600_000, 100)
    assert not sight.view(OF, fresh, fresh, START - 599_000).holds
    sight.take([Sample(NAME, (), START - 595_000, 1.0)], 5_000)  # the store has a later one, and drops it
    assert not sight.view(OF, fresh, fresh, START - 595_000).holds
    assert not sight.view(OF, fresh, fresh, START).holds
    sight.take([Sample(NAME, (), START + 5_000, 1.0)], 605_000)
    assert sight.view(OF, fresh, fresh, START + 5_000).holds


def test_the_first_sample_afterwards_is_enough_where_nobody_sets_the_clock() -> None:
    sight, fresh = blank(), Freshness(START, 0)
    sight.take([Sample(NAME, (), START - 1, 1.0)], -1)  # its reading was under way
    assert not sight.view(OF, fresh, fresh, START + 500).holds
    sight.take([Sample(NAME, (), START + 1, 1.0)], 1)
    assert sight.view(OF, fresh, fresh, START + 500).holds


@pytest.mark.parametrize("newest", [NEVER, Taken(START, 2), Taken(START + 5, 1), Taken(START + 1_001, 2)])
def test_neither_clock_alone_makes_it_fresh(newest: Taken) -> None:
    """Told by the exporter itself to be old, read before, or of an instant that is yet to come."""
    assert not Freshness(START, 1).has(NAME, newest, START + 1_000)


@given(
    away=st.integers(0, 900_000),
    off=st.integers(-3_600_000, 3_600_000),
    told=st.sampled_from([None, Boot(), Boot("here", 7_000), Boot("before", 7_000)]),
)
def test_what_a_former_life_began_lasts_as_long_as_both_clocks_know(
    away: int, off: int, told: Boot | None
) -> None:
    """There is an agent again so long after the start, and the wall clock was set by so much in between."""
    one = Incident("i", Phase.VERIFYING, OF, 0, START, "so", started_at=START, boot=told)
    lasted = begun(one, START + away + off, Boot("here", 7_000 + away), 50).lasted(50)
    known = told is not None and told.id == "here"
    assert lasted == (max(0, min(away, away + off)) if known else 0)


WORSE = [  # an expression, and how long (ms) after the effect it counts, with a new sample and without
    (f"{NAME} > 0", 1, 300_000),
    (f"max_over_time({NAME}[2m]) > 0", 120_000, 120_000),
    (f"deriv({NAME}[5m]) > -1", 300_000, 300_000),
    (f"{NAME} offset 1m > 0", 360_000, 360_000),
    (f"absent(gone) and {NAME} > 0", 300_000, 300_000),
    (f"{NAME} > 0 and max_over_time({NAME}[1m:15s]) > 0", 360_000, 360_000),
]


@pytest.mark.parametrize(("expr", "told", "silent"), WORSE)
@pytest.mark.parametrize("done", [True, False])
@pytest.mark.parametrize("set_by", [0, 3_600_000])
def test_worse_is_nothing_that_was_so_before(
    expr: str, told: int, silent: int, done: bool, set_by: int
) -> None:
    """The effect stood, or began, at 600 s, by a clock that may be ahead since then; read each 15 s."""
    of, wall = replace(OF, worse_if=expr), START + 600_000 + set_by
    for read, least in (True, told), (False, silent):
        sight, fresh = blank(), Freshness(wall, 600_000)
        for ran in range(0, 600_000, 15_000):
            sight.take([Sample(NAME, (), START + ran, 1.0)], ran)
        for lasted in range(1, 420_000, 15_000):
            if read:
                sight.take([Sample(NAME, (), wall + lasted, 1.0)], 600_000 + lasted)
            now, ran = wall + lasted, 600_000 + lasted
            worse = sight.view(of, fresh, fresh if done else None, now, ran).worse_if
            expected = lasted >= least and evaluate(compiled(expr), sight.series, now)
            assert worse == bool(expected), (lasted, read)
        assert worse or not read


RECORDED = [  # the expressions of recording rules, the newest by the one before; how long after it counts
    (["deriv({}[5m])"], 300_000),
    (["{} * 2"], 1),
    (["deriv({}[5m])", "{} * 2"], 300_000),
    (["{} * 2", "max_over_time({}[2m])"], 420_000),
    (["max_over_time({}[1m])", "max_over_time({}[2m])"], 180_000),
]


@pytest.mark.parametrize(("exprs", "least"), RECORDED)
def test_nor_what_recording_rules_look_back_at(exprs: list[str], least: int) -> None:
    """The newest recorded sample is new, though what it says is not."""
    names = [NAME, *(f"recorded{n}" for n in range(len(exprs)))]
    read = zip(names[1:], exprs, names, strict=False)
    rules = [RecordRule(name, expr.format(of), (), "g", Place("r.yml", 1, 1)) for name, expr, of in read]
    sight, fresh = blank(*rules), Freshness(START, 0)
    of = replace(OF, worse_if=f"{names[-1]} > -1")
    for lasted in range(-600_000 + 1, 480_000, 15_000):
        now = START + lasted
        sight.take([Sample(NAME, (), now, 1.0)], lasted, now)
        sight.judge(now, None, frozenset())
        if lasted > 0:
            assert sight.view(of, fresh, fresh, now, lasted).worse_if == (lasted >= least), lasted
