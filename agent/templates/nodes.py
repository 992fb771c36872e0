"""What a template consists of."""

from __future__ import annotations

from msgspec import Struct


class Literal(Struct, frozen=True):
    """A text, a number or a truth value as written; Go tells 10 and 10.0 apart."""

    value: str | int | float | bool


class Chain(Struct, frozen=True):
    """A variable (`$` is all of the data, `.` what `with` has chosen) and the fields taken of it."""

    variable: str
    fields: tuple[str, ...]


class Call(Struct, frozen=True):
    """A function and its arguments; what is piped into it comes last."""

    function: str
    args: tuple[Operand, ...]


class Group(Struct, frozen=True):
    """A pipeline in brackets, and the fields taken of its value."""

    pipeline: Pipeline
    fields: tuple[str, ...]


Operand = Literal | Chain | Call | Group


class Pipeline(Struct, frozen=True):
    """Commands, each fed with the value of the one before; `variable` keeps the last value.

    `declares`: by `:=`, until the surrounding block ends; else by `=`.
    """

    commands: tuple[Operand, ...]
    variable: str = ""
    declares: bool = False


class Text(Struct, frozen=True):
    """What stands outside of actions."""

    text: str


class Show(Struct, frozen=True):
    """`{{ pipeline }}`: its value, unless a variable keeps it."""

    pipeline: Pipeline


class Branch(Struct, frozen=True):
    """`{{ if }}`, or `{{ with }}`, which makes `.` the pipeline's value."""

    pipeline: Pipeline
    then: tuple[Node, ...]
    otherwise: tuple[Node, ...]
    sets_dot: bool


Node = Text | Show | Branch


class Template(Struct, frozen=True):
    """A parsed template. `constant`: the text, where nothing in it depends on data."""

    nodes: tuple[Node, ...]

    @property
    def constant(self) -> str | None:
        """The whole text where there are no actions, else None."""
        texts = [node.text for node in self.nodes if isinstance(node, Text)]
        return "".join(texts) if len(texts) == len(self.nodes) else None
