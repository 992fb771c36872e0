"""Reads mappings with known keys: each is asked for by name and reader; what nobody asked for is unknown.

By hand and not with pydantic: the marks are at hand here, and 8 MB and a second map of places are saved.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

from agent.model import Place
from agent.yaml_marks.complaints import Complaints, closest
from agent.yaml_marks.nodes import Fields, Items, Node, Scalar

T = TypeVar("T")
D = TypeVar("D")
Reader = Callable[[Node], T]


class Wrong(ValueError):
    """What a reader says of a value it cannot use; `place` and `width` where it is not all of the value."""

    def __init__(
        self, message: str, hint: str | None = None, place: Place | None = None, width: int = 1
    ) -> None:
        super().__init__(message)
        self.hint = hint
        self.place = place
        self.width = width


class Form:
    """One mapping of a file. Asking never raises: a bad value is a complaint, and the default is returned."""

    def __init__(self, node: Node, what: str, complaints: Complaints) -> None:
        self.place = node.place
        self.what = what
        self._complaints = complaints
        self._asked: set[str] = set()
        self._fields: dict[str, Node] = {}
        self._keys: dict[str, Place] = {}
        if isinstance(node, Fields):
            self._fields, self._keys = dict(node.fields), dict(node.keys)
        else:
            complaints.add(node.place, f"{what} is a mapping of keys to values, but here stands {kind(node)}")
            self._asked.add("*")  # there is nothing to miss in what is not a mapping

    @property
    def is_mapping(self) -> bool:
        """Whether there is anything to ask; where not, that was complained of."""
        return "*" not in self._asked

    def get(self, key: str, read: Reader[T], default: D, *, required: bool = False) -> T | D:
        """The value of `key` as `read` makes it; `default` where it is absent, empty or wrong."""
        node = self._node(key, required)
        return default if node is None else self._read(key, read, node, default)

    def each(self, key: str, read: Reader[T], *, required: bool = False) -> tuple[T, ...]:
        """The values listed under `key`, without those that `read` cannot use."""
        found = [self._read(key, read, node, None) for node in self._items(key, required)]
        return tuple(value for value in found if value is not None)

    def form(self, key: str, what: str, *, required: bool = False) -> Form | None:
        """The mapping under `key`, to be asked and closed in its turn; None where it is absent."""
        node = self._node(key, required)
        return None if node is None else Form(node, what, self._complaints)

    def forms(self, key: str, what: str, *, required: bool = False) -> Iterator[Form]:
        """The mappings listed under `key`."""
        yield from (Form(item, what, self._complaints) for item in self._items(key, required))

    def named(self, what: str) -> Iterator[tuple[str, Place, Form]]:
        """Every entry of a mapping whose keys are names, with the key's place."""
        for name, node in self._fields.items():
            self._asked.add(name)
            yield name, self._keys[name], Form(node, what.format(name), self._complaints)

    def complain(self, message: str, hint: str | None = None, key: str | None = None) -> None:
        """Say something of the whole mapping, or of one of its keys where that stands in the file."""
        width = len(key) if key in self._keys and key else 1
        self._complaints.add(self._keys.get(key or "", self.place), message, hint, width)

    def close(self) -> None:
        """Complain of every key that was not asked for."""
        for key in self._fields.keys() - self._asked:
            hint = closest(key, self._asked) or f"known keys: {', '.join(sorted(self._asked))}"
            self.complain(f"unknown key {key!r} in {self.what}", hint, key)

    def _read(self, key: str, read: Reader[T], node: Node, default: D) -> T | D:
        try:
            return read(node)
        except Wrong as e:
            width = e.width if e.place else _width(node)
            self._complaints.add(e.place or node.place, f"{key}: {e}", e.hint, width)
            return default

    def _items(self, key: str, required: bool) -> tuple[Node, ...]:
        node = self._node(key, required)
        if node is not None and not isinstance(node, Items):
            message = f"{key}: expected a list, but here stands {kind(node)}"
            self._complaints.add(node.place, message, "begin each with `- `")
        if required and isinstance(node, Items) and not node.items:
            self._complaints.add(node.place, f"{key}: the list is empty")
        return node.items if isinstance(node, Items) else ()

    def _node(self, key: str, required: bool) -> Node | None:
        self._asked.add(key)
        node = self._fields.get(key)
        if node is not None and not (isinstance(node, Scalar) and node.value is None):
            return node
        if required and key in self._keys:
            self.complain(f"{self.what} has nothing in its {key!r}", None, key)
        elif required and self.is_mapping:
            self.complain(f"{self.what} has no {key!r}", f"add `{key}:`", key)
        return None


def kind(node: Node) -> str:
    """What stands there, in words."""
    if isinstance(node, Items):
        return "a list"
    if isinstance(node, Fields):
        return "a mapping"
    if node.value is None:
        return "nothing"
    words = {bool: "a boolean", int: "a number", float: "a number", str: "the text"}
    return f"{words[type(node.value)]} {node.text[:60]!r}"


def _width(node: Node) -> int:
    return len(node.source.split("\n", 1)[0].rstrip()) if isinstance(node, Scalar) else 1
