"""Names that look like a mistyped one, also where the journal is full of names that look alike."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.report.alike import COMPARED, LONGEST, alike

TOPICS = [f"com.example.payments.settlement.orders.v{n:05d}.retry-topic" for n in range(5_000)]


def test_few_are_compared_letter_by_letter_and_the_right_one_is_among_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    compared: list[int] = []
    module: Any = importlib.import_module("agent.report.alike")
    real = module.get_close_matches

    def counted(word: str, names: Sequence[str], n: int) -> Any:
        compared.append(len(names))
        assert all(len(each) <= LONGEST for each in (word, *names))
        return real(word, names, n)

    monkeypatch.setattr(module, "get_close_matches", counted)
    names = {*TOPICS, "x" * 5_000}
    assert alike("com.example.payments.settlement.orders.v04711.rteyr-topic", names)[0] == TOPICS[4711]
    assert alike("x" * 1_000, names) == []
    assert compared == [COMPARED, COMPARED]


@given(st.sampled_from(TOPICS[::97]), st.integers(0, 50), st.sampled_from(["", "z", "zz"]))
def test_a_slip_in_one_place_is_found(name: str, at: int, typed: str) -> None:
    """A letter left out, another one, or one too many."""
    told = alike(name[:at] + typed + name[at + 1 :], [*TOPICS, "LogDirFillingUp"])
    digits = 40 <= at < 45  # then there is a name that differs as little, or several
    assert told[0] == name or (digits and told)


def test_what_resembles_nothing_finds_nothing() -> None:
    assert alike("q", TOPICS) == []
    assert alike("LogDirFilingUp", ["LogDirFillingUp", "Other"]) == ["LogDirFillingUp"]
