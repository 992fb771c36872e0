"""Parses a template once, at load; says which part of one is not supported, and where."""

from __future__ import annotations

import json
from collections.abc import Iterator

from msgspec import Struct

from agent.templates.functions import FUNCTIONS
from agent.templates.lexer import Action, BadTemplate, Token, Tokens, cut
from agent.templates.nodes import (
    Branch,
    Call,
    Chain,
    Group,
    Literal,
    Node,
    Operand,
    Pipeline,
    Show,
    Template,
    Text,
)

MAX_LENGTH = 16_384  # characters
MAX_DEPTH = 20  # of blocks and brackets
ROOT = frozenset({"Labels", "ExternalLabels", "ExternalURL", "Value"})
GIVEN = ("$", "$labels", "$externalLabels", "$externalURL", "$value")
_ROOT_WORDS = ", ".join(f".{name}" for name in sorted(ROOT))
_BLOCKS = frozenset({"range", "define", "template", "block", "break", "continue"})
_CONSTANTS = {"true": True, "false": False}


class Unsupported(Struct, frozen=True):
    """A template that stays raw text: why, and the column (from 1) of what is not understood."""

    message: str
    column: int


def parse(text: str) -> Template | Unsupported:
    """The template, or why it cannot be expanded."""
    if len(text) > MAX_LENGTH:
        return Unsupported(f"the template is longer than {MAX_LENGTH} characters", 1)
    try:
        return Template(_Parser(text).whole())
    except BadTemplate as e:
        return Unsupported(str(e), e.index + 1)


