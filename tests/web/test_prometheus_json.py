"""Numbers and answers as Prometheus writes them, and as its own server does."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.promql import Answer, Line
from agent.web import prometheus_json
from agent.web.prometheus_json import PIECE, TooLarge, answered, listed, number, seconds
from agent.web.rule_groups import exponent, instant

HOST = (("__name__", "up"), ("host", 'a"b'))


def line(labels: tuple[tuple[str, str], ...], *points: tuple[int, float]) -> Line:
    return Line(labels, np.array([t for t, _ in points], np.int64), np.array([v for _, v in points]))


def told(pieces: list[bytes]) -> Any:
    return json.loads(b"".join(pieces))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (-0.0, "-0"),
        (1.0, "1"),
        (0.1, "0.1"),
        (1e-6, "0.000001"),
        (9.9e-7, "9.9e-07"),
        (1e16, "10000000000000000"),
        (1.5e20, "150000000000000000000"),
        (1e21, "1e+21"),
        (-2.5e-10, "-2.5e-10"),
        (5e-324, "5e-324"),
        (math.nan, "NaN"),
        (math.inf, "+Inf"),
        (-math.inf, "-Inf"),
    ],
)
def test_numbers_are_written_as_go_writes_them(value: float, text: str) -> None:
    assert number(value) == text


@given(st.floats(allow_nan=False))
def test_a_number_reads_back_as_itself(value: float) -> None:
    """Both ways of writing lose nothing."""
    assert math.copysign(1, float(number(value))) == math.copysign(1, value)
    assert float(number(value)) == value == float(exponent(value))


@pytest.mark.parametrize(
    ("value", "text"),
    [(1.0, "1e+00"), (0.95, "9.5e-01"), (120.0, "1.2e+02"), (-1e-10, "-1e-10"), (0.0, "0e+00"),
     (1e300, "1e+300"), (math.nan, "NaN"), (math.inf, "+Inf")],
)  # fmt: skip
def test_an_alert_s_value_has_an_exponent(value: float, text: str) -> None:
    assert exponent(value) == text


@pytest.mark.parametrize(
    ("at", "text"), [(0, "0"), (4_000, "4"), (1_500, "1.500"), (1_001, "1.001"), (-1_500, "-1.500")]
)
def test_instants_are_seconds(at: int, text: str) -> None:
    assert seconds(at) == text


@pytest.mark.parametrize(
    ("at", "text"),
    [
        (None, "0001-01-01T00:00:00Z"),
        (0, "1970-01-01T00:00:00Z"),
        (1_790_000_000_120, "2026-09-21T14:13:20.12Z"),
    ],
)
def test_an_instant_as_go_writes_it(at: int | None, text: str) -> None:
    assert instant(at) == text


def test_a_vector() -> None:
    """One value an element, an array; labels as an object, whatever is in them."""
    answer = Answer("vector", (line(HOST, (1_500, 1.0)), line((), (1_500, math.nan))))
    assert told(answered(answer, 1_500)) == {
        "status": "success",
        "data": {
            "resultType": "vector",
            "result": [
                {"metric": dict(HOST), "value": [1.5, "1"]},
                {"metric": {}, "value": [1.5, "NaN"]},
            ],
        },
    }


def test_a_matrix() -> None:
    answer = Answer("matrix", (line(HOST, (1_000, 1.0), (2_000, 0.5)),))
    assert told(answered(answer, 2_000))["data"] == {
        "resultType": "matrix",
        "result": [{"metric": dict(HOST), "values": [[1, "1"], [2, "0.5"]]}],
    }


@pytest.mark.parametrize("kind", ["vector", "matrix"])
def test_nothing_is_an_empty_list(kind: str) -> None:
    assert told(answered(Answer(kind), 0))["data"] == {"resultType": kind, "result": []}


def test_a_scalar_and_a_string_are_pairs() -> None:
    scalar = Answer("scalar", (line((), (4_000, 2.0)),))
    assert told(answered(scalar, 4_000))["data"] == {"resultType": "scalar", "result": [4, "2"]}
    text = Answer("string", text='say "a"')
    assert told(answered(text, 4_000))["data"] == {"resultType": "string", "result": [4, 'say "a"']}


def test_a_limit_cuts_series_and_says_so() -> None:
    """Beside the warnings that are there; series that fit are not cut."""
    answer = Answer("vector", (line((("a", "1"),), (0, 1.0)), line((("a", "2"),), (0, 1.0))), warnings=("w",))
    cut = told(answered(answer, 0, limit=1))
    assert (len(cut["data"]["result"]), cut["warnings"]) == (1, ["w", "results truncated due to limit"])
    assert told(answered(answer, 0, limit=2))["warnings"] == ["w"]
    assert told(listed(["a", "b", "c"], 2)) == {
        "status": "success", "data": ["a", "b"], "warnings": ["results truncated due to limit"]
    }  # fmt: skip


def test_ten_remarks_are_told_and_the_others_counted() -> None:
    answer = Answer("vector", warnings=("w",), infos=tuple(f"i{n}" for n in range(12)))
    said = told(answered(answer, 0))
    assert said["warnings"] == ["w"]
    assert said["infos"] == [*(f"i{n}" for n in range(10)), "2 more info annotations omitted"]


@given(st.lists(st.dictionaries(st.text(max_size=5), st.text(max_size=5)), max_size=450))
def test_a_long_list_is_the_same_as_made_at_once(items: list[dict[str, str]]) -> None:
    assert told(listed(items))["data"] == items


@pytest.mark.parametrize("count", [0, 1, 199, 200, 201, 450])
def test_a_list_of_any_length_is_whole(count: int) -> None:
    assert told(listed(list(range(count))))["data"] == list(range(count))


def test_a_large_answer_comes_in_pieces() -> None:
    """None of them much larger than is written at once; together they are the whole."""
    lines = tuple(line((("n", f"{n}"),), *((t, 0.1) for t in range(100))) for n in range(200))
    pieces = answered(Answer("matrix", lines), 0)
    assert len(pieces) > 3
    assert max(map(len, pieces)) < PIECE + 4_000
    assert len(told(pieces)["data"]["result"]) == 200


def test_an_answer_has_a_largest_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond it there is a refusal that says what to do."""
    monkeypatch.setattr(prometheus_json, "MAX_ANSWER", 1_000)
    lines = tuple(line((("n", f"{n}"),), (0, 0.1)) for n in range(100))
    with pytest.raises(TooLarge, match="select fewer series"):
        answered(Answer("vector", lines), 0)
    with pytest.raises(TooLarge):
        listed(["x" * 100] * 10)
