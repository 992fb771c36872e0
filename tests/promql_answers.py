"""The same question to our engine and to a real Prometheus, and what differs between the answers."""

from __future__ import annotations

import math
from dataclasses import dataclass

from prometheus_server import Refused, Server

from agent.model import Labels
from agent.promql import BadExpression, EvaluationError, compile, query, query_range  # noqa: A004  as in Prometheus
from agent.promql.vectors import Store

Lines = dict[Labels, list[tuple[int, float]]]  # points in order of time (ms)


@dataclass(frozen=True)
class Question:
    """An expression at `start`, or over a range where there is a step; milliseconds."""

    text: str
    start: int
    end: int = 0
    step: int = 0


@dataclass(frozen=True)
class Reply:
    """Lines by their labels, or why there are none."""

    kind: str = ""
    lines: Lines | None = None
    error: str = ""


def ours(question: Question, store: Store) -> Reply:
    """Our engine's."""
    try:
        expression = compile(question.text)
        if question.step:
            answer = query_range(expression, store, question.start, question.end, question.step)
        else:
            answer = query(expression, store, question.start)
    except (BadExpression, EvaluationError) as e:
        return Reply(error=str(e) or "no words")
    lines: Lines = {}
    for line in answer.lines:
        assert line.labels not in lines, f"{line.labels} twice in the answer to {question}"
        lines[line.labels] = list(zip(line.times.tolist(), line.values.tolist(), strict=True))
    return Reply(answer.kind, lines)


def theirs(question: Question, server: Server) -> Reply:
    """The server's."""
    try:
        if question.step:
            data = server.api(
                "query_range",
                query=question.text,
                start=f"{question.start / 1000:.3f}",
                end=f"{question.end / 1000:.3f}",
                step=f"{question.step / 1000:.3f}",
            )
        else:
            data = server.api("query", query=question.text, time=f"{question.start / 1000:.3f}")
    except Refused as e:
        return Reply(error=str(e) or "no words")
    if data["resultType"] == "scalar":
        return Reply("scalar", {(): _points([data["result"]])})
    lines = {
        tuple(sorted(line["metric"].items())): _points(line.get("values") or [line["value"]])
        for line in data["result"]
    }
    return Reply(data["resultType"], lines)


def _points(pairs: list[tuple[float, str]]) -> list[tuple[int, float]]:
    return [(round(1000 * at), float(value)) for at, value in pairs]


def difference(a: Reply, b: Reply) -> str:
    """What differs between two replies; nothing where they say the same."""
    if a.lines is None or b.lines is None:
        return "" if a.lines is b.lines else f"{a.error or a.lines} ≠ {b.error or b.lines}"
    if a.kind != b.kind:
        return f"{a.kind} ≠ {b.kind}"
    for labels in sorted(a.lines.keys() | b.lines.keys()):
        left, right = a.lines.get(labels, []), b.lines.get(labels, [])
        same = len(left) == len(right) and all(map(_same, left, right))
        if not same:
            return f"{dict(labels)}: {left} ≠ {right}"
    return ""


def _same(a: tuple[int, float], b: tuple[int, float]) -> bool:
    if a[0] != b[0]:
        return False
    both_nan = math.isnan(a[1]) and math.isnan(b[1])
    return both_nan or math.isclose(a[1], b[1], rel_tol=1e-9, abs_tol=1e-9)
