"""Where a text that is no PromQL goes wrong: the parser says only that it does.

A reader of the grammar's outline, asked after the parser has refused; what it does not find stays unfound.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from msgspec import Struct

from agent.yaml_marks import closest

_TOKEN = re.compile(
    r"""\s+|\#[^\n]*
      | (?P<string>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`[^`]*`)
      | (?P<word>[A-Za-z_:][A-Za-z0-9_:]*)
      | (?P<number>(?:[0-9]|\.[0-9])[0-9A-Za-z_.]*)
      | (?P<sign>==|!=|=~|!~|<=|>=|\S)""",
    re.VERBOSE,
)
_SIGNS = frozenset({"+", "-", "*", "/", "%", "^", "==", "!=", "<", ">", "<=", ">="})
_OPERATORS = _SIGNS | {"and", "or", "unless", "atan2"}
_AGGREGATES = (
    frozenset({"sum", "avg", "min", "max", "count", "group", "stddev", "stdvar", "quantile"})
    | {"topk", "bottomk", "limitk", "limit_ratio", "count_values"}
)  # fmt: skip
_AFTER = (
    "by",
    "without",
    "on",
    "ignoring",
    "group_left",
    "group_right",
    "bool",
    "offset",
    *sorted(_OPERATORS - _SIGNS),
)
_MAX_LENGTH = 2_000  # of longer ones nobody looks for a slip by eye either
_MAX_BRACKETS = 100
_MATCHING = frozenset({"=", "!=", "=~", "!~"})


class Slip(Struct, frozen=True):
    """What is wrong with the token at `index`, how long that is, and what to write instead."""

    message: str
    index: int
    width: int = 1
    hint: str | None = None


class _Found(Exception):
    def __init__(self, slip: Slip) -> None:
        super().__init__(slip.message)
        self.slip = slip


def slip(text: str) -> Slip | None:
    """The first place where a text whose brackets are closed cannot go on as PromQL; None where it can."""
    if len(text) > _MAX_LENGTH or sum(map(text.count, "([{")) > _MAX_BRACKETS:
        return None
    reader = _Reader(text)
    try:
        reader.expression()
        if reader.kind:
            reader.fail("stands where an operator is expected", closest(reader.word, _AFTER))
    except _Found as found:
        return found.slip
    return None


class _Reader:
    """Goes over the tokens once; `word` is the token that comes next, `kind` empty at the end."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._matches = [m for m in _TOKEN.finditer(text) if m.lastgroup]
        self._at = 0

    @property
    def kind(self) -> str:
        return (self._matches[self._at].lastgroup or "") if self._at < len(self._matches) else ""

    @property
    def word(self) -> str:
        return self._matches[self._at][0] if self._at < len(self._matches) else ""

    def fail(self, what: str, hint: str | None = None) -> None:
        """Raises: the next token stands where it cannot, or something is missing at the end."""
        if self.kind:
            match = self._matches[self._at]
            raise _Found(Slip(f"{match[0][:40]} {what}", match.start(), len(match[0]), hint))
        last = self._matches[-1] if self._matches else None
        where = (last.start(), len(last[0])) if last else (0, 1)
        after = f" after {last[0][:40]}" if last else ""
        raise _Found(Slip(f"something is missing{after}", *where, hint))

    def take(self, *tokens: str) -> bool:
        """Whether the next token is one of these; then it is passed."""
        if self.kind != "string" and self.word.lower() in tokens:
            self._at += 1
            return True
        return False

    def expression(self) -> None:
        """Operands with operators between them."""
        self._operand()
        while self.kind and self.word.lower() in _OPERATORS:
            self._at += 1
            self.take("bool")
            if self.take("on", "ignoring"):
                self._bracketed(self._label)
                if self.take("group_left", "group_right") and self.word == "(":
                    self._bracketed(self._label)
            self._operand()
        if self.kind == "sign" and self.word == "=":
            self.fail("compares nothing", "write ==")

    def _operand(self) -> None:
        while self.take("+", "-"):
            pass
        if self.take("("):
            self.expression()
            self._close(")", "an operator or )")
        elif self.kind in ("number", "string"):
            self._at += 1
        elif self.kind == "word":
            self._word()
        elif self.word == "{":
            self._bracketed(self._matcher, "{}")
        else:
            self.fail("stands where a metric, a number or ( is expected")
        self._modified()

    def _word(self) -> None:
        aggregates = self.word.lower() in _AGGREGATES
        self._at += 1
        if aggregates and self.take("by", "without"):
            self._bracketed(self._label)
        if self.word == "(":
            self._bracketed(self.expression)
            if aggregates and self.take("by", "without"):
                self._bracketed(self._label)
        elif self.word == "{":
            self._bracketed(self._matcher, "{}")

    def _modified(self) -> None:
        """Ranges, offsets and times."""
        while True:
            if self.take("["):
                self._duration()
                if self.word.startswith(":"):  # `:10s` is one token, as a recorded metric's name would be
                    self._at += 1
                    if self.kind == "number":
                        self._duration()
                self._close("]", "]")
            elif self.take("offset"):
                self.take("-")
                self._duration()
            elif self.take("@"):
                self._operand()
            else:
                return

    def _bracketed(self, part: Callable[[], None], brackets: str = "()") -> None:
        """Parts with commas between them; a last comma may stand alone."""
        if not self.take(brackets[0]):
            self.fail(f"stands where {brackets[0]} is expected")
        while self.word != brackets[1]:
            part()
            if not self.take(","):
                break
        self._close(brackets[1], f"a comma or {brackets[1]}")

    def _close(self, bracket: str, expected: str) -> None:
        if not self.take(bracket):
            self.fail(f"stands where {expected} is expected", closest(self.word, _AFTER))

    def _label(self) -> None:
        if self.kind not in ("word", "string"):
            self.fail("stands where a label's name is expected")
        self._at += 1

    def _matcher(self) -> None:
        named = self.kind == "string"
        self._label()
        if named and self.word in (",", "}"):
            return  # the metric's own name in quotes
        if self.word not in _MATCHING:
            self.fail("stands where =, !=, =~ or !~ is expected", "write =" if self.word == "==" else None)
        self._at += 1
        if self.kind != "string":
            self.fail(
                "stands where a text in quotes is expected",
                f"write {self.word[:40]!r} in quotes" if self.kind == "word" else None,
            )
        self._at += 1

    def _duration(self) -> None:
        if self.kind != "number":
            self.fail("stands where a duration like 5m is expected")
        self._at += 1
