"""Undo without a daemon: from the journal, under its lock, and without the control topic's log
(coordination.md section 8, undo of what we did ourselves)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from msgspec.structs import replace

from agent import deadman, gate
from agent.actions import Ports, Stopped, blind_without_log, load
from agent.assembly.clocks import clock
from agent.assembly.hands import make_admin, make_control, make_dirs, make_fence, make_ports
from agent.config import Config
from agent.daemon.fence import ClaimWrites, Fence
from agent.daemon.holding import in_its_midst
from agent.daemon.ledger import Ledger
from agent.daemon.settling import settle
from agent.daemon.undoing import left_alone
from agent.history import Incident, Phase
from agent.journal import Journal, JournalFailed
from agent.kafka.errors import KafkaError
from agent.model import Entry, Kind, Seen
from agent.name_lookups import run
from agent.stop_file import StopFile

Told = Callable[[str], None]
Stopping = Callable[[], Awaitable[str | None]]


def undo_all(config: Config, now: int, told: Told) -> list[Entry]:
    """Undo whatever stands; the entries written. An effect that could not be undone is `failed` among them,
    and stays the agent's to undo. `told` hears what it waits for. Raises JournalFailed where the journal
    cannot be read, JournalLocked while the agent lives, NoDeadman."""
    return run(_undo_all(config, now, told))


async def _undo_all(config: Config, now: int, told: Told) -> list[Entry]:
    journal = Journal(config.state)
    ledger = Ledger(journal, lambda _: None)
    admin = make_admin(config)
    try:
        await ledger.open()
        control = make_control(config, admin, journal)
        await control.close()  # never started: without the log, but with its times
        ports = make_ports(config, admin, make_dirs(config), ledger)
        stop_file = StopFile(config.stop_file)

        async def stopped() -> str | None:
            return gate.stop_file(await stop_file.read())

        undo = Undo(ports, make_fence(config, control, admin), stopped, told)
        await _written(ledger, Entry(now, Kind.OPERATOR, "undo --all --offline", question="undo"))
        return await undo.everything(ledger)
    finally:
        await admin.close()
        await journal.close()


class Undo:
    """Undoes what an agent that is dead had begun. `stopped`: the stop file in words, or None."""

    def __init__(self, ports: Ports, fence: Fence, stopped: Stopping, told: Told) -> None:
        self._ports = ports
        self._fence = fence
        self._stopped = stopped
        self._told = told

    async def everything(self, ledger: Ledger) -> list[Entry]:
        """What stands, one after the other; what could not be undone is not recorded, but that it was begun.
        A journal that cannot be written keeps nothing from being put back."""
        shown = []
        for incident in ledger.history.standing():
            entry = await self._one(ledger, incident)
            shown.append(await _written(ledger, entry) if entry.kind is Kind.UNDONE else entry)
        return shown

    async def _one(self, ledger: Ledger, incident: Incident) -> Entry:
        try:
            if (why := await self._stopped()) is not None:
                raise Stopped(why)
            if incident.claim is None:
                seen = await self._plain(incident)
            elif incident.effect is not None and (why := blind_without_log(incident.effect)) is not None:
                raise Stopped(why)
            else:
                if incident.phase is not Phase.UNDOING:  # a crash in its midst leaves it in doubt
                    await _written(ledger, Entry(clock(), Kind.UNDOING, "undone offline", incident.id))
                seen = await self._fenced(incident)
        except (KafkaError, Stopped, OSError) as error:
            return Entry(clock(), Kind.FAILED, f"not undone: {error}", incident.id)
        return Entry(clock(), Kind.UNDONE, f"undone offline{left_alone(seen)}", incident.id)

    async def _plain(self, incident: Incident) -> Seen:
        assert incident.effect is not None, "what stands has an effect"
        return await load()[incident.decision.do]().undo(incident.effect, self._ports)

    async def _fenced(self, incident: Incident) -> Seen:
        """What needs a claim is put back as the agent does it without the log: by fresh connections, under
        the deadman; and it is undone only once nothing can land any more, nor the agent's last request."""
        action, effect = load()[incident.decision.do](), incident.effect
        assert effect is not None, "what stands has an effect"
        writes = ClaimWrites(self._fence, incident.claimed or 0, self._ports.node_id)
        ports = writes.ports(self._ports, _never, self._stopped)
        if in_its_midst(incident, clock(), deadman.boot()):
            writes.suspect()
        seen = await action.undo(effect, ports)
        while (sent := writes.doubt) is not None:
            await settle(self._fence, sent, lambda: action.observe(effect, ports), self._told)
            writes.settled(sent)
            seen = await action.undo(effect, ports)  # a copy under way is not `ours` before it is swapped
        return seen


async def _written(ledger: Ledger, entry: Entry) -> Entry:
    """The entry as it is shown: it says where it could not be written down."""
    try:
        await ledger.record(entry)
    except JournalFailed as error:
        why = f"{entry.reason}; shown as standing, since that cannot be written down: {error}"
        return replace(entry, reason=why)
    return entry


async def _never() -> str | None:
    return "an undo applies nothing"
