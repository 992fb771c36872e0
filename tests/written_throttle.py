"""A throttle of agent 1 that is written down and of which nothing was sent: its carrier does the rest."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from fenced_cluster import boot_ms
from fenced_fleet import EFFECT, Agent, Fleet
from stories import decision

from agent.actions import stands_at
from agent.daemon.carry import Carrier
from agent.daemon.ledger import Ledger
from agent.gate import World
from agent.model import (
    Alert,
    AlertState,
    Decision,
    Entry,
    Kind,
    Limits,
    Mode,
    Place,
    Remedy,
    RuleHealth,
    Step,
)
from agent.rehearsal.stage import MemoryJournal
from agent.wire import encode_effect

OF = decision(do="throttle_replication")
PLACE = Place("r.yml", 1, 1)
STEP = Step(OF.do, OF.args, OF.lease_ms, OF.verify, PLACE)
REMEDY = Remedy("Full", "sre", Mode.ACT, "path", (), (STEP,), Limits(), None, PLACE)


class Clear:
    """A sight in which the alert fires, nothing gets worse, and nothing gives the gate a reason to refuse."""

    book = SimpleNamespace(remedies={OF.alert: REMEDY})
    alerts = SimpleNamespace(health=lambda *_: RuleHealth.OK)

    def world(self) -> World:
        """Of this instant."""
        return World(at=boot_ms(), asked=2)

    def firing(self) -> tuple[Alert, ...]:
        """The one."""
        return (Alert(OF.alert, OF.labels, AlertState.FIRING, 0, 0.9),)

    def signals(self, *_: object) -> frozenset[str]:
        """Of no log lines."""
        return frozenset()

    def patients(self, *_: object) -> int:
        """It alone."""
        return 1

    def objections(self, *_: object) -> tuple[str, ...]:
        """None."""
        return ()

    def view(self, *_: object, **__: object) -> Any:
        """Nothing gets worse."""
        return SimpleNamespace(
            worse_if=False, offline=None, under_min_isr=None, trigger=None, returning=False
        )


async def claims(agent: Agent, broker: int | str) -> int:
    """A throttle of this broker, not sent yet."""
    scopes, at = ["throttle", f"x:broker/{broker}"], stands_at(EFFECT)
    agent.claims.add(-1)  # the sweep closes what nobody holds
    kind, problem = "throttle_replication", f"of {agent.node}"
    claim = await agent.control.claim(kind, scopes, problem, "why", plan=at)
    agent.claims.add(claim)
    await agent.control.granted(claim)
    await agent.control.intent(claim, encode_effect(EFFECT))
    return claim


async def written_down(fleet: Fleet, sight: Clear, of: Decision = OF) -> Carrier:
    """Agent 1's attempt is over: its claim is dirty, and it sees this."""
    one: Any = fleet.agents[1]
    fleet.claim = await claims(one, 1)
    one.ledger = Ledger(MemoryJournal(), lambda _: None)  # type: ignore[arg-type]  # the same three methods
    started = Entry(boot_ms(), Kind.STARTED, "so", of.incident, decision=of, effect=EFFECT, claim=fleet.claim)
    await one.ledger.record(started)
    one.sight = lambda: sight
    return Carrier(one, of.incident)
