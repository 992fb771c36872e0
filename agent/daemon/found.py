"""Looks for effects of this agent that stand although no open claim explains them (coordination.md section 4,
rule 9): a topic that was made again, or a tail that was lost, may have taken their claims along."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Container, Iterator
from itertools import islice

from agent.actions import RATES, spec
from agent.control.claims import keys_of
from agent.control.records import BadRecord
from agent.control_topic import ControlTopic, ControlUnavailable, NotAccepted
from agent.daemon.means import Means
from agent.history import Incident
from agent.kafka.errors import KafkaError
from agent.model import Change, Kind, Operation
from agent.wire import encode_effect

log = logging.getLogger(__name__)
LOOK_S = 60.0
MORE_MS = 5_000  # beyond E, that it must have stood unexplained
NEWEST = 20  # of the ended incidents, which are looked at


class Found:
    """Only what is stamped is looked for: a rate whose last digits say that this agent set it under a claim.
    What else belongs to the same effect goes with it."""

    def __init__(self, means: Means, control: ControlTopic) -> None:
        self._means = means
        self._control = control
        self._since: dict[str, int] = {}  # incident → boot time since which it stands unexplained

    async def run(self) -> None:
        """For ever."""
        while True:
            await asyncio.sleep(LOOK_S)
            if not self._control.degraded and self._control.caught_up:
                await self._look()

    async def _look(self) -> None:
        """Seen twice, the second time E and 5 s later at least, after reading to the end."""
        held = self._held()
        standing = {one.id: one for one in self._ended() if await self._stands(one, held)}
        now, patience = self._control.boot, self._control.params["e_controller"] + MORE_MS
        self._since = {name: self._since.get(name, now) for name in standing}
        for name, since in self._since.items():
            if now - since >= patience:
                await self._tell(standing[name])

    def _ended(self) -> Iterator[Incident]:
        """The newest incidents that are over, and whose effect should be, too."""
        newest = reversed(list(self._means.ledger.history.incidents.values()))
        over = (i for i in newest if i.claim is not None and i.effect and not i.stands)
        return islice((i for i in over if not self._was_kept(i)), NEWEST)

    def _was_kept(self, one: Incident) -> bool:
        action = self._means.actions.get(one.decision.do)
        return action is None or (spec(type(action)).keeps and one.verdict is Kind.HEALED)

    def _held(self) -> set[tuple[str, str]]:
        """The resource and key of all that open claims have changed."""
        return {key for claim in self._control.state.claims.values() for key in keys_of(claim.effect)}

    async def _stands(self, one: Incident, held: Container[tuple[str, str]]) -> bool:
        """Whether a rate that it stamped is set, and is not held."""
        for change in _stamped(one):
            if (change.resource, change.key) in held:
                continue
            try:
                values = await self._means.ports.admin.configs(change.resource, (change.key,))
            except KafkaError:
                return False  # what cannot be seen is not found
            if values.get(change.key) == change.new:
                return True
        return False

    async def _tell(self, one: Incident) -> None:
        """The claim that it becomes is adopted and closed like any that a former life left."""
        action, effect = self._means.actions[one.decision.do], one.effect
        assert effect is not None, "only what has an effect is looked at"
        try:
            await self._control.barrier()
            if await self._stands(one, self._held()):
                problem = f"found/{one.claim}/{effect.owner}"
                scopes = action.scopes(effect)
                anyone = spec(type(action)).adoptable
                await self._control.found(
                    one.decision.do, scopes, problem, encode_effect(effect), by_anyone=anyone
                )
                log.warning("%s: what it set still stands, and no claim explains it: it is undone", one.id)
        except (NotAccepted, ControlUnavailable, BadRecord) as error:
            log.warning("%s: what it set still stands: %s", one.id, error)


def _stamped(one: Incident) -> Iterator[Change]:
    changes = one.effect.changes if one.effect else ()
    return (c for c in changes if c.key in RATES and c.operation is Operation.SET and c.new is not None)
