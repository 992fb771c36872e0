"""Prometheus's own test scripts: what is supported passes, all of it, and nothing slips out of support."""

from __future__ import annotations

import importlib.util
import sys
from collections import defaultdict
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from agent.model import Labels, Sample
from agent.promql import BadExpression, EvaluationError, compile, evaluate  # noqa: A004  as in Prometheus
from agent.promql.nodes import is_scalar
from agent.series import Series

SCRIPTS = Path(__file__).parents[3] / "shared" / "promqltest"
EXPECTED = {  # file: (passed, unsupported); only ever move numbers to the left
    "aggregators.test": (67, 93),
    "functions.test": (167, 264),
    "literals.test": (20, 5),
    "name_label_dropping.test": (19, 11),
    "operators.test": (137, 77),
    "range_queries.test": (8, 10),
    "selectors.test": (29, 2),
    "subquery.test": (2, 32),
}


def load_runner() -> ModuleType:
    path = SCRIPTS / "runner.py"
    if not path.exists():
        pytest.skip(f"Prometheus's test scripts and their runner are not at {SCRIPTS}")
    spec = importlib.util.spec_from_file_location("promqltest_runner", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # its dataclasses look themselves up
    spec.loader.exec_module(module)
    return module


class Engine:
    """The runner's engine interface over the store and the evaluator."""

    def __init__(self, runner: ModuleType) -> None:
        self._runner = runner
        self.clear()

    def clear(self) -> None:
        self._series = Series(window_ms=10**12)

    def load(self, series: list[Any]) -> None:
        for labels, samples in series:
            name = labels.get("__name__", "")
            rest = tuple(sorted((k, v) for k, v in labels.items() if k != "__name__"))
            self._series.add(Sample(name, rest, at, value) for at, value in samples)

    def instant(self, expr: str, at: int) -> Any:
        points = self._points(expr, at)
        if len(points) == 1 and is_scalar(compile(expr).node):
            return self._runner.Scalar(points[0].value)
        return [(dict(point.labels), point.value) for point in points]

    def range(self, expr: str, start: int, end: int, step: int) -> Any:
        found: dict[Labels, list[tuple[int, float]]] = defaultdict(list)
        for at in range(start, end + 1, step):
            for point in self._points(expr, at):
                found[point.labels].append((at, point.value))
        return [(dict(labels), points) for labels, points in found.items()]

    def _points(self, expr: str, at: int) -> Any:
        try:
            return evaluate(compile(expr), self._series, at)
        except EvaluationError as e:
            raise self._runner.EvalError(str(e)) from None
        except BadExpression as e:
            if "not supported yet" in e.message:
                raise self._runner.Unsupported(e.message) from None
            raise self._runner.EvalError(e.message) from None


@pytest.mark.parametrize("file", sorted(EXPECTED))
def test_what_is_supported_answers_as_prometheus_does(file: str) -> None:
    runner = load_runner()
    report = runner.run(str(SCRIPTS / file), Engine(runner))
    failed = [f"{file}:{c.line}: {c.expr}: {c.detail}" for c in report.cases if c.status == "fail"]
    assert not failed, "\n".join(failed)
    counts = report.counts()
    assert (counts["pass"], counts["unsupported"]) == EXPECTED[file]
