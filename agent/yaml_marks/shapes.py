"""What readers take, in the words of JSON Schema, and forms that are asked only to learn what they ask for.

So the schema that editors use is what the loader itself asks, key by key, and cannot fall behind it. It may
refuse less than the loader does, never more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from agent.model import Place
from agent.yaml_marks.complaints import Complaints
from agent.yaml_marks.forms import Form, Reader
from agent.yaml_marks.nodes import Fields

T = TypeVar("T")
D = TypeVar("D")
R = TypeVar("R", bound=Callable[..., Any])
Schema = dict[str, Any]

_SHAPE = "__ottla_shape__"
_ANY_NAME = "1"  # a name, a number, and nothing that is known
_NOWHERE = Place("", 1, 1)


def shaped(shape: Mapping[str, Any]) -> Callable[[R], R]:
    """Marks a reader with the JSON Schema of what it takes."""

    def mark(read: R) -> R:
        setattr(read, _SHAPE, dict(shape))
        return read

    return mark


def shape_of(read: Callable[..., Any]) -> Schema:
    """A reader's shape; of one that is not marked: anything."""
    return dict(getattr(read, _SHAPE, {}))


class Outline(Form):
    """A form without a file: it answers every question with the default, and remembers what was asked.

    `answers` are given instead of the default, at any depth; so the other branch of a loader is seen.
    """

    def __init__(self, what: str, answers: Mapping[str, Any] | None = None) -> None:
        super().__init__(Fields(_NOWHERE, {}, {}), what, Complaints())
        self._answers = answers or {}
        self._properties: dict[str, Callable[[], Schema]] = {}
        self._needed: list[str] = []
        self._entries: Outline | None = None
        self._closed = False

    def schema(self) -> Schema:
        """What was asked for, as a schema of the mapping."""
        schema: Schema = {"type": "object"}
        properties = {key: self._nullable(key, make()) for key, make in self._properties.items()}
        if properties:
            schema["properties"] = properties
        if self._needed:
            schema["required"] = self._needed
        if self._entries:
            schema["additionalProperties"] = self._entries.schema()
        elif self._closed:
            schema["additionalProperties"] = False
        return schema

    def get(self, key: str, read: Reader[T], default: D, *, required: bool = False) -> T | D:
        """The default, or the answer that was given for the key."""
        self._ask(key, lambda: shape_of(read), required)
        answer: T | D = self._answers.get(key, default)
        return answer

    def each(self, key: str, read: Reader[T], *, required: bool = False) -> tuple[T, ...]:
        """None."""
        self._ask(key, lambda: _list(shape_of(read), required), required)
        return ()

    def form(self, key: str, what: str, *, required: bool = False) -> Form | None:
        """An outline in its turn."""
        inner = Outline(what, self._answers)
        self._ask(key, inner.schema, required)
        return inner

    def forms(self, key: str, what: str, *, required: bool = False) -> Iterator[Form]:
        """One outline, which stands for all."""
        inner = Outline(what, self._answers)
        self._ask(key, lambda: _list(inner.schema(), required), required)
        yield inner

    def named(self, what: str) -> Iterator[tuple[str, Place, Form]]:
        """One outline, which stands for all, under a name."""
        self._entries = Outline(what.format(_ANY_NAME), self._answers)
        yield _ANY_NAME, _NOWHERE, self._entries

    def close(self) -> None:
        """No other key may stand here."""
        self._closed = True

    def _ask(self, key: str, make: Callable[[], Schema], required: bool) -> None:
        self._properties[key] = make
        if required and key not in self._needed:
            self._needed.append(key)

    def _nullable(self, key: str, shape: Schema) -> Schema:
        """A key without a value is as good as none."""
        if not shape or key in self._needed:
            return shape
        if isinstance(shape.get("type"), str) and "enum" not in shape:
            return {**shape, "type": [shape["type"], "null"]}
        return {"anyOf": [shape, {"type": "null"}]}


def _list(items: Schema, required: bool) -> Schema:
    least = {"minItems": 1} if required else {}
    return {"type": "array", "items": items, **least}
