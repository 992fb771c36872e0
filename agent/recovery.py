"""Undo without a daemon: from the journal, under its lock."""

from __future__ import annotations

import asyncio

from agent.actions import Ports, Stopped, load
from agent.assembly import clock, make_admin, make_dirs, make_ports
from agent.config import Config
from agent.daemon.carry import left_alone
from agent.daemon.ledger import Ledger
from agent.history import Incident
from agent.journal import Journal
from agent.kafka.errors import KafkaError
from agent.model import Entry, Kind


def undo_all(config: Config, now: int) -> list[Entry]:
    """Undo whatever stands; the entries written. An effect that could not be undone is `failed` among them,
    and stays the agent's to undo. Raises JournalFailed, JournalLocked while the agent lives."""
    return asyncio.run(_undo_all(config, now))


async def _undo_all(config: Config, now: int) -> list[Entry]:
    journal = Journal(config.state)
    ledger = Ledger(journal, lambda _: None)
    admin = make_admin(config)
    written = [Entry(now, Kind.OPERATOR, "undo --all --offline", question="undo")]
    try:
        await ledger.open()
        await ledger.record(written[0])
        ports = make_ports(config, admin, make_dirs(config), ledger)
        for incident in ledger.history.standing():
            entry = await _undo(incident, ports)
            if entry.kind is Kind.UNDONE:
                await ledger.record(entry)
            written.append(entry)
    finally:
        await admin.close()
        await journal.close()
    return written[1:]


async def _undo(incident: Incident, ports: Ports) -> Entry:
    action = load()[incident.decision.do]()
    assert incident.effect is not None, "what stands has an effect"
    try:
        seen = await action.undo(incident.effect, ports)
    except (KafkaError, Stopped, OSError) as error:
        return Entry(clock(), Kind.FAILED, f"not undone: {error}", incident.id)
    return Entry(clock(), Kind.UNDONE, f"undone offline{left_alone(seen)}", incident.id)
