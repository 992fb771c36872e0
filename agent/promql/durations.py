"""Arithmetic in durations (stable since Prometheus 3.14), worked out before the parser, which knows it not.

The parser gets a literal of the same width for each duration that is worked out here, so no place in the text
moves; the lowering puts the values in. What `step()` and `range()` are is known when a query is compiled.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import count

from agent.promql import positions
from agent.promql.duration_arithmetic import Duration, Reader
from agent.promql.errors import BadExpression

_NO_OPERAND = frozenset({"and", "or", "unless", "atan2", "bool"})


def worked_out(text: str, step_ms: int, range_ms: int) -> tuple[str, Mapping[int, int]]:
    """The text, as long as before, with literals for what is worked out; what these mean, ms by ms.

    `step_ms`, `range_ms`: of the range query; 0 at one instant. Raises BadExpression with the column.
    """
    text = positions.without_comments(text)
    found = list(_durations(text, {"step": step_ms / 1000, "range": range_ms / 1000}))
    taken = {int(each.seconds) + up for each in found if each.plain for up in (0, 1)}
    free = (seconds for seconds in count(1) if seconds not in taken)
    literals: dict[float, int] = {}
    for each in sorted(found, key=lambda each: each.end - each.start):  # the narrow ones first
        if each.plain:
            continue
        if each.seconds not in literals:
            literals[each.seconds] = next(free)
        text = _with(str(literals[each.seconds]), each, text)
    return text, {literal * 1000: int(seconds * 1000) for seconds, literal in literals.items()}


def _with(literal: str, duration: Duration, text: str) -> str:
    """The text with a literal in place of a duration, apart from words that touch it: `offset(1m)and`."""
    before, after = text[: duration.start], text[duration.end :]
    literal = " " * before[-1:].isalnum() + literal + " " * (after[:1].isalnum() or after[:1] == "_")
    width = duration.end - duration.start
    if len(literal) > width:
        problem = "too many other durations stand here to work this one out"
        raise BadExpression(problem, duration.start + 1)
    return before + literal.ljust(width) + after


def _durations(text: str, query: Mapping[str, float]) -> Iterator[Duration]:
    end, after_operand = 0, False
    for sort, word, column in positions.tokens(text):
        if column <= end:
            continue
        if word == "[":
            reader = Reader(text, column, query)
            yield from reader.within_brackets()
            end, after_operand = reader.end, True
        elif word.lower() == "offset" and after_operand:  # else a metric is called so
            reader = Reader(text, column - 1 + len(word), query)
            yield reader.offset()
            end = reader.end
        else:
            after_operand = _ends_operand(sort, word)


def _ends_operand(sort: str, word: str) -> bool:
    return sort in ("close", "number") or (sort == "word" and word.lower() not in _NO_OPERAND)
