"""Cuts a template into texts and actions, and actions into tokens, as Go's text/template/parse does."""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct

_TOKEN = re.compile(
    r"""(?P<string>"(?:\\.|[^"\\\n])*"|`[^`]*`)
    |(?P<number>[+-]?(?:0[xX][0-9a-fA-F]+|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)(?![\w.]))
    |(?P<variable>\$\w*)
    |(?P<field>\.[^\W\d]\w*)
    |(?P<dot>\.(?!\w))
    |(?P<word>[^\W\d]\w*)
    |(?P<sign>:=|[=()|,])""",
    re.VERBOSE | re.DOTALL,
)
_SPACE = re.compile(r"[ \t\r\n]*")
_COMMENT = re.compile(r"\{\{(- )?[ \t\r\n]*/\*.*?\*/( -)?\}\}", re.DOTALL)
_SPACES = " \t\r\n"


class BadTemplate(Exception):
    """Not a template that can be expanded here; `index` counts characters of the text from 0."""

    def __init__(self, message: str, index: int) -> None:
        super().__init__(message)
        self.index = index


class Token(Struct, frozen=True):
    """`joined`: no space stands before it, as in `$labels.path`."""

    kind: str
    text: str
    index: int
    joined: bool


class Action(Struct, frozen=True):
    """What stands between `{{` and `}}`."""

    tokens: tuple[Token, ...]
    index: int


def cut(text: str) -> Iterator[str | Action]:
    """Texts and actions in turn, spaces trimmed where `{{-` and `-}}` say so. Raises BadTemplate."""
    at, trim = 0, False
    while (start := text.find("{{", at)) >= 0:
        before = text[at:start].lstrip(_SPACES) if trim else text[at:start]
        comment = _COMMENT.match(text, start)
        trims_left = text[start + 2 : start + 3] == "-" and text[start + 3 : start + 4] in tuple(_SPACES)
        yield before.rstrip(_SPACES) if trims_left else before
        if comment:
            at, trim = comment.end(), bool(comment[2])
            continue
        tokens, at, trim = _action(text, start + 2 + trims_left, start)
        yield Action(tokens, start)
    yield text[at:].lstrip(_SPACES) if trim else text[at:]


def _action(text: str, at: int, start: int) -> tuple[tuple[Token, ...], int, bool]:
    """The tokens up to the closing brackets, where those end, and whether they trim what follows."""
    tokens: list[Token] = []
    while True:
        begin = _end_of_space(text, at)
        if text.startswith("}}", begin):
            return tuple(tokens), begin + 2, False
        if begin > at and text.startswith("-}}", begin):
            return tuple(tokens), begin + 3, True
        if begin >= len(text):
            raise BadTemplate("{{ is not closed", start)
        match = _TOKEN.match(text, begin)
        if match is None or match.lastgroup is None:
            raise BadTemplate(f"unexpected {text[begin]!r}", begin)
        tokens.append(Token(match.lastgroup, match[0], begin, begin == at and bool(tokens)))
        at = match.end()


def _end_of_space(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at


class Tokens(Struct):
    """The tokens of one action, and how far they are read."""

    tokens: tuple[Token, ...]
    start: int
    at: int = 0
    depth: int = 0  # of brackets

    @property
    def text(self) -> str:
        """Of the next token; empty at the end."""
        token = self.peek()
        return token.text if token else ""

    @property
    def index(self) -> int:
        """Where the next token stands, or the action."""
        token = self.peek()
        return token.index if token else self.start

    def peek(self, ahead: int = 0) -> Token | None:
        """A token to come."""
        return self.tokens[self.at + ahead] if self.at + ahead < len(self.tokens) else None

    def take(self, text: str) -> bool:
        """Whether the next token is this one; then it is read."""
        found = self.text == text
        self.at += found
        return found

    def next(self) -> Token:
        """Read one."""
        token = self.peek()
        if token is None:
            raise BadTemplate("something is missing here", self.start)
        self.at += 1
        return token

    def fields(self) -> tuple[str, ...]:
        """Fields that follow without a space."""
        found = []
        while (token := self.peek()) is not None and token.kind == "field" and token.joined:
            found.append(token.text[1:])
            self.at += 1
        return tuple(found)
