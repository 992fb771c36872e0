"""The faults that a lab can have: one module each, whose docstring is its manual.

A module has two coroutines, `break_(lab, broker, say, *, option=default)` and `heal(lab, broker, say)`. Both
return one line that says what was done, and raise LabError. Keyword-only arguments become options.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Fault:
    """One fault, read from its module."""

    name: str
    manual: str
    break_: Callable[..., Awaitable[str]]
    heal: Callable[..., Awaitable[str]]
    options: Mapping[str, Any]  # of `break_`, with their defaults

    @property
    def summary(self) -> str:
        """The manual's first sentence."""
        return self.manual.partition("\n\n")[0].replace("\n", " ")


def load() -> dict[str, Fault]:
    """Every fault in this folder by its name: `fill_disk.py` is `fill-disk`."""
    names = sorted(info.name for info in pkgutil.iter_modules(__path__))
    return {name.replace("_", "-"): _read(name) for name in names}


def _read(name: str) -> Fault:
    module = importlib.import_module(f"{__name__}.{name}")
    parameters = inspect.signature(module.break_).parameters.values()
    options = {p.name: p.default for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY}
    return Fault(
        name.replace("_", "-"), inspect.cleandoc(module.__doc__ or ""), module.break_, module.heal, options
    )
