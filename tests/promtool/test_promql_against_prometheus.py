"""Our engine's answers are those of a real Prometheus, on random samples; where 2.42 differs it is listed."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from debian_prometheus import program
from derivation import Tree
from prometheus_server import Server
from promql_answers import Question, difference, ours, theirs
from promql_rounds import Case, Rounds
from promql_samples import full_labels

from agent.model import Sample, labels_of
from agent.series import Series

ROUNDS = 60
INSTANTS, RANGES = 25, 8  # a round
MOMENT = 1_600_000_020_000  # a whole minute


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(program("prometheus"), tmp_path_factory.mktemp("prometheus")) as started:
        yield started


def test_random_questions_have_prometheus_answers(server: Server) -> None:
    """Errors too: where one side refuses, the other does. Most questions have an answer that is not empty."""
    rounds = Rounds(server)
    for seed in range(ROUNDS):
        finding = rounds.run(seed, INSTANTS, RANGES)
        assert finding is None, f"seed {seed}\n{finding}"
    assert rounds.asked == ROUNDS * (INSTANTS + RANGES)
    assert rounds.refused + rounds.empty < rounds.asked / 2


KNOWN: tuple[
    tuple[str, dict[str, list[float]], int, str], ...
] = (  # expression, values at 0 s, 60 s ..., seconds of the question, what is different here
    ("g", {"g": [1]}, 300, "a lookback no longer holds its beginning"),
    ("count_over_time(g[1m])", {"g": [1, 2]}, 60, "nor does a range"),
    ("count_over_time(vector(1)[1m:1m])", {}, 60, "nor does a subquery"),
    ("stddev(g)", {"g": [np.inf]}, 0, "the deviation of an infinity is not 0"),
    ("g atan2 g", {"g": [1]}, 0, "atan2 drops the name"),
    ("timestamp(g offset -1m @ end())", {"g": [1, 2]}, 0, "its offset is heeded beside @ (but not in 3.14)"),
    (
        "increase(c[5m1s])",
        {"c": [np.nan, np.nan, 1, 2, 3, 4]},
        300,
        "what begins late is not stretched to its zero",
    ),
    ("g > on () vector(9)", {"g a=1": [1], "g a=2": [2]}, 0, "ambiguous even if the comparison drops it"),
    ('sum(abs({__name__=~"g|k"}))', {"g": [1], "k": [2]}, 0, "names are dropped last of all"),
)


@pytest.mark.parametrize(("text", "data", "at", "why"), KNOWN, ids=[why for *_, why in KNOWN])
def test_what_is_different_from_prometheus_2_is_known(
    server: Server, text: str, data: dict[str, list[float]], at: int, why: str
) -> None:
    """If one of these agrees one day, the exceptions of the grammar can go."""
    store = Series(window_ms=10**9)
    for written, values in data.items():
        name, *pairs = written.split()
        labels = labels_of(dict(pair.split("=") for pair in pairs))
        times = MOMENT + 60_000 * np.flatnonzero(~np.isnan(values))
        kept = np.array([value for value in values if not np.isnan(value)], np.float64)
        server.write([(full_labels((name, labels)), times, kept)])
        store.add(Sample(name, labels, int(t), float(v)) for t, v in zip(times, kept, strict=True))
    question = Question(text, MOMENT + 1000 * at)
    if not server.version.startswith("2."):
        pytest.skip(f"this is Prometheus {server.version}")
    assert difference(ours(question, store), theirs(question, server)), why


def test_a_difference_is_found_and_made_small(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine whose sums are off by little is found out, by a question with little beside the sum."""

    def wrong(question: Question, store: Series) -> object:
        return ours(Question(question.text.replace("sum", "1e-6 + sum"), *_times(question)), store)

    monkeypatch.setattr("promql_rounds.ours", wrong)
    rounds = Rounds(server)
    found = next(filter(None, (rounds.run(seed, INSTANTS, 0) for seed in range(50))))
    assert "sum" in str(found.case.tree)
    assert len(str(found.case.tree)) < 40
    assert len(found.data.series) <= 2


def _times(question: Question) -> tuple[int, int, int]:
    return question.start, question.end, question.step


def test_an_instant_of_the_grammar_is_seconds_after_the_moment() -> None:
    case = Case(Tree("v", ("g @ <-100>",)), 60)
    assert case.question(1_000_500) == Question("g @ 900.500", 1_060_500, 1_000_500, 0)
