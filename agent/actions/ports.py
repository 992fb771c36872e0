"""What an action may touch: the admin protocol, this host's disks, the clock, and what the journal knows."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from agent.kafka.configs import ConfigChange
from agent.kafka.log_dirs import LogDir
from agent.kafka.metadata import BrokerInfo, PartitionInfo
from agent.model import Effect, Policy, Refusal, Seen, Settle

PATIENCE_MS = 10 * 60_000  # what is under way and gets no further for so long needs a person
REST_S = 10.0  # the sources may have told by then; each try costs a beat in the control topic


class Stopped(Exception):
    """An action ended itself, for this reason; what it had set in motion it has cancelled."""


class Changed(Stopped):
    """What the action had compared is not so any more, right before its write would have left. Nothing was
    sent: it may look, and compare, again."""


class NotKnown(Stopped):
    """What one more write must look at first cannot be told now. Nothing was sent: it is asked again each
    REST_S, for PATIENCE_MS."""


class AdminPort(Protocol):
    """The part of `agent.kafka.admin.Admin` that actions use; errors are those of `agent.kafka.errors`."""

    async def brokers(self) -> Mapping[int, BrokerInfo]:
        """The registered brokers by node id."""

    async def partitions(
        self, topics: Sequence[str] | None = None, *, ask: int | None = None
    ) -> tuple[PartitionInfo, ...]:
        """The partitions of some topics or all, as broker `ask` (or any) sees them."""

    async def reassignments(self) -> frozenset[tuple[str, int]]:
        """The partitions that are being moved between brokers."""

    async def configs(self, resource: str, keys: Sequence[str] | None = None) -> Mapping[str, str]:
        """What is set dynamically at the resource itself; absent keys are not in it."""

    async def effective_configs(self, resource: str, keys: Sequence[str] | None) -> Mapping[str, str]:
        """The values in effect, whatever their source."""

    async def topic_configs(
        self, topics: Sequence[str], keys: Sequence[str] | None
    ) -> Mapping[str, Mapping[str, str]]:
        """What is set dynamically at each topic; a topic that does not exist is left out."""

    async def alter_configs(self, changes: Sequence[ConfigChange]) -> None:
        """Make the changes, resource by resource in the order given, each all or nothing."""

    async def log_dirs(self, broker: int) -> tuple[LogDir, ...]:
        """The broker's log dirs with their replicas."""

    async def move_replicas(
        self, broker: int, moves: Mapping[tuple[str, int], str]
    ) -> Mapping[tuple[str, int], str]:
        """Begin to move replicas between the broker's log dirs; those refused, with the error's name."""


async def own_volume(path: str) -> str:
    """Each log dir on a volume of its own, as those of a rehearsal are."""
    return path


class Ports(Struct, frozen=True):
    """Everything an action reaches the world by."""

    admin: AdminPort
    node_id: int
    free_bytes: Callable[[str], Awaitable[tuple[int, int]]]  # path → usable, total; OSError
    policy: Policy
    steady: Callable[[], float]  # ms of a clock that nobody sets
    sleep: Callable[[float], Awaitable[None]]  # seconds
    recorded: Callable[[str, str, str], bool]  # resource, key, value: did the own journal set just this?
    poll_ms: int = 1_000  # how often what is under way is looked at
    volume: Callable[[str], Awaitable[str]] = own_volume  # path → what has its room; OSError
    undoing: AdminPort | None = None  # by which effects are put back, where that is not `admin`

    @property
    def back(self) -> Ports:
        """The same, for putting back what was set: less stops that."""
        return self if self.undoing is None else replace(self, admin=self.undoing)


class Action(Protocol):
    """One thing that can be done. `plan` takes `target` and the keyword arguments of its own signature."""

    @property
    def plan(self) -> Callable[..., Awaitable[Effect | Refusal]]:
        """(ports, *, target, ...): reads only; an effect complete with prior values, or why not."""

    async def apply(self, effect: Effect, ports: Ports) -> None:
        """Do it; may run twice. Raises Stopped and the errors of `agent.kafka.errors`."""

    async def undo(self, effect: Effect, ports: Ports) -> Seen:
        """Put back what is still ours, from the effect alone; may run twice. `theirs` was left alone."""

    async def observe(self, effect: Effect, ports: Ports) -> Seen:
        """What is really set now."""

    def settle(self, effect: Effect, seen: Seen) -> Settle:
        """What to do with it after a crash."""

    def scopes(self, effect: Effect) -> tuple[str, ...]:
        """What of the cluster's budgets it needs, exclusive names (`x:`) included; () needs no claim."""


def refuse_other_host(ports: Ports, target: str) -> Refusal | None:
    """An action heals its own broker only; a target that is plainly another one is a mistake in a rule."""
    named = target.removeprefix("broker-").removeprefix("broker/")
    if named.isdecimal() and int(named) != ports.node_id:
        return Refusal(
            "preconditions", f"the target is broker {named}, and this agent heals broker {ports.node_id}"
        )
    return None


def owner_of(node_id: int) -> str:
    """The owner that an effect of this broker's agent names."""
    return f"broker-{node_id}"


def node_of(effect: Effect) -> int:
    """The broker whose agent owns the effect."""
    return int(effect.owner.removeprefix("broker-"))
