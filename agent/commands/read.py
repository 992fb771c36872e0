"""`ottla status`, `why` and `actions`: what the agent, or its journal, says."""

from __future__ import annotations

import sys
import time
from typing import Any

import click

from agent import report
from agent.commands import show
from agent.commands.options import reading, tell
from agent.commands.reach import ask, find
from agent.history import History, ImpossibleTransition, replay
from agent.model import Entry
from agent.web.client import MAX_SUBJECT


@click.command()
@reading
def status(output: str, **where: Any) -> None:
    """Show what is wrong, what is being done and what stands.

    Exit code 1 where something is not well: an alert fires, a source is down, the agent is paused, stopped,
    degraded or does not answer, its breaker is open, a rule cannot be judged, or an incident does not go on
    or needs a person.
    """
    answer = ask(find(**where), "status", lambda entries, now: report.status(_history(entries), entries, now))
    tell(output, answer, show.status(answer))
    sys.exit(1 if show.unwell(answer) else 0)


@click.command()
@click.argument("subject")
@reading
def why(subject: str, output: str, **where: Any) -> None:
    """Explain why something was done for SUBJECT, or was not.

    SUBJECT is a rule (LogDirFillingUp), a target (/var/lib/kafka/d1) or an incident. Exit code 1 where
    nobody has heard of it.
    """

    if not 0 < len(subject) <= MAX_SUBJECT:
        words = f"name a rule, a target or an incident, in 1 to {MAX_SUBJECT} characters"
        raise click.BadParameter(words, param_hint="SUBJECT")

    def offline(entries: tuple[Entry, ...], now: int) -> Any:
        return report.why(_history(entries), entries, subject, now)

    answer = ask(find(**where), "why", offline, of=subject)
    tell(output, answer, show.why(answer, _now()))
    sys.exit(0 if answer["known"] else 1)


@click.command()
@click.option(
    "-n", "--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="At most so many."
)
@reading
def actions(limit: int, output: str, **where: Any) -> None:
    """Show what was done and how each ended, newest first."""
    answer = ask(find(**where), "actions", lambda entries, _: report.actions(entries, limit), limit=limit)
    tell(output, answer, show.actions(answer, _now()))


def _history(entries: tuple[Entry, ...]) -> History:
    try:
        return replay(entries)
    except ImpossibleTransition as error:
        raise click.ClickException(f"the journal contradicts itself: {error}") from error


def _now() -> int:
    return round(time.time() * 1000)
