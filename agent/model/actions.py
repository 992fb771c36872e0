"""What rules and gate must know of actions."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from agent.model.remedies import Argument


class Blast(StrEnum):
    """How much an action takes from the cluster while it lasts."""

    NOTHING = "nothing"  # local and reversible, takes no capacity
    HOST = "host"  # takes capacity from the own host
    CLUSTER = "cluster"  # changes what others see
    DISRUPTIVE = "disruptive"  # takes a broker, or its leadership, away


class Parameter(msgspec.Struct, frozen=True):
    """One keyword argument of an action, as `with:` may give it."""

    name: str
    kind: str  # duration | size | rate | ratio | string | strings | integer | boolean
    required: bool
    default: Argument | None


class Sign(msgspec.Struct, frozen=True):
    """What shows on a broker that a kind of effect stands there: any of these settings of its own. `what` it
    shows, as "a replication throttle"."""

    what: str
    keys: tuple[str, ...]


class ActionSpec(msgspec.Struct, frozen=True):
    """What rules and gate must know of an action; read from its signature, class line and docstring."""

    name: str
    parameters: tuple[Parameter, ...]
    blast: Blast
    reversible: bool
    corroborate: int  # how many independent signals it wants
    keeps: bool  # what healed stays in place: nothing to undo after success
    manual: str
    moves: tuple[str, ...] = ()  # metrics that it sets or holds down by itself: they prove no healing
    adoptable: bool = False  # an agent on another host may undo it, from its effect alone
    sign: Sign | None = None  # by which others see its effect; None where they cannot
