"""What the daemon shows and lets people do: the port between it and every way in. Answers are plain data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from msgspec import Struct

from agent.model import RuleNow
from agent.series import Series

Plain = dict[str, Any]  # str, int, float, bool, None, lists and dicts of these: ready for JSON


class Refused(Exception):
    """A person's order that the agent does not carry out; the text says why and what to do instead."""


class GroupNow(Struct, frozen=True):
    """One group of a rule file; `interval_ms` is the longest time between two evaluations."""

    name: str
    file: str
    interval_ms: int
    limit: int
    rules: tuple[RuleNow, ...]


def grouped(rules: Sequence[RuleNow], interval_ms: int) -> tuple[GroupNow, ...]:
    """Rules in the order of their files, by group."""
    found: dict[tuple[str, str], list[RuleNow]] = {}
    for one in rules:
        found.setdefault((one.rule.place.file, one.rule.group), []).append(one)
    return tuple(
        GroupNow(name, file, interval_ms, inside[0].rule.limit, tuple(inside))
        for (file, name), inside in found.items()
    )


class View(Protocol):
    """What can be read. Instants and durations are milliseconds; nothing here waits but `status`, for the
    stop file."""

    async def status(self) -> Plain:
        """Everything at a glance: `report.status(...)` with what only a live agent knows filled in.

        agent, node_id, version, started_at; modes: {paused, stopped, breaker, degraded: words or None};
        sources: [{name, up, age_ms, why, unread: [metric], failed: {part: why}}]; rules: {count, digest,
        not_ok: [{rule, health, why}], reload: {at, ok, complaints} or None}; control: {caught_up, degraded,
        peers: [name], pauses: [words], voids: {reason: count}, joins: under its name} or None.
        """
        ...

    def incidents(self) -> list[Plain]:
        """Incidents that are not closed, each as `report.incident(...)` gives it, oldest first."""
        ...

    def why(self, subject: str) -> Plain:
        """`report.why(...)` of a rule, a target or an incident, with the live extras.

        lines: [{metric, labels, file, text: [line]}], the last lines of the log patterns that its rules read.
        """
        ...

    def actions(self, limit: int) -> list[Plain]:
        """`report.actions(...)`, newest first."""
        ...


class Samples(Protocol):
    """What queries read. They run in threads of their own; these are asked on the event loop, and quick."""

    @property
    def version(self) -> str:
        """Of this program."""
        ...

    @property
    def series(self) -> Series:
        """The samples that the agent has; may be read from any thread."""
        ...

    def now(self) -> int:
        """Milliseconds since the epoch."""
        ...

    def groups(self) -> tuple[GroupNow, ...]:
        """All rules in force, with what came of each."""
        ...

    def metadata(self) -> list[Plain]:
        """What the sources can yield: [{metric, type, help, unit}], by metric."""
        ...


class Pulse(Protocol):
    """What machines ask: the service manager, the load balancer, Prometheus. What waits does for the stop
    file."""

    def live(self) -> bool:
        """Whether the agent's loop turns; a restart is the cure where it does not."""
        ...

    async def ready(self) -> tuple[bool, str]:
        """Whether the agent can judge and act now, and in words why not."""
        ...

    async def metrics(self) -> bytes:
        """Prometheus text exposition, format 0.0.4."""
        ...


class Orders(Protocol):
    """What a person may order. `by` names the person; each raises Refused with the reason."""

    async def pause(self, reason: str, by: str, for_ms: int | None) -> None:
        """Begin nothing new for so long, None: until `resume`. Undo goes on."""
        ...

    async def resume(self, by: str) -> None:
        """End the pause; the breaker closes too."""
        ...

    async def undo(self, incident: str | None, by: str) -> list[Plain]:
        """Undo one incident's effect, None: all that stand. Gives the entries written, as `wire.plain`."""
        ...

    async def approve(self, proposal: str, reason: str, by: str) -> None:
        """Let a remedy do what it proposes: just what was shown under this name."""
        ...

    async def deny(self, proposal: str, reason: str, by: str) -> None:
        """Forbid it until its alert ends, or somebody approves it; its incident's id names it as well."""
        ...

    async def stop(self, handover: bool, by: str) -> None:
        """End the agent: undo what is reversible first, or (handover) leave it to its successor.

        Returns when the order is taken, not when it is carried out: the answer must still go out.
        """
        ...

    async def reload(self, dry_run: bool, by: str) -> Plain:
        """Read the rules again: {ok, complaints: [words], changes, remark}. Complaints keep the old rules.

        changes: None, or rules, remedies, patterns: [{name, what: added | removed | changed, fields:
        [{field, before, after}]}]; names: bool; incidents: [{id, alert, phase}] open under what changes.
        """
        ...


class Fleet(Protocol):
    """The control topic: what all agents agree on, and what a person may order them all."""

    def show(self) -> Plain:
        """`agent.control.overview`, and agent, caught_up, degraded: words or None. Raises Refused."""
        ...

    async def fresh(self) -> Plain:
        """The same, once a record that is written now was read back: nothing that was in the log when this
        was asked is missing in it. Raises Refused."""
        ...

    async def order(self, t: str, x: Plain, who: Who) -> Plain:
        """Writes a record of type `t`: {offset, remark}. `x` as agent.control.orders has it. Raises Refused
        with the void record's reason in words."""
        ...


class Who(Struct, frozen=True):
    """Who orders, why, and the offset of the change that they mean to replace (None: what stands now);
    `force`: also where nothing known has the name."""

    by: str
    reason: str
    expect: int | None = None
    force: bool = False


class Surface(View, Samples, Pulse, Orders, Protocol):
    """One running agent, seen from outside."""

    @property
    def fleet(self) -> Fleet:
        """All of them."""
        ...
