"""Reads and works out durations by Prometheus's grammar: + - * / % ^, brackets, step(), range(), min_of()."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from math import isfinite

import numpy as np
from msgspec import Struct

from agent.promql.binary import fold
from agent.promql.errors import BadExpression
from agent.promql.nodes import Binary, Number
from agent.quantities import any_duration

_TOKEN = re.compile(
    r"""[ \t\r\n]*
        (?P<token>(?P<literal>(?:0[xX]|(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?(?=[0-9]))?)[0-9A-Za-z_.]*)
          | [A-Za-z_][0-9A-Za-z_]* | . | \Z)""",
    re.VERBOSE | re.DOTALL,
)
_NUMBER = re.compile(r"(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_PLAIN = re.compile(r"0|[0-9]+(?:\.[0-9]+)?[0-9A-Za-z]*")
_LEVELS = {"+": 1, "-": 1, "*": 2, "/": 2, "%": 2, "^": 3}
_BY_ZERO = {"/": "division by zero", "%": "modulo by zero"}
_CHOICES = {"min_of": np.minimum, "max_of": np.maximum}
_MAX_DEPTH = 100
_LONGEST_S = 2**63 / 1e9  # 292 years, what Go's time.Duration holds
_WANTED = "a number, a duration such as 5m, step() or range()"
_GOES_ON = "; an offset goes on after its brackets, so write (x offset (1h)) + y"
_ZERO = "; step() and range() are 0 at one instant, and so in a rule"


class Duration(Struct, frozen=True):
    """A duration in a text: from `start`, before `end`. `plain`: a literal that the parser takes itself."""

    start: int
    end: int
    seconds: float
    plain: bool


def seconds_of(literal: str) -> float:
    """A number, or a duration such as 1h30m. ValueError for other texts, OverflowError beyond all floats."""
    if literal[:2] in ("0x", "0X"):
        return float(int(literal, 16))
    if re.fullmatch("0[0-7]+", literal):
        return float(int(literal, 8))  # as in Go
    return float(literal) if _NUMBER.fullmatch(literal) else any_duration(literal) / 1000


class Reader:
    """Reads durations from a place of the text on. `end`: of what was read."""

    def __init__(self, text: str, at: int, query: Mapping[str, float]) -> None:
        self._text = text
        self._query = query
        self._depth = 0
        self._asked = False  # for what the query is
        self._wanted = _WANTED
        self._go_to(at)

    def within_brackets(self) -> Iterator[Duration]:
        """A range, and a step where there is one: what follows a bracket, with the one that closes it."""
        yield self._positive()
        if self._next == ":":
            self._take()
            if self._next != "]":
                yield self._positive()
        self._expect("]")

    def offset(self) -> Duration:
        """What follows `offset`."""
        return self._duration(self._offset)

    def _positive(self) -> Duration:
        self._asked = False
        found = self._duration(self._expression)
        if found.seconds <= 0:
            why = _ZERO if self._asked and not any(self._query.values()) else ""
            raise self._bad(f"duration must be greater than 0{why}", found.start)
        return found

    def _duration(self, read: Callable[[], float]) -> Duration:
        start, seconds = self._start, read()
        if not isfinite(seconds):
            raise self._bad("duration is NaN or infinite", start)
        self._check_length(seconds, start)
        plain = _PLAIN.fullmatch(self._text, start, self.end) and (seconds or self.end - start == 1)
        return Duration(start, self.end, seconds, bool(plain))

    def _offset(self) -> float:
        """One operand with its sign; as much as it can be where brackets or two signs begin it."""
        start = self._start
        sign = self._take() if self._next in ("+", "-") else ""
        if self._next not in (("+", "-") if sign else ("(",)):
            return -self._operand() if sign == "-" else self._operand()
        self._go_to(start)
        if not sign:
            self._wanted += _GOES_ON
        return self._expression()

    def _expression(self, least: int = 1) -> float:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise self._bad(f"nested deeper than {_MAX_DEPTH} levels", self._start)
        left = self._signed()
        while (level := _LEVELS.get(self._next, 0)) >= least:
            start, operator = self._start, self._take()
            right = self._expression(level + (operator != "^"))  # powers bind to the right
            if right == 0 and operator in _BY_ZERO:
                raise self._bad(_BY_ZERO[operator], start)
            result = fold(Binary(operator, Number(left), Number(right)))
            assert isinstance(result, Number)
            left = result.value
        self._depth -= 1
        return left

    def _signed(self) -> float:
        """An operand. A sign binds like a product, so it takes in powers only: -2^2 is -4."""
        if self._next not in ("+", "-"):
            return self._operand()
        return -self._expression(_LEVELS["^"]) if self._take() == "-" else self._expression(_LEVELS["^"])

    def _operand(self) -> float:
        start, is_literal, token = self._start, self._is_literal, self._take()
        word = token.lower()
        if is_literal:
            return self._literal(token, start)
        if word == "(":
            value = self._expression()
        elif word in self._query:
            self._expect("(")
            value, self._asked = self._query[word], True
        elif word in _CHOICES:
            self._expect("(")
            left = self._expression()
            self._expect(",")
            value = float(_CHOICES[word](left, self._expression()))
        else:
            raise self._unexpected(token, start, self._wanted)
        self._expect(")")
        return value

    def _literal(self, literal: str, start: int) -> float:
        try:
            seconds = seconds_of(literal)
        except OverflowError:
            seconds = float("inf")
        except ValueError:
            problem = f"{literal} is no duration: write seconds, or a duration such as 1h30m"
            raise self._bad(problem, start) from None
        self._check_length(seconds, start)
        return seconds

    def _check_length(self, seconds: float, start: int) -> None:
        if abs(seconds) > _LONGEST_S:
            raise self._bad("duration is out of range: 292 years are the most", start)

    def _expect(self, token: str) -> None:
        if self._next != token:
            raise self._unexpected(self._next, self._start, token)
        self._take()

    def _take(self) -> str:
        token = self._next
        self._go_to(self._after)
        return token

    def _go_to(self, at: int) -> None:
        match = _TOKEN.match(self._text, at)
        assert match is not None  # the end of the text is a token too
        self.end, self._after = at, match.end()
        self._next, self._start = match["token"], match.start("token")
        self._is_literal = match["literal"] is not None

    def _unexpected(self, token: str, start: int, wanted: str) -> BadExpression:
        what = f"unexpected {token}" if token else "unexpected end"
        return self._bad(f"{what} in a duration, expected {wanted}", start)

    def _bad(self, problem: str, start: int) -> BadExpression:
        return BadExpression(problem, min(start, len(self._text) - 1) + 1)
