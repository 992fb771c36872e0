"""What differs between two rule books, in words: what a person wants to see before taking the new one."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping
from typing import Any

from msgspec import Struct

from agent.model import Place, Rate
from agent.quantities import show_duration
from agent.rulebook.load import Rulebook

_MAX_TEXT = 200  # characters of a value


class Change(Struct, frozen=True):
    """One thing that differs. `fields`: name, before and after of each part that differs, as text."""

    name: str
    what: str  # added | removed | changed
    fields: tuple[tuple[str, str, str], ...] = ()


class Difference(Struct, frozen=True):
    """By what they are of; in each the order of the files."""

    rules: tuple[Change, ...]
    remedies: tuple[Change, ...]
    patterns: tuple[Change, ...]

    @property
    def alerts(self) -> frozenset[str]:
        """The alerts whose rule or remedy differs."""
        return frozenset(change.name.partition(" #")[0] for change in (*self.rules, *self.remedies))


def difference(old: Rulebook, new: Rulebook) -> Difference:
    """From the old to the new one; where something stands in its file makes no difference."""
    return Difference(
        rules=_changes(_numbered(old.rules), _numbered(new.rules)),
        remedies=_changes(old.remedies, new.remedies),
        patterns=_changes({p.name: p for p in old.logs}, {p.name: p for p in new.logs}),
    )


def _numbered(rules: Iterable[Any]) -> Mapping[str, Any]:
    """By name; the second of one name has ` #2` after it."""
    found: dict[str, Any] = {}
    for rule in rules:
        name, number = rule.name, 1
        while name in found:
            number += 1
            name = f"{rule.name} #{number}"
        found[name] = rule
    return found


def _changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[Change, ...]:
    added = [Change(name, "added") for name in new if name not in old]
    removed = [Change(name, "removed") for name in old if name not in new]
    both = ((name, _differing(old[name], new[name])) for name in new if name in old)
    return (*added, *removed, *(Change(name, "changed", parts) for name, parts in both if parts))


def _differing(old: Hashable, new: Hashable) -> tuple[tuple[str, str, str], ...]:
    before, after = dict(_parts(old)), dict(_parts(new))
    names = dict.fromkeys((*before, *after))
    told = ((name, before.get(name, "none"), after.get(name, "none")) for name in names)
    return tuple(part for part in told if part[1] != part[2])


def _parts(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Every part that has a value of its own, under its path: `steps.1.verify.within`."""
    if isinstance(value, Rate):
        yield name, f"{value.count}/{show_duration(value.window_ms)}"
    elif isinstance(value, Struct):
        for part in value.__struct_fields__:
            inner = getattr(value, part)
            if not isinstance(inner, Place) and inner is not None:
                yield from _parts(inner, f"{name}.{part}" if name else part)
    elif isinstance(value, tuple) and value:
        for index, inner in enumerate(value, 1):
            yield from _parts(*_element(inner, f"{name}.{index}", name))
    elif name.endswith("_ms"):
        yield name.removesuffix("_ms"), show_duration(value)
    elif not isinstance(value, tuple):
        yield name, _short(str(value))


def _element(inner: Any, numbered: str, name: str) -> tuple[Any, str]:
    """A pair of a name and a value is told by its name, anything else by its number."""
    if isinstance(inner, tuple) and len(inner) == 2 and isinstance(inner[0], str):
        return inner[1], f"{name}.{inner[0]}"
    return inner, numbered


def _short(text: str) -> str:
    words = " ".join(text.split())
    return words if len(words) <= _MAX_TEXT else words[: _MAX_TEXT - 1] + "…"
