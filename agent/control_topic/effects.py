"""What precedes each effect of a claim (coordination.md section 4, rule 4), and each undo (section 8).

One effect is one request that changes the world. Nothing here knows Kafka, sockets or kernels: the request,
the deadman's timer and the last look are ports, time is the loop's and the control topic's boot clock. So the
same protocol runs in the agent, in a rehearsal and in a simulation in virtual time.

The order:

1. the request is made ready on a fresh connection: names looked up, connected, authenticated, nothing sent;
2. a beat is written and seen accepted: the claim is still ours and dirty, the hold time runs, nothing is
   paused, there is room under the caps in force;
3. whom the last look reads from is read from once: no name need be looked up then, and nothing connected, any
   more: the connection that the plan was made by may have been dropped while 2 was waited for;
4. the deadman is armed for ACT from now, or the end of the hold time: a process that is stopped, swapped out
   or starved from here on is killed before it can act late;
5. the last look: the stop file, the gate's questions on fresh data, and whether what the request writes over
   still is what it was compared with: a join or a barrier may have been waited for since;
6. what the log says of the claim, once more: it may have been read on since;
7. the request is sent, and has left the transport's buffer; the deadman is disarmed, the answer awaited.

From 4 to 7 no file is written and no name looked up. Nothing beneath connects again or sends twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, Protocol, TypeVar

from agent.control_topic.ports import ControlUnavailable, InDoubt, NotAccepted
from agent.control_topic.topic import ControlTopic
from agent.model import Called

# Of the time until the deadman kills: a last look or a send that takes longer is given up in words. The rest
# is for a loop that lags, which is no reason to be killed.
PATIENCE = 0.6
LEAST = 200  # ms before the deadman kills: with less left nothing is begun, since a loop may lag as long

_Answer = TypeVar("_Answer")
_Given_co = TypeVar("_Given_co", covariant=True)
Disarm = Callable[[], None]
Warm = Callable[[], Awaitable[None]]  # step 3
LastLook = Callable[
    [], Awaitable[str | None]
]  # why not, in words, on data of this instant; None: nothing objects


async def _warm() -> None:
    """The last look reads from nobody."""


class Deadman(Protocol):
    """Ends this process at an instant, whatever state it is in, unless that is called off."""

    def arm(self, at: int) -> Disarm:
        """Kill this process at own boot time `at` (ms); what is returned calls it off. Raises OSError."""
        ...


class Request(Protocol, Generic[_Given_co]):
    """One request on a connection of its own, of which nothing was sent yet."""

    async def send(self) -> None:
        """Returns once the last byte has left this process. May be cancelled in the middle."""
        ...

    async def answer(self) -> _Given_co:
        """What came back; its errors say whether it was done, or that nobody knows."""
        ...

    async def close(self) -> None:
        """Drops the connection, and with it whatever of the request has not left the machine."""
        ...


class Effects:
    """Sends the effects of this agent's claims. `sent` is told the boot time (ms) right before the first byte
    of each may leave, so that it is known to be in doubt until its answer has come (rule 5)."""

    def __init__(self, control: ControlTopic, deadman: Deadman) -> None:
        self._control = control
        self._deadman = deadman

    async def apply(
        self,
        claim: Called,
        ready: Callable[[], Awaitable[Request[_Answer]]],
        look: LastLook,
        sent: Callable[[int], None],
        *,
        warm: Warm = _warm,
    ) -> _Answer:
        """One more effect of the claim; the request's answer.

        `ready` makes the request (step 1); it and `warm` may raise what they like: nothing was sent. Raises
        NotAccepted where it must not be and ControlUnavailable where nobody knows, both before anything was
        sent; InDoubt where it did not leave in time; and what `look`, before anything was sent, and `answer`
        raise.
        """
        token = self._token(claim)
        request = await ready()
        try:
            await self._control.barrier(claim)
            await warm()
            await self._fire(request, look, lambda: self._objection(claim, token), sent)
            return await request.answer()
        finally:
            await request.close()

    async def undo(
        self,
        claim: Called,
        ready: Callable[[], Awaitable[Request[_Answer]]],
        look: LastLook,
        sent: Callable[[int], None],
        *,
        warm: Warm = _warm,
        adopted: bool = False,
    ) -> _Answer:
        """Puts back what the claim's effect set, comparing first; the request's answer.

        As `apply`, but pauses and caps do not stop it, and where the log cannot be used it waits for nothing
        (section 8): the deadman, the last look and the fresh connection alone fence it then. One that was
        `adopted`, set by another agent, is not sent without the log: a peer may have closed the claim, and
        what stands be of a later one.
        """
        request = await ready()
        try:
            readable = await self._readable(claim)
            if not readable and adopted:
                raise ControlUnavailable(self._without_log())

            def objection() -> str | None:
                return self._objection_to_undo(claim, adopted=adopted) if readable else None

            await warm()
            await self._fire(request, look, objection, sent)
            return await request.answer()
        finally:
            await request.close()

    async def _readable(self, claim: Called) -> bool:
        """Whether the log, which can be read, has nothing against this undo; False: it cannot be used. A join
        that is under way is waited for, also where the beat itself tells that the session has ended: until
        then another may have adopted the claim."""
        while True:
            await self._control.joined()
            if self._control.degraded:
                return False
            try:
                await self._control.barrier(claim, undo=True)
            except ControlUnavailable:
                if not self._control.degraded:
                    raise
            else:
                return True

    def _token(self, claim: Called) -> int | None:
        own = self._control.own_claim(claim)
        return own.token if own else None

    def _objection(self, claim: Called, token: int | None) -> str | None:
        """One that was adopted meanwhile, by this very agent perhaps, may be in another task's hands."""
        if self._token(claim) != token:
            return "its session ended since this effect was decided"
        return self._control.objection(claim)

    def _objection_to_undo(self, claim: Called, *, adopted: bool) -> str | None:
        if self._control.joining:
            return "its session ended since this undo was decided"
        if self._control.degraded:
            return self._without_log() if adopted else None
        return self._control.objection(claim, undo=True)

    def _without_log(self) -> str:
        return f"what another agent set waits for the log: {self._control.degraded}"

    async def _fire(
        self,
        request: Request[object],
        look: LastLook,
        objection: Callable[[], str | None],
        sent: Callable[[int], None],
    ) -> None:
        """Steps 4 to 7 without the answer."""
        at = self._control.act_by()
        left = at - self._control.boot
        if left < min(LEAST, self._control.act // 2):
            raise NotAccepted("the hold time is over, or nearly so: no own record was accepted in time")
        disarm, leaving = self._deadman.arm(at), False
        try:
            async with asyncio.timeout(left * PATIENCE / 1_000):
                if why := await look() or objection():
                    raise NotAccepted(why)
                leaving = True
                sent(self._control.boot)
                await request.send()
        except TimeoutError:
            if leaving:
                raise InDoubt(f"the request did not leave within {left * PATIENCE:.0f} ms") from None
            raise NotAccepted(f"the last look took over {left * PATIENCE:.0f} ms") from None
        finally:
            disarm()
