"""What a person orders of this agent: that it is written down, and that what is to be undone is undone."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from itertools import takewhile

from agent.daemon.loop import Daemon
from agent.daemon.means import Means
from agent.gate import stop_file
from agent.journal import JournalFailed
from agent.model import Entry, Kind
from agent.surface import Plain, Refused
from agent.web.client import ORDER_S
from agent.wire import plain

UNDO_S = ORDER_S - 15  # who ordered still waits then; the stop file and the journal may take 12 before
UNWRITTEN = "not done, as it cannot be written down"
UNTOLD = "it is put back as ordered, but shown as standing for as long as that cannot be written down"


async def undone(means: Means, daemon: Daemon, incident: str | None, by: str) -> list[Plain]:
    """Undo what stands of one incident (None: of all), and wait for it: the entries written, oldest first.
    Raises Refused."""
    ledger = means.ledger
    standing = [i.id for i in ledger.history.standing() if incident in (None, i.id)]
    if incident is not None and not standing:
        raise Refused(f"nothing of {incident!r} stands: `ottla status` lists what does")
    if standing and (why := stop_file((await means.local()).stop_file)) is not None:
        raise Refused(f"nothing is put back, as {why}; order it again once that is removed")
    last = next(reversed(ledger.entries), None)
    for name in standing:  # first: a journal that cannot be written keeps nothing from being put back
        daemon.ask_undo(name, f"undone by {by}")
    told = f"{incident or 'everything'} ({by})"
    await written(ledger.record(Entry(means.clock(), Kind.OPERATOR, told, question="undo")), UNTOLD)
    await _until(lambda: not any(_stands(means, name) for name in standing), UNDO_S)
    since = takewhile(lambda entry: entry is not last, reversed(ledger.entries))
    own = [e for e in since if e.incident in standing]
    return [plain(e) for e in reversed(own)]  # type: ignore[misc]  # to_builtins gives plain data


async def ordered(means: Means, verb: str, reason: str, until: int | None = None) -> None:
    """Write an order down, which takes effect by that. Raises Refused."""
    entry = Entry(means.clock(), Kind.OPERATOR, reason, question=verb, until=until)
    await written(means.ledger.record(entry))


async def written(entry: Awaitable[object], words: str = UNWRITTEN) -> None:
    """Raises Refused, with these words, where it cannot be written."""
    try:
        await entry
    except JournalFailed as error:
        raise Refused(f"{words}: {error}") from error


def _stands(means: Means, incident: str) -> bool:
    one = means.ledger.history.incidents.get(incident)
    return one is not None and one.stands


async def _until(done: Callable[[], bool], seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            while not done():  # noqa: ASYNC110  the history is a value: nothing in it can be waited for
                await asyncio.sleep(0.1)
    except TimeoutError:
        raise Refused(
            f"not undone within {seconds:g} s and still tried: `ottla status` says what keeps it"
        ) from None
