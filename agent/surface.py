"""What the daemon shows and lets people do: the port between it and every way in. All answers are plain JSON data."""

from __future__ import annotations

from typing import Any, Protocol

Plain = dict[str, Any]  # str, int, float, bool, None, lists and dicts of these


class Refused(Exception):
    """A person's order that the agent does not carry out; the text says why and what to do instead."""


class Surface(Protocol):
    """One running agent, seen from outside. Instants and durations are milliseconds; `by` names the person."""

    def status(self) -> Plain:
        """Everything at a glance: `report.status(...)` with what only a live agent knows filled in.

        agent, node_id, version, started_at; modes: {stopped, degraded: words or None};
        sources: [{name, up, age_ms, why}]; rules: {count, digest, not_ok: [{rule, health, why}],
        reload: {at, ok, complaints} or None}; control: {caught_up, degraded, peers: [name]} or None.
        """
        ...

    def alerts(self) -> list[Plain]:
        """Active alerts, each as `report.alert(...)` gives it."""
        ...

    def incidents(self) -> list[Plain]:
        """Incidents that are not closed, each as `report.incident(...)` gives it, oldest first."""
        ...

    def why(self, subject: str) -> Plain:
        """`report.why(...)` of a rule, a target or an incident, with the live extras."""
        ...

    def actions(self, limit: int) -> list[Plain]:
        """`report.actions(...)`, newest first."""
        ...

    def live(self) -> bool:
        """Whether the agent's loop turns; a restart is the cure where it does not."""
        ...

    def ready(self) -> tuple[bool, str]:
        """Whether the agent can judge and act now, and in words why not."""
        ...

    def metrics(self) -> bytes:
        """Prometheus text exposition, format 0.0.4."""
        ...

    async def pause(self, reason: str, by: str, for_ms: int | None) -> None:
        """Begin nothing new until `resume`, or for so long. Undo goes on. Raises Refused."""
        ...

    async def resume(self, by: str) -> None:
        """End the pause; the breaker closes too. Raises Refused."""
        ...

    async def undo(self, incident: str | None, by: str) -> list[Plain]:
        """Undo one incident's effect, None: all that stand. Gives the entries written. Raises Refused."""
        ...

    async def stop(self, handover: bool, by: str) -> None:
        """End the agent: undo what is reversible first, or (handover) leave it to its successor. Raises Refused."""
        ...

    async def reload(self, dry_run: bool, by: str) -> Plain:
        """Read the rules again: {"ok": bool, "complaints": [words]}. Complaints keep the old rules."""
        ...
