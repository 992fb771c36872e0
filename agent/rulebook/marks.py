"""Where in the files each part of a rule was written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from msgspec import Struct

from agent.model import Place
from agent.yaml_marks import Fields, Items, Node, Scalar


class Entry(Struct, frozen=True):
    """One rule, remedy or pattern: its place, its first line (that of a remedy's name) and its last."""

    place: Place
    first: int
    last: int


class Marks:
    """From a rule's place to what was written in it; of rules that were read from these trees."""

    def __init__(self, trees: Iterable[Node], lines: Mapping[str, list[str]]) -> None:
        """`lines` are the files' own, by name."""
        self.lines = lines
        self._mappings: dict[Place, Fields] = {}
        self._names: dict[Place, Place] = {}  # from a mapping to the key that it stands under
        self._scalars: dict[str, list[Scalar]] = {}
        for tree in trees:
            self._add(tree)

    def node(self, place: Place, *path: str | int) -> Node | None:
        """What stands under these keys and indices of the mapping at `place`; a single item may stand for its
        list."""
        node: Node | None = self._mappings.get(place)
        for step in path:
            if isinstance(node, Fields) and isinstance(step, str):
                node = node.fields.get(step)
            elif isinstance(node, Items) and isinstance(step, int) and step < len(node.items):
                node = node.items[step]
            elif not (isinstance(node, Scalar) and step == 0):
                return None
        return node

    def scalar(self, place: Place, *path: str | int) -> Scalar | None:
        """The same, where it is a single value."""
        node = self.node(place, *path)
        return node if isinstance(node, Scalar) else None

    def key(self, place: Place, key: str) -> Place:
        """Where a key of the mapping at `place` stands; where it is missing, the mapping itself."""
        fields = self._mappings.get(place)
        return fields.keys.get(key, place) if fields else place

    def entry(self, place: Place) -> Entry:
        """The lines of the mapping at `place`, its own key included."""
        fields = self._mappings.get(place)
        last = max([place.line, *(s.last_line for s in _scalars(fields))]) if fields else place.line
        return Entry(place, self._names.get(place, place).line, last)

    def within_text(self, place: Place) -> bool:
        """Whether a place lies inside a value, as a `#` in a quoted text does."""
        return any(scalar.holds(place) for scalar in self._scalars.get(place.file, ()))

    def _add(self, node: Node) -> None:
        if isinstance(node, Scalar):
            self._scalars.setdefault(node.place.file, []).append(node)
        elif isinstance(node, Items):
            for item in node.items:
                self._add(item)
        elif node.place not in self._mappings:  # an alias leads to what was there before
            self._mappings[node.place] = node
            for name, child in node.fields.items():
                self._names.setdefault(child.place, node.keys[name])
                self._add(child)


def _scalars(node: Node) -> Iterator[Scalar]:
    if isinstance(node, Scalar):
        yield node
    for child in node.items if isinstance(node, Items) else ():
        yield from _scalars(child)
    for child in node.fields.values() if isinstance(node, Fields) else ():
        yield from _scalars(child)
