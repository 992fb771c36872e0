"""The engine under Prometheus's own test scripts: `agent.promql` behind the interface of their runner."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from agent.model import Sample
from agent.promql import (
    Answer,
    BadExpression,
    EvaluationError,
    Expression,
    compile,  # noqa: A004  as in Prometheus
    query,
    query_range,
)
from agent.series import Series

SCRIPTS = Path(__file__).parents[3] / "shared" / "promqltest"


def load_runner() -> ModuleType:
    """The runner that is loaded already, whatever its name, else the one beside the scripts.

    Its exceptions tell failures from what is not supported, so the one that runs us is the one to use.
    FileNotFoundError where there is none.
    """
    for module in list(sys.modules.values()):
        if {"EvalError", "Unsupported", "parse_file"} <= vars(module).keys():
            return module
    path = SCRIPTS / "runner.py"
    if not path.exists():
        raise FileNotFoundError(f"Prometheus's test scripts and their runner are not at {SCRIPTS}")
    spec = importlib.util.spec_from_file_location("runner", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["runner"] = module  # its dataclasses look themselves up
    spec.loader.exec_module(module)
    return module


class Engine:
    """`annotations` are those of the last query: warnings, infos."""

    def __init__(self) -> None:
        self._runner = load_runner()
        self.annotations: tuple[list[str], list[str]] = ([], [])
        self.clear()

    def clear(self) -> None:
        """Drop all data."""
        self._series = Series(window_ms=10**15, limit=10**9, longest=10**9)

    def load(self, series: list[Any]) -> None:
        """Add series: their labels (with the name) and samples (ms, value)."""
        for labels, samples in series:
            name = labels.get("__name__", "")
            rest = tuple(sorted((k, v) for k, v in labels.items() if k != "__name__"))
            self._series.add(Sample(name, rest, at, value) for at, value in samples)

    def instant(self, expr: str, at: int) -> Any:
        """The runner's shape of an instant query's result."""
        answer = self._answered(expr, 0, 0, lambda expression: query(expression, self._series, at))
        if answer.kind == "string":
            return answer.text
        if answer.kind == "scalar":
            return self._runner.Scalar(answer.lines[0].values[0])
        if answer.kind == "vector":
            return [(dict(line.labels), float(line.values[0])) for line in answer.lines]
        return _matrix(answer)

    def range(self, expr: str, start: int, end: int, step: int) -> Any:
        """The runner's shape of a range query's result."""
        length = end - start
        return _matrix(
            self._answered(expr, step, length, lambda e: query_range(e, self._series, start, end, step))
        )

    def _answered(self, expr: str, step: int, length: int, ask: Any) -> Answer:
        try:
            expression: Expression = compile(expr, step_ms=step, range_ms=length)
            answer: Answer = ask(expression)
        except EvaluationError as e:
            raise self._runner.EvalError(str(e)) from None
        except BadExpression as e:
            kind = self._runner.Unsupported if "not supported" in e.message else self._runner.EvalError
            raise kind(e.message) from None
        self.annotations = (list(answer.warnings), list(answer.infos))
        return answer


def _matrix(answer: Answer) -> list[Any]:
    return [
        (dict(line.labels), list(zip(line.times.tolist(), line.values.tolist(), strict=True)))
        for line in answer.lines
    ]
