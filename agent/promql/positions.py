"""Finds places in an expression: the parser gives none, so the text's tokens are read once more."""

from __future__ import annotations

import re
from collections import deque
from itertools import pairwise

_TOKEN = re.compile(
    r"""(?P<comment>\#[^\n]*)
      | (?P<string>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`[^`]*`)
      | (?P<open>[(\[{]) | (?P<close>[)\]}]) | (?P<quote>["'`])
      | (?P<word>[A-Za-z_:][A-Za-z0-9_:]*)
      | (?P<number>[0-9.][0-9A-Za-z_.]*)
      | (?P<other>\S)""",
    re.VERBOSE,
)
_PAIRS = {")": "(", "]": "[", "}": "{"}
_NO_METRIC = frozenset(
    [
        "and",
        "or",
        "unless",
        "atan2",
        "bool",
        "offset",
        "by",
        "without",
        "on",
        "ignoring",
        "group_left",
        "group_right",
        "inf",
        "nan",
    ]
)
_LISTS = frozenset({"by", "without", "on", "ignoring", "group_left", "group_right"})  # of labels, in brackets

Token = tuple[str, str, int]  # kind, text, column from 1


def tokens(text: str) -> list[Token]:
    """The tokens without comments."""
    return [
        (match.lastgroup or "", match.group(), match.start() + 1)
        for match in _TOKEN.finditer(text)
        if match.lastgroup != "comment"
    ]


def without_comments(text: str) -> str:
    """The text with blanks for its comments: every place stays where it is."""
    return _TOKEN.sub(lambda m: " " * len(m[0]) if m.lastgroup == "comment" else m[0], text)


def unbalanced(text: str) -> tuple[str, int] | None:
    """The first quote or bracket without its partner: what is wrong, in words, and the column."""
    opened: list[tuple[str, int]] = []
    for kind, token, column in tokens(text):
        if kind == "quote":
            return f"the string that begins with {token} does not end", column
        if kind == "open":
            opened.append((token, column))
        elif kind == "close" and (not opened or opened.pop()[0] != _PAIRS[token]):
            return f"{token} closes nothing that is open here", column
    return (f"{opened[-1][0]} is not closed", opened[-1][1]) if opened else None


def depth(text: str) -> int:
    """How deep brackets nest."""
    deepest = level = 0
    for kind, _, _ in tokens(text):
        level += (kind == "open") - (kind == "close")
        deepest = max(deepest, level)
    return deepest


def column_of_call(text: str, name: str) -> int | None:
    """Where a function is first called."""
    for (_, token, column), (_, after, _) in pairwise(tokens(text)):
        if token == name and after in ("(", "by", "without"):
            return column
    return None


def column_of(text: str, wanted: str) -> int | None:
    """Where a word or sign first stands outside strings and comments."""
    for _, token, column in tokens(text):
        if token.lower() == wanted or (
            wanted == ":" and token.startswith(":")
        ):  # part of a word to the lexer
            return column
    return None


def place(text: str, column: int) -> str:
    """A column of the text as Prometheus shows it: "line:column", both from 1."""
    before = text[: column - 1]
    line_start = before.rfind("\n") + 1
    return f"{before.count(chr(10)) + 1}:{column - line_start}"


class Places:
    """Where calls, their arguments and selectors are. Each is given once, in the order of the text.

    That is the order of a walk over the tree too, an operator's left side before its right one. Where the
    count does not come out (a metric is named like a keyword) no place is better than a wrong one.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = tokens(text)
        self._calls: dict[str, deque[int]] = {}
        self._selectors: deque[int] = deque()
        self._find()

    def call(self, name: str) -> tuple[str, ...]:
        """The next call of this function: its own place, then its arguments'."""
        found = self._calls.get(name)
        if not found:
            return ()
        index = found.popleft()
        return tuple(
            place(self._text, column) for column in (self._tokens[index][2], *self._arguments(index))
        )

    def selector(self) -> str:
        """The next selector's place."""
        return place(self._text, self._selectors.popleft()) if self._selectors else ""

    def _find(self) -> None:
        braces = brackets = lists = 0
        for index, (kind, word, column) in enumerate(self._tokens):
            before = self._tokens[index - 1] if index else ("", "", 0)
            after = self._tokens[index + 1][1] if index + 1 < len(self._tokens) else ""
            if lists or (word == "(" and before[1].lower() in _LISTS):
                lists += (word == "(") - (word == ")")
                continue
            plain = not braces and not brackets
            if plain and word == "{" and before[0] != "word":
                self._selectors.append(column)
            elif plain and kind == "word" and word.lower() not in _NO_METRIC:
                self._word(index, after, before[1])
            braces += (word == "{") - (word == "}")
            brackets += (word == "[") - (word == "]")

    def _word(self, index: int, after: str, before: str) -> None:
        word, column = self._tokens[index][1:]
        if after == "(" or after.lower() in ("by", "without"):
            self._calls.setdefault(word.lower(), deque()).append(index)
        elif before != "@":
            self._selectors.append(column)

    def _arguments(self, index: int) -> list[int]:
        """The columns at which the arguments of the call at a word begin."""
        while self._tokens[index][1] != "(" or self._tokens[index - 1][1].lower() in _LISTS:
            index += 1
            if index >= len(self._tokens):
                return []
        level, columns, fresh = 0, list[int](), True
        for _, word, column in self._tokens[index + 1 :]:
            if fresh and word != ")":
                columns.append(column)
            fresh = level == 0 and word == ","
            level += (word in _PAIRS.values()) - (word in _PAIRS)
            if level < 0:
                break
        return columns
