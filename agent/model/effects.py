"""What actions set in the world, and what is found of it later."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Operation(StrEnum):
    """How a change is made; undo is its inverse."""

    SET = "set"  # undo: set the prior, or delete where it was absent
    DELETE = "delete"  # undo: set the prior
    APPEND = "append"  # to a list; `new` holds only the entries that were absent; undo subtracts just these
    SUBTRACT = "subtract"  # from a list; `new` holds the entries that were there; undo appends them
    MOVE = "move"  # of a replica between log dirs; undo cancels what has not ended


class Change(msgspec.Struct, frozen=True):
    """One thing that an effect sets. `prior` None means absent, which is not empty.

    `resource` is `broker/2`, `topic/orders` or `replica/orders-0`; `key` the config's name, or `log.dir`.
    """

    resource: str
    key: str
    operation: Operation
    prior: str | None
    new: str | None


class Effect(msgspec.Struct, frozen=True):
    """What an action does to the world: complete, data only, undone from itself alone."""

    action: str
    owner: str  # broker-<node id>
    changes: tuple[Change, ...]


class Seen(msgspec.Struct, frozen=True):
    """What is really set now, a change each: `ours`, `theirs` (another's value) or `gone` (the prior)."""

    ours: tuple[Change, ...]
    theirs: tuple[tuple[Change, str | None], ...]
    gone: tuple[Change, ...]


class Settle(StrEnum):
    """What to do with an effect found after a crash."""

    DONE = "done"
    APPLY = "apply"  # again: it is idempotent, and was not finished
    UNDO = "undo"
    GONE = "gone"  # nothing of it stands any more
