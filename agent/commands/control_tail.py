"""`ottla control tail`: the log's records, one a line, and what became of each."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import click
import msgspec

from agent.commands.control_reach import Reached, reaching
from agent.commands.control_verify import counted
from agent.commands.options import config, echo, output
from agent.commands.progress import Progress
from agent.commands.show import cleaned
from agent.commands.streams import remark
from agent.control.fold import Verdict
from agent.control.state import State
from agent.control.words import claim_name
from agent.control_topic.birth import walk
from agent.control_topic.start import beginning
from agent.kafka.errors import LogTruncated

LAST = 20
_SHOWN = 160  # characters of a record's body


@click.command()
@click.option(
    "--from", "start", type=click.IntRange(0), metavar="OFFSET", help=f"Default: the last {LAST} records."
)
@click.option("--from-start", is_flag=True, help="Fold the whole log, and not from a snapshot on.")
@click.option("--follow", "-f", is_flag=True, help="Go on with what comes.")
@config
@output
def tail(**options: Any) -> None:
    """Print the log's records: offset, time, type, agent, accepted or why void, what moved, and the body.

    Whether a record was accepted only all before it tell: the log is folded silently, from the newest
    snapshot that lies before what is printed and that its records confirm. From where it says on stderr."""
    sys.exit(_tail(**options))


@reaching
async def _tail(reached: Reached, start: int | None, from_start: bool, follow: bool, output: str) -> int:
    await reached.existing()
    log = reached.log()
    end = (await log.bounds())[1]
    first = max(0, end - LAST) if start is None else start
    progress = Progress()
    seen = counted(progress, lambda *_: None)
    begin = await beginning(log, snapshot=not from_start, before=first)
    remark(f"folded from {begin.words}")
    try:
        async for state, verdict in walk(log, begin, follow=follow):
            if state.offset >= first:
                progress.clear()
                row = told(state, verdict)
                echo(msgspec.json.encode(row).decode() if output == "json" else line(cleaned(row)))
            else:
                seen(state, verdict)
    except LogTruncated as error:
        raise click.ClickException(f"{error}; what was printed of it has no effect any more") from error
    return 0


def told(state: State, verdict: Verdict) -> dict[str, Any]:
    """One record as plain data; `type` None: the bytes are none."""
    record = verdict.record
    return {
        "offset": state.offset,
        "epoch": state.epoch,
        "at": state.time,
        "type": record.t if record else None,
        "agent": record.a if record else None,
        "session": record.s if record else None,
        "n": record.n if record else None,
        "void": verdict.void,
        "moves": [
            {"claim": claim_name(m.claim), "before": m.before, "after": m.after, "event": m.event}
            for m in verdict.moves
        ],
        "body": _body(record.x) if record else None,
    }


def _body(x: Mapping[str, Any]) -> dict[str, Any]:
    """Without a snapshot's state, which is up to a megabyte."""
    return {name: value for name, value in x.items() if name != "state"}


def line(row: dict[str, Any]) -> str:
    """One record for people."""
    return "  ".join(_parts(row))


def _parts(row: dict[str, Any]) -> Iterator[str]:
    yield f"{row['offset']:>7}"
    yield datetime.fromtimestamp(row["at"] / 1000, UTC).astimezone().strftime("%H:%M:%S.%f")[:-3]
    yield f"{row['type'] or '-':<8}"
    yield row["agent"] or "-"
    if row["void"] is not None:
        yield click.style(f"void: {row['void']}", fg="yellow")
    else:
        yield "accepted"
    for move in row["moves"]:
        before = f"{move['before']} → " if move["before"] else ""
        yield f"[claim {move['claim']}: {before}{move['after']}, {move['event']}]"
    if row["body"]:
        body = msgspec.json.encode(row["body"]).decode()
        yield body if len(body) <= _SHOWN else f"{body[:_SHOWN]}…"
