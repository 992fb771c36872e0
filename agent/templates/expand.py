"""Expands a parsed template with the data of one result."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct, field

from agent.templates.errors import TemplateError
from agent.templates.functions import FUNCTIONS, truth
from agent.templates.go_format import show
from agent.templates.nodes import Branch, Call, Chain, Group, Literal, Node, Operand, Pipeline, Template, Text

MAX_LENGTH = 4_096  # characters of an expanded text


class Data(Struct, frozen=True):
    """What a template may use: the result's labels and value, and the agent's own."""

    labels: Mapping[str, str]
    value: float
    external_labels: Mapping[str, str] = field(default_factory=dict)
    external_url: str = ""


class Expansion(Struct, frozen=True):
    """The text, and whether it was too long and has been cut."""

    text: str
    cut: bool = False


def expand(template: Template, data: Data) -> Expansion:
    """The text; what fails at this moment becomes the text, as in Prometheus: no alert is lost by it."""
    known = template.constant
    try:
        text = known if known is not None else _Run(data).nodes(template.nodes)
    except TemplateError as e:
        text = f"<error expanding template: {e}>"
    if len(text) <= MAX_LENGTH:
        return Expansion(text)
    return Expansion(f"{text[: MAX_LENGTH - 1]}…", cut=True)


class _Run:
    """One expansion: the variables in sight, the innermost last, and what `.` stands for."""

    def __init__(self, data: Data) -> None:
        root = {
            "Labels": data.labels,
            "ExternalLabels": data.external_labels,
            "ExternalURL": data.external_url,
            "Value": data.value,
        }
        self._dot: Any = root
        self._variables: list[tuple[str, Any]] = [
            ("$", root),
            *((f"${name[:1].lower()}{name[1:]}", value) for name, value in root.items()),
        ]

    def nodes(self, nodes: Iterable[Node]) -> str:
        """Their texts, one after another."""
        out = []
        for node in nodes:
            match node:
                case Text():
                    out.append(node.text)
                case Branch():
                    out.append(self._branch(node))
                case _:
                    value = self._pipeline(node.pipeline)
                    out.append("" if node.pipeline.variable else show(value))
        return "".join(out)

    def _branch(self, node: Branch) -> str:
        known, dot = len(self._variables), self._dot
        value = self._pipeline(node.pipeline)
        chosen = node.then if truth(value) else node.otherwise
        if node.sets_dot and truth(value):
            self._dot = value
        text = self.nodes(chosen)
        del self._variables[known:]
        self._dot = dot
        return text

    def _pipeline(self, pipeline: Pipeline) -> Any:
        piped: tuple[Any, ...] = ()
        for command in pipeline.commands:
            piped = (self._value(command, piped),)
        if pipeline.declares:
            self._variables.append((pipeline.variable, piped[0]))
        elif pipeline.variable:
            self._set(pipeline.variable, piped[0])
        return piped[0]

    def _set(self, name: str, value: Any) -> None:
        at = max(n for n, (known, _) in enumerate(self._variables) if known == name)
        self._variables[at] = (name, value)

    def _value(self, operand: Operand, piped: tuple[Any, ...] = ()) -> Any:
        match operand:
            case Literal():
                return operand.value
            case Chain():
                return _fields(self._variable(operand.variable), operand.fields)
            case Group():
                return _fields(self._pipeline(operand.pipeline), operand.fields)
            case Call():
                return self._call(operand, piped)

    def _variable(self, name: str) -> Any:
        if name == ".":
            return self._dot
        return next(value for known, value in reversed(self._variables) if known == name)

    def _call(self, call: Call, piped: tuple[Any, ...]) -> Any:
        function = FUNCTIONS[call.function]
        given = len(call.args) + len(piped)
        if not function.least <= given <= function.most:
            raise TemplateError(f"{call.function}: wrong number of arguments: {given}")
        if call.function in ("and", "or"):  # what comes after the answer is not looked at
            return self._shortened(call, piped)
        return _apply(call.function, (*map(self._value, call.args), *piped))

    def _shortened(self, call: Call, piped: tuple[Any, ...]) -> Any:
        value: Any = None
        for operand in call.args:
            value = self._value(operand)
            if truth(value) == (call.function == "or"):
                return value
        return piped[0] if piped else value


def _apply(name: str, values: tuple[Any, ...]) -> Any:
    try:
        result = FUNCTIONS[name].apply(*values)
    except TemplateError as e:
        raise TemplateError(f"{name}: {e}") from None
    if isinstance(result, str) and len(result) > 4 * MAX_LENGTH:  # a variable may feed it again
        raise TemplateError(f"{name}: the text is longer than {4 * MAX_LENGTH} characters")
    return result


def _fields(value: Any, fields: Iterable[str]) -> Any:
    for name in fields:
        if not isinstance(value, Mapping):
            raise TemplateError(f"{show(value)} has no field {name}")
        value = value.get(name, "")
    return value
