"""Bytes of a YAML 1.2 file to a tree whose every key and value knows where it was written.

PyYAML's own loader keeps the last of two equal keys, reads `no` as False, `1:30` as 90 and `010` as 8,
and follows aliases without limit; so only its C parser's events are used.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from typing import Any, NoReturn

import yaml

from agent.model import Place
from agent.yaml_marks.complaints import Complaints
from agent.yaml_marks.merge_keys import MERGE, merged
from agent.yaml_marks.nodes import Fields, Items, Node, Scalar, advance

MAX_BYTES = 1 << 20
MAX_DEPTH = 32
MAX_NODES = 100_000  # aliases expanded: ten lines can stand for a billion values

_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLEANS = {w: w.lower() == "true" for w in ("true", "True", "TRUE", "false", "False", "FALSE")}
_INTEGER = re.compile(r"[-+]?[0-9]{1,30}|0o[0-7]{1,30}|0x[0-9a-fA-F]{1,30}")  # longer ones are read as floats
_FLOAT = re.compile(
    r"[-+]?(?:(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|\.(?:inf|Inf|INF))|\.(?:nan|NaN|NAN)"
)
_PROPERTIES = re.compile(r"(?:[&!]\S*(?:\s|#.*)*)*")  # an anchor, a tag, and what may stand between them


def compose(file: str, data: bytes, complaints: Complaints) -> Node | None:
    """The one document of the file; None where there is none or it cannot be read at all. Never raises."""
    if len(data) > MAX_BYTES:
        complaints.add(
            Place(file, 1, 1), f"the file is too large: at most {MAX_BYTES} bytes are read", "split the file"
        )
        return None
    data = data.removeprefix(codecs.BOM_UTF8)
    try:
        text = data.decode()
    except UnicodeDecodeError as e:
        complaints.source(file, data.decode(errors="replace"))
        before = data[: e.start].decode()
        where = advance(Place(file, 1, 1), before)
        complaints.add(where, f"not UTF-8: byte 0x{data[e.start]:02x}", "save the file as UTF-8")
        return None
    complaints.source(file, text)
    try:
        return _Composer(file, text, complaints).document()
    except _Stop:
        return None
    except yaml.MarkedYAMLError as e:
        mark = e.problem_mark or e.context_mark
        place = Place(file, mark.line + 1, mark.column + 1) if mark else Place(file, 1, 1)
        if mark and text[mark.index : mark.index + 1] == "\t":
            complaints.add(place, "not YAML: a tab stands here", "indent with spaces")
            return None
        context = e.context_mark if e.context else None
        begun = (
            f" that begins on line {context.line + 1}" if context and context.line < place.line - 1 else ""
        )
        complaints.add(place, f"not YAML: {e.problem or ''} {e.context or ''}".rstrip() + begun)
    except yaml.reader.ReaderError as e:
        before = text.encode()[: e.position].decode(errors="ignore")
        complaints.add(advance(Place(file, 1, 1), before), f"not YAML: {e.reason}")
    return None


def scalar(text: str) -> str | int | float | bool | None:
    """An unquoted scalar by the rules of YAML 1.2's core schema: no `yes`, no `1:30`, no octal `010`."""
    if text in _NULL:
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if _INTEGER.fullmatch(text):
        return int(text, 0 if text.startswith(("0o", "0x")) else 10)
    if _FLOAT.fullmatch(text):
        return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
    return text


class _Stop(Exception):
    """The file cannot be read further; the complaint is made."""


