"""Checks of JSON values, each total on any of them; bodies.py combines them to records."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

MAX_INTEGER = 2**63 - 1
Check = Callable[[Any], bool]


def text(most: int, least: int = 0, pattern: str = "") -> Check:
    """A string of so many characters, all of which match."""
    if not pattern:
        return lambda v: isinstance(v, str) and least <= len(v) <= most
    match = re.compile(pattern, re.ASCII).fullmatch
    return lambda v: isinstance(v, str) and least <= len(v) <= most and match(v) is not None


def whole(least: int, most: int = MAX_INTEGER) -> Check:
    """An integer; `true` is none."""
    return lambda v: type(v) is int and least <= v <= most


def flag(value: object) -> bool:
    """`true` or `false`."""
    return isinstance(value, bool)


def array(item: Check, most: int, least: int = 0) -> Check:
    """A list of so many."""
    return lambda v: isinstance(v, list) and least <= len(v) <= most and all(map(item, v))


def table(key: Check, item: Check, most: int, least: int = 0) -> Check:
    """An object of so many keys, whatever they are."""
    return lambda v: (
        isinstance(v, dict) and least <= len(v) <= most and all(key(k) and item(i) for k, i in v.items())
    )


def fields(required: Mapping[str, Check], optional: Mapping[str, Check] = MappingProxyType({})) -> Check:
    """An object with these keys and no others."""
    every = {**required, **optional}
    names = required.keys()

    def check(value: Any) -> bool:
        if not isinstance(value, dict) or not names <= value.keys():
            return False
        for name, inner in value.items():  # noqa: SIM110 - asked of every record: all() takes twice as long
            if name not in every or not every[name](inner):
                return False
        return True

    return check