class _Parser:
    """Goes over texts and actions once; knows which variables are in sight."""

    def __init__(self, text: str) -> None:
        self._pieces: Iterator[str | Action] = cut(text)
        self._variables = list(GIVEN)
        self._depth = 0
        self._withs = 0  # outside of any, `.` is all of the data

    def whole(self) -> tuple[Node, ...]:
        """Every node. Raises BadTemplate."""
        nodes, end = self._block(())
        assert end is None, "only words that were asked for end a block"
        return nodes

    def _block(self, ends: tuple[str, ...], opened: int = 0) -> tuple[tuple[Node, ...], Action | None]:
        """Nodes up to an action that begins with one of `ends`, and that action; variables end with it."""
        nodes: list[Node] = []
        known = len(self._variables)
        for piece in self._pieces:
            if isinstance(piece, str):
                nodes += [Text(piece)] if piece else []
                continue
            word = piece.tokens[0].text if piece.tokens else ""
            if word in ends:
                del self._variables[known:]
                return tuple(nodes), piece
            nodes.append(self._node(word, piece))
        if ends:
            raise BadTemplate("this block has no {{ end }}", opened)
        return tuple(nodes), None

    def _node(self, word: str, action: Action) -> Node:
        if word in _BLOCKS:
            raise BadTemplate(f"{{{{ {word} }}}} is not supported", action.index)
        if word in ("end", "else"):
            raise BadTemplate(f"{{{{ {word} }}}} without a block", action.index)
        if word in ("if", "with"):
            return self._branch(word, action.tokens[1:], action.index)
        return Show(self._pipeline(Tokens(action.tokens, action.index)))

    def _branch(self, word: str, tokens: tuple[Token, ...], index: int) -> Branch:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise BadTemplate(f"blocks nest deeper than {MAX_DEPTH} levels", index)
        known = len(self._variables)
        pipeline = self._pipeline(Tokens(tokens, index))
        self._withs += word == "with"
        then, end = self._block(("else", "end"), index)
        self._withs -= word == "with"
        otherwise: tuple[Node, ...] = ()
        if end is not None and end.tokens[0].text == "else":
            otherwise = self._otherwise(end, index)
        del self._variables[known:]
        self._depth -= 1
        return Branch(pipeline, then, otherwise, word == "with")

    def _otherwise(self, action: Action, opened: int) -> tuple[Node, ...]:
        rest = action.tokens[1:]
        if not rest:
            return self._block(("end",), opened)[0]
        if rest[0].text != "if":
            raise BadTemplate(f"unexpected {rest[0].text!r} after else", rest[0].index)
        return (self._branch("if", rest[1:], action.index),)  # its {{ end }} is ours too

    def _pipeline(self, tokens: Tokens) -> Pipeline:
        variable, declares = self._assigned(tokens)
        commands = [self._command(tokens)]
        while tokens.take("|"):
            index = tokens.index
            commands.append(self._command(tokens))
            if not isinstance(commands[-1], Call):
                raise BadTemplate("only a function can be piped into", index)
        if tokens.depth == 0 and tokens.peek() is not None:
            raise BadTemplate(f"unexpected {tokens.text!r}", tokens.index)
        if declares:
            self._variables.append(variable)
        return Pipeline(tuple(commands), variable, declares)

    def _assigned(self, tokens: Tokens) -> tuple[str, bool]:
        first, second = tokens.peek(), tokens.peek(1)
        if first is None or first.kind != "variable" or second is None or second.text not in (":=", "="):
            return "", False
        tokens.at += 2
        if second.text == "=":
            self._check(first)
        return first.text, second.text == ":="

    def _command(self, tokens: Tokens) -> Operand:
        first = tokens.peek()
        if first is not None and first.kind == "word" and first.text not in _CONSTANTS:
            tokens.at += 1
            if first.text not in FUNCTIONS:
                raise BadTemplate(f"the function {first.text} is not supported", first.index)
            args = []
            while tokens.text not in ("", "|", ")"):
                args.append(self._operand(tokens))
            return Call(first.text, tuple(args))
        operand = self._operand(tokens)
        if tokens.text not in ("", "|", ")"):
            raise BadTemplate(f"unexpected {tokens.text!r}", tokens.index)
        return operand

    def _operand(self, tokens: Tokens) -> Operand:
        token = tokens.next()
        match token.kind:
            case "string":
                return Literal(_unquoted(token))
            case "number":
                return Literal(_number(token.text))
            case "word" if token.text in _CONSTANTS:
                return Literal(_CONSTANTS[token.text])
            case "word" if token.text in FUNCTIONS:
                return Call(token.text, ())
            case "variable":
                return self._chain(token, tokens.fields())
            case "dot":
                return self._chain(token, ())
            case "field":
                return self._chain(token, (token.text[1:], *tokens.fields()))
            case "sign" if token.text == "(":
                return self._group(tokens)
        raise BadTemplate(f"unexpected {token.text!r}", token.index)

    def _group(self, tokens: Tokens) -> Group:
        tokens.depth += 1
        if tokens.depth > MAX_DEPTH:
            raise BadTemplate(f"brackets nest deeper than {MAX_DEPTH} levels", tokens.index)
        pipeline = self._pipeline(tokens)
        if pipeline.variable or not tokens.take(")"):
            raise BadTemplate("( is not closed", tokens.index)
        tokens.depth -= 1
        return Group(pipeline, tokens.fields())

    def _chain(self, token: Token, fields: tuple[str, ...]) -> Chain:
        is_variable = token.kind == "variable"
        if is_variable:
            self._check(token)
        whole = token.text == "$" or not (is_variable or self._withs)
        if whole and not (fields and fields[0] in ROOT):
            raise BadTemplate(f"only {_ROOT_WORDS} can be taken of the data", token.index)
        return Chain(token.text if is_variable else ".", fields)

    def _check(self, token: Token) -> None:
        if token.text not in self._variables:
            raise BadTemplate(f"there is no variable {token.text}", token.index)


def _unquoted(token: Token) -> str:
    if token.text[0] == "`":
        return token.text[1:-1]
    try:
        return str(json.loads(token.text, strict=False))
    except ValueError:
        raise BadTemplate(f"the escape in {token.text} is not supported", token.index) from None


def _number(text: str) -> int | float:
    if "x" in text.lower():
        return int(text, 16)
    return float(text) if any(letter in text for letter in ".eE") else int(text)
