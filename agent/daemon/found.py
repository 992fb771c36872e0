"""Looks for effects of the own journal that stand although no open claim explains them (coordination.md
section 4, rule 9): a topic that was made again, or a tail that was lost, may have taken their claims along.
Of others' claims that went so agent.control.lost tells the log."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Container, Iterator
from itertools import islice

from msgspec import Struct

from agent.actions import is_stamped, spec
from agent.control.claims import keys_of
from agent.control.records import BadRecord
from agent.control_topic import ControlTopic, ControlUnavailable, NotAccepted
from agent.daemon.means import Means
from agent.history import Incident
from agent.kafka.errors import KafkaError
from agent.model import Change, Effect
from agent.wire import encode_effect

log = logging.getLogger(__name__)
LOOK_S = 60.0
MORE_MS = 5_000  # beyond E, that it must have stood unexplained
NEWEST = 20  # of the ended incidents, which are looked at


class Trace(Struct, frozen=True):
    """What should not stand any more. `host`: as a claim has it."""

    name: str
    kind: str
    scopes: tuple[str, ...]
    problem: str
    effect: Effect
    host: str

    def stamped(self) -> tuple[Change, ...]:
        """The rates whose last digits say under which claim they were set."""
        return tuple(filter(is_stamped, self.effect.changes))


class Found:
    """Only what is stamped is looked for, and only the very value that the own journal says was set. What
    else belongs to the same effect goes with it."""

    def __init__(self, means: Means, control: ControlTopic) -> None:
        self._means = means
        self._control = control
        self._since: dict[str, int] = {}  # trace → boot time since which it stands unexplained

    async def run(self) -> None:
        """For ever."""
        while True:
            await asyncio.sleep(LOOK_S)
            if not self._control.degraded and self._control.caught_up:
                await self._look()

    async def _look(self) -> None:
        """Seen twice, the second time E and 5 s later at least, after reading to the end."""
        held = self._held()
        traces = {one.name: one for one in self._own()}
        standing = {name: await self._stands(one, held) for name, one in traces.items()}
        now, patience = self._control.boot, self._control.params["e_controller"] + MORE_MS
        self._since = _kept(self._since, now, (name for name, there in standing.items() if there))
        for name, since in self._since.items():
            if now - since >= patience:
                await self._tell(traces[name])

    def _own(self) -> Iterator[Trace]:
        """The newest incidents that are over, and whose effect should be, too."""
        newest = reversed(list(self._means.ledger.history.incidents.values()))
        over = (i for i in newest if i.claim is not None and i.effect and not i.stands)
        return map(self._trace, islice((i for i in over if not self._was_kept(i)), NEWEST))

    def _was_kept(self, one: Incident) -> bool:
        action = self._means.actions.get(one.decision.do)
        return action is None or (spec(type(action)).keeps and one.mended)

    def _trace(self, one: Incident) -> Trace:
        action, effect = self._means.actions[one.decision.do], one.effect
        assert effect is not None, "only what has an effect is looked at"
        host = "" if spec(type(action)).adoptable else self._control.host
        problem = f"found/{one.claim}/{effect.owner}"  # not `Lost.found_as`: older journals tell no epoch
        return Trace(one.id, one.decision.do, action.scopes(effect), problem, effect, host)

    def _held(self) -> set[tuple[str, str]]:
        """The resource and key of all that open claims have changed."""
        return {key for claim in self._control.state.claims.values() for key in keys_of(claim.effect)}

    async def _stands(self, one: Trace, held: Container[tuple[str, str]]) -> bool | None:
        """Whether a rate that it stamped is set, and is not held; None where that cannot be seen."""
        for change in one.stamped():
            if (change.resource, change.key) in held:
                continue
            try:
                values = await self._means.ports.admin.configs(change.resource, (change.key,))
            except KafkaError:
                return None  # what cannot be seen is not found, and not gone
            if values.get(change.key) == change.new:
                return True
        return False

    async def _tell(self, one: Trace) -> None:
        """The claim that it becomes is adopted and closed like any that a former life left."""
        try:
            await self._control.barrier()
            if await self._stands(one, self._held()):
                effect = encode_effect(one.effect)
                await self._control.found(one.kind, one.scopes, one.problem, effect, host=one.host)
                log.warning("%s: what it set still stands, and no claim explains it: it is undone", one.name)
        except (NotAccepted, ControlUnavailable, BadRecord) as error:
            log.warning("%s: what it set still stands: %s", one.name, error)


def _kept(since: dict[str, int], now: int, names: Iterator[str]) -> dict[str, int]:
    """Since when it is so, of those of which it is so still."""
    return {name: since.get(name, now) for name in names}
