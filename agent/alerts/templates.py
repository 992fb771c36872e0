"""Templates of labels and annotations: the part of Go's text/template that alerting rules use."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from itertools import takewhile

from agent.model import Labels

MAX_LENGTH = 4096  # of an expanded text: what is longer is cut, and says so
_CUT = " [cut]"
Value = str | float | bool | Mapping[str, str] | None
_ACTION = re.compile(r"""\{\{(-\s)?((?:"(?:[^"\\]|\\.)*"|`[^`]*`|[^"`}]|\}(?!\}))*?)(\s-)?\}\}""", re.DOTALL)
_TOKEN = re.compile(
    r"""\s*(?:(?P<string>"(?:[^"\\]|\\.)*"|`[^`]*`)|(?P<number>-?[0-9]+(?:\.[0-9]+)?(?:e-?[0-9]+)?)
    |(?P<word>[$.]?[A-Za-z_][\w.]*|\$|\.)|(?P<sign>:=|[|()]))""",
    re.VERBOSE,
)


class Unsupported(ValueError):
    """Not the part of Go's templates that is known here; `column` counts from 1."""

    def __init__(self, message: str, column: int) -> None:
        super().__init__(message)
        self.message = message
        self.column = column


class _Failed(ValueError):
    """An expansion that has no result, such as humanize of a text."""


Term = tuple[str, object]  # string, number, path (of names), or pipe (of commands)
Pipe = list[list[Term]]


@dataclass(slots=True)
class _Node:
    """A piece of text, a pipe to print or to keep under a name, or a branch (`if`, `with`)."""

    kind: str
    text: str = ""
    pipe: Pipe = field(default_factory=list)
    then: list[_Node] = field(default_factory=list)
    otherwise: list[_Node] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Template:
    """A parsed text. `plain` says that there is nothing to expand in it."""

    text: str
    nodes: Sequence[_Node]

    @property
    def plain(self) -> bool:
        """Whether it is itself, whatever the alert."""
        return all(node.kind == "text" for node in self.nodes)

    def expand(self, labels: Labels, value: float) -> str:
        """With `$labels` and `$value` of one alert; what fails says so in the text, as in Prometheus."""
        known: dict[str, Value] = {"$labels": dict(labels), "$value": value, "$externalLabels": {}}
        known |= {"$externalURL": "", ".": None}
        try:
            text = "".join(_expanded(self.nodes, known))
        except _Failed as e:
            return f"<error expanding template: {e}>"
        return text if len(text) <= MAX_LENGTH else text[: MAX_LENGTH - len(_CUT)] + _CUT


def parse(text: str) -> Template:
    """Raises Unsupported where the text is more than what is known here."""
    root = _Node("root")
    open_nodes: list[tuple[_Node, list[_Node]]] = [(root, root.then)]
    position, trimmed = 0, False
    for action in _ACTION.finditer(text):
        _add_text(open_nodes[-1][1], text[position : action.start()], trimmed, bool(action[1]))
        position, trimmed = action.end(), bool(action[3])
        _act(action[2].strip(), open_nodes, action.start() + 1)
    _add_text(open_nodes[-1][1], text[position:], trimmed, False)
    if len(open_nodes) > 1:
        raise Unsupported(f"{{{{ {open_nodes[-1][0].kind} }}}} has no {{{{ end }}}}", len(text))
    return Template(text, root.then)


def _add_text(nodes: list[_Node], text: str, trim_left: bool, trim_right: bool) -> None:
    text = text.lstrip() if trim_left else text
    text = text.rstrip() if trim_right else text
    if "{{" in text:
        raise Unsupported("{{ is not closed", text.index("{{") + 1)
    if text:
        nodes.append(_Node("text", text))


def _act(body: str, stack: list[tuple[_Node, list[_Node]]], column: int) -> None:
    word, _, rest = body.partition(" ")
    node, nodes = stack[-1]
    if body.startswith("/*"):
        return
    if word in ("if", "with"):
        branch = _Node(word, pipe=_pipe(rest, column))
        nodes.append(branch)
        stack.append((branch, branch.then))
    elif word == "else" and len(stack) > 1:
        stack[-1] = (node, node.otherwise)
        if rest.strip():  # else if: a branch within, ended by the same end
            _act(rest.strip(), stack, column)
            inner, then = stack.pop()
            inner.text = "chained"
            stack[-1] = (inner, then)
    elif word == "end" and len(stack) > 1:
        stack.pop()
    elif re.match(r"\$\w+ *:= ", body):
        name, _, pipe = body.partition(":=")
        nodes.append(_Node("set", name.strip(), _pipe(pipe, column)))
    elif word in ("range", "define", "template", "block", "break", "continue", "end", "else"):
        raise Unsupported(f"{{{{ {word} }}}} is not known here", column)
    else:
        nodes.append(_Node("print", pipe=_pipe(body, column)))


def _pipe(text: str, column: int) -> Pipe:
    tokens: list[tuple[str, str]] = []
    position = 0
    while text[position:].strip():
        match = _TOKEN.match(text, position)
        if match is None or match.lastgroup is None:
            raise Unsupported(f"{text[position:].strip()[:20]!r} is not known here", column)
        tokens.append((match.lastgroup, match[match.lastgroup]))
        position = match.end()
    pipe = _commands(iter(tokens), column, 0)
    if not all(pipe):
        raise Unsupported("an empty {{ }}", column)
    return pipe


def _commands(tokens: Iterator[tuple[str, str]], column: int, depth: int) -> Pipe:
    if depth > 10:
        raise Unsupported("brackets nest too deep", column)
    pipe: Pipe = [[]]
    for kind, word in takewhile(lambda each: each[1] != ")" or each[0] == "string", tokens):
        if kind == "sign" and word == "|":
            pipe.append([])
        elif kind == "sign" and word == "(":
            pipe[-1].append(("pipe", _commands(tokens, column, depth + 1)))
        elif kind == "word" and word[0] not in "$." and word not in ("true", "false"):
            if word not in _FUNCTIONS:
                raise Unsupported(f"the function {word} is not known here", column)
            pipe[-1].append(("function", word))
        else:
            pipe[-1].append(_literal(kind, word, column))
    return pipe


def _literal(kind: str, word: str, column: int) -> Term:
    if kind == "string":
        raw = word[1:-1]
        return "value", raw if word[0] == "`" else raw.encode().decode("unicode_escape")
    if kind == "number":
        return "value", float(word)
    if word in ("true", "false"):
        return "value", word == "true"
    if kind != "word":
        raise Unsupported(f"{word} is not known here", column)
    path = {".Labels": "$labels", ".Value": "$value"}
    head, *rest = (
        word.split(".")
        if word[0] == "$"
        else ("." + word[1:].split(".", maxsplit=1)[0], *word.split(".")[2:])
    )
    return "path", [path.get(head, head), *rest] if word != "." else ["."]


def _expanded(nodes: Sequence[_Node], known: dict[str, Value]) -> Iterator[str]:
    for node in nodes:
        if node.kind == "text":
            yield node.text
            continue
        value = _value(node.pipe, known)
        if node.kind == "print":
            yield shown(value)
        elif node.kind == "set":
            known[node.text] = value
        elif node.kind == "with" and value:
            yield from _expanded(node.then, known | {".": value})
        else:
            yield from _expanded(node.then if value else node.otherwise, known)


def _value(pipe: Pipe, known: Mapping[str, Value]) -> Value:
    result: Value = None
    for number, command in enumerate(pipe):
        (kind, what), *rest = command
        given = [_term(term, known) for term in rest] + ([result] if number else [])
        if kind == "function":
            result = _FUNCTIONS[str(what)](*given) if _fits(str(what), given) else _refuse(str(what))
        elif given:
            raise _Failed(f"{what} is no function")
        else:
            result = _term((kind, what), known)
    return result


def _fits(name: str, given: Sequence[Value]) -> bool:
    return name in _MANY or len(given) == (2 if name in _TWO else 1)


def _refuse(name: str) -> Value:
    raise _Failed(f"wrong number of args for {name}")


def _term(term: Term, known: Mapping[str, Value]) -> Value:
    kind, what = term
    if kind == "value":
        assert isinstance(what, str | float | bool)
        return what
    if kind == "pipe":
        assert isinstance(what, list)
        return _value(what, known)
    if kind == "function":
        return _FUNCTIONS[str(what)]() if str(what) in _MANY else _refuse(str(what))
    assert isinstance(what, list)
    head, *rest = what
    if head not in known:
        raise _Failed(f"undefined variable {head!r}")
    value = known[head]
    for name in rest:
        value = value.get(name, "") if isinstance(value, Mapping) else ""
    return value


def _number(value: Value) -> float:
    try:
        return float(value)  # type: ignore[arg-type]  # what is no number is told
    except (TypeError, ValueError):
        raise _Failed(f"{shown(value)!r} is no number") from None


def shown(value: Value) -> str:
    """As Go prints it: %v."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return general(value)
    if isinstance(value, Mapping):
        return "map[" + " ".join(f"{name}:{text}" for name, text in sorted(value.items())) + "]"
    return "<no value>" if value is None else value


def general(value: float) -> str:
    """strconv's 'g' with the shortest digits: an exponent below -4 and from 6."""
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"
    if value != 0 and not 1e-4 <= abs(value) < 1e6:
        digits, exponent = Decimal(repr(value)).normalize().as_tuple().digits, Decimal(repr(value)).adjusted()
        mantissa = str(digits[0]) + ("." + "".join(map(str, digits[1:])) if len(digits) > 1 else "")
        return f"{'-' if value < 0 else ''}{mantissa}e{exponent:+03d}"
    return repr(value).removesuffix(".0")


def _four(value: float) -> str:
    return general(value) if not math.isfinite(value) else f"{value:.4g}"


def _humanize(given: Value) -> str:
    value = _number(given)
    if value == 0 or not math.isfinite(value):
        return _four(value)
    return _scaled(value, 1000.0, "kMGTPEZY") if abs(value) >= 1 else _small(value)


def _scaled(value: float, base: float, prefixes: str, mark: str = "") -> str:
    prefix = ""
    for each in prefixes:
        if abs(value) < base:
            break
        prefix, value = each + mark, value / base
    return f"{_four(value)}{prefix}"


def _small(value: float) -> str:
    prefix = ""
    for each in "munpfazy":
        if abs(value) >= 1:
            break
        prefix, value = each, value * 1000
    return f"{_four(value)}{prefix}"


def _humanize_1024(given: Value) -> str:
    value = _number(given)
    if abs(value) <= 1 or not math.isfinite(value):
        return _four(value)
    return _scaled(value, 1024.0, "kMGTPEZY", "i")


def _humanize_duration(given: Value) -> str:
    value = _number(given)
    if not math.isfinite(value):
        return _four(value)
    if abs(value) < 1:
        return f"{_four(value)}s" if value == 0 else f"{_small(value)}s"
    sign, whole = ("-" if value < 0 else ""), int(abs(value))
    days, hours, minutes, seconds = whole // 86_400, whole // 3600 % 24, whole // 60 % 60, whole % 60
    if days:
        return f"{sign}{days}d {hours}h {minutes}m {seconds}s"
    if hours:
        return f"{sign}{hours}h {minutes}m {seconds}s"
    return f"{sign}{minutes}m {seconds}s" if minutes else f"{_four(value)}s"


def _humanize_timestamp(given: Value) -> str:
    value = _number(given)
    if not math.isfinite(value):
        return _four(value)
    try:
        return datetime.fromtimestamp(value, UTC).strftime("%Y-%m-%d %H:%M:%S +0000 UTC")
    except (OverflowError, ValueError, OSError):
        raise _Failed(f"{general(value)} is no time") from None


_VERB = re.compile(r"%([-+ 0#]*\d{0,3}(?:\.\d{1,3})?)([a-zA-Z%])")


def _printf(form: Value, *given: Value) -> str:
    rest = iter(given)

    def verb(match: re.Match[str]) -> str:
        flags, kind = match[1], match[2]
        if kind == "%":
            return "%"
        value = next(rest, None)
        if value is None:
            return f"%!{kind}(MISSING)"
        if kind in "feEgG" and isinstance(value, float):
            return general(value) if kind == "g" and not flags else f"%{flags}{kind}" % value
        if kind in "sv" or (kind == "t" and isinstance(value, bool)):
            return f"%{flags}s" % shown(value) if kind != "s" or isinstance(value, str) else _odd(kind, value)
        return '"' + shown(value).replace('"', '\\"') + '"' if kind == "q" else _odd(kind, value)

    return _VERB.sub(verb, shown(form))


def _odd(kind: str, value: Value) -> str:
    names = {bool: "bool", float: "float64", str: "string"}
    return f"%!{kind}({names.get(type(value), 'map[string]string')}={shown(value)})"


def _and(*given: Value) -> Value:
    return next((each for each in given if not each), given[-1] if given else None)


def _or(*given: Value) -> Value:
    return next((each for each in given if each), given[-1] if given else None)


_MANY = frozenset({"printf", "and", "or", "print"})
_TWO = frozenset({"eq", "ne", "lt", "le", "gt", "ge"})
_FUNCTIONS: Mapping[str, Callable[..., Value]] = {
    "humanize": _humanize,
    "humanize1024": _humanize_1024,
    "humanizeDuration": _humanize_duration,
    "humanizePercentage": lambda value: f"{_number(value) * 100:.4g}%",
    "humanizeTimestamp": _humanize_timestamp,
    "printf": _printf,
    "print": lambda *given: "".join(shown(each) for each in given),
    "toUpper": lambda text: shown(text).upper(),
    "toLower": lambda text: shown(text).lower(),
    "title": lambda text: re.sub(r"\b[a-z]", lambda m: m[0].upper(), shown(text)),
    "not": lambda value: not value,
    "and": _and,
    "or": _or,
    "len": lambda value: float(len(value)) if isinstance(value, str | Mapping) else 0.0,
    "eq": lambda a, b: a == b,
    "ne": lambda a, b: a != b,
    "lt": lambda a, b: _number(a) < _number(b),
    "le": lambda a, b: _number(a) <= _number(b),
    "gt": lambda a, b: _number(a) > _number(b),
    "ge": lambda a, b: _number(a) >= _number(b),
}
