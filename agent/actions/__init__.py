"""What can be done: one file an action. Its class line says what the gate must know, its signature what rules
may give it, and its docstring is the manual page."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, get_type_hints

from msgspec import Struct

from agent.actions.ports import Action, Changed, NotKnown, Ports, Stopped
from agent.actions.stamps import blind_without_log, is_stamped, restamp, stamped, stands_at
from agent.actions.throttles import RATES, UNLIMITED
from agent.model import ActionSpec, Blast, Parameter, Sign
from agent.quantities import BytesPerSecond, Duration, Ratio, Size

__all__ = [
    "RATES",
    "UNLIMITED",
    "Action",
    "Changed",
    "NotKnown",
    "Ports",
    "Stopped",
    "action",
    "blind_without_log",
    "is_stamped",
    "load",
    "restamp",
    "shown_by",
    "spec",
    "stamped",
    "stands_at",
]

_KINDS: Mapping[Any, str] = {
    Duration: "duration",
    Size: "size",
    BytesPerSecond: "rate",
    Ratio: "ratio",
    str: "string",
    tuple[str, ...]: "strings",
    int: "integer",
    bool: "boolean",
}
_TRAITS = "__ottla_action__"
_SIGN = "__ottla_sign__"
_Class = TypeVar("_Class", bound=type)


class _Traits(Struct, frozen=True):
    blast: Blast
    reversible: bool
    corroborate: int
    keeps: bool
    moves: tuple[str, ...]
    adoptable: bool


def action(
    *,
    blast: Blast,
    reversible: bool,
    corroborate: int = 1,
    keeps: bool = False,
    moves: tuple[str, ...] = (),
    adoptable: bool = False,
) -> Callable[[_Class], _Class]:
    """Makes a class an action.

    `reversible`: `undo` brings the whole effect back. `corroborate`: how many independent signals it wants.
    `keeps`: after success nothing is undone. `moves`: metrics that it sets or holds down by itself, so that
    they prove no healing. `adoptable`: an agent on another host may undo it, from its effect alone.
    """

    def mark(cls: _Class) -> _Class:
        setattr(cls, _TRAITS, _Traits(blast, reversible, corroborate, keeps, moves, adoptable))
        return cls

    return mark


def shown_by(what: str, *keys: str) -> Callable[[_Class], _Class]:
    """How others see that an action's effect stands on a broker: it has any of these settings of its own."""

    def mark(cls: _Class) -> _Class:
        setattr(cls, _SIGN, Sign(what, keys))
        return cls

    return mark


def load() -> Mapping[str, type[Action]]:
    """Every action of this package by name, sorted; a new file is found by being there."""
    found = {}
    for module in pkgutil.iter_modules(__path__, __name__ + "."):
        for cls in vars(importlib.import_module(module.name)).values():
            if isinstance(cls, type) and _TRAITS in vars(cls):
                found[_name(cls)] = cls
    return dict(sorted(found.items()))


def spec(cls: type) -> ActionSpec:
    """What an action's class says of itself. TypeError where an argument's type has no `with:` syntax."""
    traits: _Traits = getattr(cls, _TRAITS)
    plan = vars(cls)["plan"]
    hints = get_type_hints(plan)
    given = (
        p
        for p in inspect.signature(plan).parameters.values()
        if p.kind is p.KEYWORD_ONLY and p.name != "target"
    )
    return ActionSpec(
        name=_name(cls),
        parameters=tuple(_parameter(cls, p, hints[p.name]) for p in given),
        blast=traits.blast,
        reversible=traits.reversible,
        corroborate=traits.corroborate,
        keeps=traits.keeps,
        manual=inspect.cleandoc(cls.__doc__ or ""),
        moves=traits.moves,
        adoptable=traits.adoptable,
        sign=getattr(cls, _SIGN, None),
    )


def _parameter(cls: type, parameter: inspect.Parameter, hint: Any) -> Parameter:
    kind = _KINDS.get(hint)
    if kind is None:
        raise TypeError(f"{cls.__name__}.plan: {parameter.name} is {hint}, which no rule can write")
    required = parameter.default is parameter.empty
    return Parameter(parameter.name, kind, required, None if required else parameter.default)


def _name(cls: type) -> str:
    """`DrainDisk` is written `drain_disk` in rules."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", cls.__name__).lower()
