"""What a template consists of."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Literal:
    """A text, a number or a truth value as written; Go tells 10 and 10.0 apart."""

    value: str | int | float | bool


@dataclass(frozen=True, slots=True)
class Chain:
    """A variable (`$` is all of the data, `.` what `with` has chosen) and the fields taken of it."""

    variable: str
    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Call:
    """A function and its arguments; what is piped into it comes last."""

    function: str
    args: tuple[Operand, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """A pipeline in brackets, and the fields taken of its value."""

    pipeline: Pipeline
    fields: tuple[str, ...]


Operand = Literal | Chain | Call | Group


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Commands, each fed with the value of the one before; `variable` keeps the last value.

    `declares`: by `:=`, until the surrounding block ends; else by `=`.
    """

    commands: tuple[Operand, ...]
    variable: str = ""
    declares: bool = False


@dataclass(frozen=True, slots=True)
class Text:
    """What stands outside of actions."""

    text: str


@dataclass(frozen=True, slots=True)
class Show:
    """`{{ pipeline }}`: its value, unless a variable keeps it."""

    pipeline: Pipeline


@dataclass(frozen=True, slots=True)
class Branch:
    """`{{ if }}`, or `{{ with }}`, which makes `.` the pipeline's value."""

    pipeline: Pipeline
    then: tuple[Node, ...]
    otherwise: tuple[Node, ...]
    sets_dot: bool


Node = Text | Show | Branch


@dataclass(frozen=True, slots=True)
class Template:
    """A parsed template. `constant`: the text, where nothing in it depends on data."""

    nodes: tuple[Node, ...]

    @property
    def constant(self) -> str | None:
        """The whole text where there are no actions, else None."""
        texts = [node.text for node in self.nodes if isinstance(node, Text)]
        return "".join(texts) if len(texts) == len(self.nodes) else None