class _Composer:
    """Builds the tree from the parser's events, with limits on depth and on what aliases expand to."""

    def __init__(self, file: str, text: str, complaints: Complaints) -> None:
        self._file, self._text, self._complaints = file, text, complaints
        self._events: Iterator[Any] = yaml.parse(text, Loader=yaml.CSafeLoader)
        self._anchors: dict[str, tuple[Node, int]] = {}  # the node, and how many nodes it stands for
        self._nodes = 0

    def document(self) -> Node | None:
        """The first document; a second one is a complaint."""
        next(self._events)  # the stream's start
        if isinstance(next(self._events), yaml.StreamEndEvent):
            return None
        root = self._node(next(self._events), 0)
        next(self._events)  # the document's end
        following = next(self._events)
        if not isinstance(following, yaml.StreamEndEvent):
            self._complaints.add(
                self._place(following), "a second document begins here", "split the file in two"
            )
        return root

    def _node(self, event: Any, depth: int) -> Node:
        place = self._place(event)
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event.anchor, place)
        before = self._nodes
        self._count(1, place)
        if depth > MAX_DEPTH:
            self._stop(place, f"nested deeper than {MAX_DEPTH} levels")
        if event.tag not in (None, "!"):
            self._complaints.add(
                place, "tags have no meaning here", "leave out the word with !", len(event.tag)
            )
        node: Node
        if isinstance(event, yaml.ScalarEvent):
            node = self._scalar(event, place)
        elif isinstance(event, yaml.SequenceStartEvent):
            node = Items(place, tuple(self._node(e, depth + 1) for e in self._until(yaml.SequenceEndEvent)))
        else:
            node = self._mapping(place, depth)
        if event.anchor:
            self._anchors[event.anchor] = (node, self._nodes - before)
        return node

    def _scalar(self, event: Any, place: Place) -> Scalar:
        source = self._text[event.start_mark.index : event.end_mark.index]
        if event.anchor or event.tag:  # they stand before the value, and are none of it
            properties = _PROPERTIES.match(source)
            assert properties is not None, "the parser has seen them"
            place, source = advance(place, properties[0]), source[properties.end() :]
        value = event.value if event.style else scalar(event.value)
        return Scalar(place, value, event.value, source)

    def _mapping(self, place: Place, depth: int) -> Fields:
        fields: dict[str, Node] = {}
        keys: dict[str, Place] = {}
        merges = False
        for event in self._until(yaml.MappingEndEvent):
            key = self._node(event, depth + 1)
            given = next(self._events)
            value = self._node(given, depth + 1)
            if not isinstance(key, Scalar):
                self._complaints.add(key.place, "a key must be a word, not a list or a mapping")
            elif key.text in fields:
                first = keys[key.text]
                message = f"duplicate key {key.text!r}: the first is on line {first.line}"
                self._complaints.add(key.place, message, width=len(key.text))
            else:
                fields[key.text], keys[key.text] = value, key.place
                if key.source == MERGE:  # in quotes it is a name like any other
                    merges = True
                    self._check_merge(given, value, key.place)
        own = Fields(place, fields, keys)
        return merged(own, self._complaints) if merges else own

    def _check_merge(self, given: Any, value: Node, place: Place) -> None:
        """The list of what is merged stands there itself: another's is refused by Prometheus's reader."""
        if isinstance(given, yaml.AliasEvent) and isinstance(value, Items):
            message = f"{MERGE}: *{given.anchor} is a list"
            self._complaints.add(place, message, "list the mappings here", len(MERGE))

    def _until(self, end: type) -> Iterator[Any]:
        while not isinstance(event := next(self._events), end):
            yield event

    def _alias(self, anchor: Any, place: Place) -> Node:
        if anchor not in self._anchors:
            self._stop(place, f"no anchor &{anchor} stands before this alias")
        node, size = self._anchors[anchor]
        self._count(size, place)
        return node

    def _count(self, nodes: int, place: Place) -> None:
        self._nodes += nodes
        if self._nodes > MAX_NODES:
            self._stop(place, f"more than {MAX_NODES} values, aliases counted as often as they are used")

    def _stop(self, place: Place, message: str) -> NoReturn:
        self._complaints.add(place, message)
        raise _Stop

    def _place(self, event: Any) -> Place:
        return Place(self._file, event.start_mark.line + 1, event.start_mark.column + 1)
