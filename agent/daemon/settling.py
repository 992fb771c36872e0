"""Waits until nothing that is in doubt can land any more (coordination.md section 4, rule 5)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import TypeVar, cast

from agent.control.doubt import SILENCE, Doubt, Look, Process, Sent
from agent.daemon.fence import CONTROLLER, Fence

LOOK_S = 0.5
ANSWER_S = SILENCE / 1_000

_Seen = TypeVar("_Seen", bound=Hashable)
Observe = Callable[[], Awaitable[_Seen]]  # what stands in the world; its errors mean that it did not tell


def once(say: Callable[[str], None]) -> Callable[[str], None]:
    """Says each thing that is waited for once, and not for each second that is left."""
    said = ""

    def told(words: str) -> None:
        nonlocal said
        kind = words.rstrip("0123456789 s")
        if kind != said:
            say(words)
        said = kind

    return told


async def settle(fence: Fence, sent: Sent, observe: Observe[_Seen], told: Callable[[str], None]) -> _Seen:
    """What stands once it is settled, however long that takes; `told` hears in words what it waits for.

    An observation's fault is told too: as long as the world cannot be seen nothing is settled.
    """
    doubt = Doubt(sent)
    while True:
        begun = fence.control.boot
        answered, (seen, fault) = await asyncio.gather(_answers(fence, sent), _see(observe))
        if doubt.look(Look(begun, fence.control.boot, answered, seen)):
            assert doubt.settled is not None, "settled is what was seen"
            return cast(_Seen, doubt.settled)
        told(fault or doubt.words(fence.control.boot))
        await asyncio.sleep(LOOK_S)


async def _see(observe: Observe[_Seen]) -> tuple[_Seen | None, str]:
    """What stands, and why it could not be seen."""
    try:
        async with asyncio.timeout(ANSWER_S):
            return await observe(), ""
    except TimeoutError:
        return None, "a request is in doubt, and the world was not seen within a second"
    except Exception as error:  # noqa: BLE001  an action's own code; nothing is settled by it
        return None, f"a request is in doubt, and nothing is seen: {type(error).__name__}: {error}"


async def _answers(fence: Fence, sent: Sent) -> dict[str, Process]:
    """The targets that answer within a second, each on a connection that only observes."""
    nodes = [int(name.removeprefix("broker ")) for name in sent.targets if name != CONTROLLER]
    asked = [_broker(fence, node) for node in nodes]
    if CONTROLLER in sent.targets:
        asked.append(_controller(fence, nodes[0]))
    return dict([each for each in await asyncio.gather(*asked) if each])


async def _broker(fence: Fence, node: int) -> tuple[str, Process] | None:
    there = await fence.writes.answers(node, controller=False, deadline=ANSWER_S)
    return (f"broker {node}", await fence.process(node)) if there else None


async def _controller(fence: Fence, through: int) -> tuple[str, Process] | None:
    there = await fence.writes.answers(through, controller=True, deadline=ANSWER_S)
    return (CONTROLLER, None) if there else None
