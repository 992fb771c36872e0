"""The journal told against the journal expected: the fewest differing lines."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from short_stories import T0, fact

from agent.model import Kind, Place
from agent.rehearsal.cases import ExpectedEntry
from agent.rehearsal.journals import differences, show, told
from agent.rehearsal.readers import DOTS

GOT = told(
    [
        fact(9, Kind.REFUSED, "broker 3 is down: one patient at a time"),
        fact(30, Kind.STARTED, "nothing objects"),
        fact(31, Kind.DONE, "the effect stands"),
        fact(60, Kind.NO_BETTER, "not x within 30s"),
    ],
    T0,
)


def expect(*lines: str) -> list[ExpectedEntry]:
    """Lines like `30s started`."""
    place = Place("tests.yml", 1, 1)
    pairs = [line.partition(" ") for line in lines]
    return [
        ExpectedEntry(None if at == DOTS else int(at.removesuffix("s")) * 1000, words, place)
        for at, _, words in pairs
    ]


def test_a_line_says_as_much_as_is_to_be_compared() -> None:
    """The deed may be left out, and the words may end between any two of them."""
    for words in (
        "refused",
        "refused drain_disk",
        "refused: broker 3",
        "refused drain_disk on /d1: broker 3 is",
    ):
        expected = expect(f"9s {words}", "30s started", "31s done", "60s no better: not x")
        assert differences(expected, GOT) == ()


def test_what_differs_is_told_and_no_more() -> None:
    expected = expect("9s refused: broker 2 is down", "30s started", "45s done", "60s no better")
    assert differences(expected, GOT) == (
        "- 9s refused: broker 2 is down",
        "+ 9s refused drain_disk on /d1: broker 3 is down: one patient at a time",
        "- 45s done",
        "+ 31s done drain_disk on /d1: the effect stands",
    )


def test_a_second_more_or_less_is_no_difference() -> None:
    """Two are."""
    assert differences(expect("10s refused", "29s started", DOTS), GOT) == ()
    assert differences(expect("11s refused", DOTS), GOT)[0] == "- 11s refused"


def test_half_a_word_is_another_word() -> None:
    assert differences(expect("9s refused: brok", DOTS), GOT[:1])[0] == "- 9s refused: brok"


def test_dots_stand_for_any_entries_or_none() -> None:
    assert differences(expect(DOTS), GOT) == ()
    assert differences(expect(DOTS, "60s no better", DOTS), GOT) == ()
    assert differences(expect("9s refused", DOTS, "60s no better"), GOT) == ()


def test_what_dots_stand_for_is_shown_where_something_else_differs() -> None:
    """Else nobody could see where the line belongs."""
    assert differences(expect(DOTS, "61s closed"), GOT) == (*(f"  {show(g)}" for g in GOT), "- 1m1s closed")


@given(st.sets(st.integers(0, 3)), st.sets(st.integers(0, 3)))
def test_each_missing_line_costs_one_line(left_out: set[int], missing: set[int]) -> None:
    """Whatever is left out on either side, no other line is told."""
    lines = [f"{at // 1000}s {entry.kind}" for at, entry, _ in GOT]
    expected = expect(*(line for n, line in enumerate(lines) if n not in left_out))
    found = differences(expected, [g for n, g in enumerate(GOT) if n not in missing])
    assert len(found) == len(left_out ^ missing)
