"""What acting needs, as every part of the shell gets it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from msgspec import Struct, field

from agent.actions import Action
from agent.actions.ports import Ports
from agent.control_topic import ControlTopic
from agent.daemon.fence import Fence
from agent.daemon.ledger import Ledger
from agent.daemon.scenes import Local
from agent.daemon.sight import Sight
from agent.model import Boot, Called


class Means(Struct, frozen=True):
    """`sight` is asked for each time, since a reload replaces it; `local` reads anew. Without a `fence` the
    effects of claims are sent like any other: only a rehearsal, which has no kernel, does that. `claims` are
    held by attempts and carriers now: the sweep leaves them alone. `planned`: when what an incident wants was
    last planned. `boot`: the kernel's own clock, where that is known."""

    ledger: Ledger
    sight: Callable[[], Sight]
    local: Callable[[], Awaitable[Local]]
    actions: Mapping[str, Action]
    ports: Ports
    control: ControlTopic | None
    clock: Callable[[], int]
    fence: Fence | None = None
    claims: set[Called] = field(default_factory=set)
    planned: dict[str, int] = field(default_factory=dict)
    boot: Callable[[], Boot] = Boot
