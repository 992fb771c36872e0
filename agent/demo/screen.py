"""What the demo shows: lines with the time since the beginning, colours on a terminal only."""

from __future__ import annotations

import time
from collections.abc import Sequence

import click

from agent.model import Change, Entry, Kind, Operation
from agent.quantities import show_size

_COLOURS = {
    Kind.REFUSED: "yellow",
    Kind.STARTED: "cyan",
    Kind.HEALED: "green",
    Kind.FAILED: "red",
    Kind.WORSE: "red",
    Kind.NO_BETTER: "red",
}


class Screen:
    """A clock that starts when it is made, and lines beside it."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def title(self, text: str) -> None:
        """A new act."""
        click.echo()
        self._line(click.style(text, bold=True))

    def say(self, text: str) -> None:
        """A line of the story."""
        self._line(f"  {text}")

    def entry(self, agent: str, entry: Entry) -> None:
        """One fact of an agent's journal, with what it changes."""
        kind = click.style(f"{entry.kind:<9}", fg=_COLOURS.get(entry.kind))
        doing = f"{entry.decision.do}: " if entry.decision and entry.kind is Kind.STARTED else ""
        self._line(f"  {agent}  {kind} {doing}{entry.reason}")
        for change in entry.effect.changes if entry.effect else ():
            self._line(f"             {_words(change)}")

    def passed(self, text: str) -> None:
        """Something that was asserted, and holds."""
        self._line(f"  {click.style('✓', fg='green')} {text}")

    def failed(self, text: str) -> None:
        """Something that was asserted, and does not."""
        self._line(f"  {click.style('✗', fg='red')} {text}")

    def table(self, rows: Sequence[tuple[str, str]]) -> None:
        """Names and figures."""
        width = max(len(name) for name, _ in rows)
        for name, figure in rows:
            self._line(f"  {name:<{width}}  {figure}")

    def _line(self, text: str) -> None:
        click.echo(f"{time.monotonic() - self._began:6.1f}s {text}")


def _words(change: Change) -> str:
    if change.operation is Operation.MOVE:
        return f"{change.resource}: from {change.prior} to {change.new}"
    if change.operation is Operation.DELETE:
        return f"{change.resource}: {change.key} removed (was {change.prior})"
    if change.operation is Operation.SET and change.new and change.new.isdecimal():
        was = change.prior or "absent"
        return f"{change.resource}: {change.key} = {show_size(int(change.new))}/s (was {was})"
    verb = "gets" if change.operation is Operation.APPEND else "loses"
    return f"{change.resource}: {change.key} {verb} {change.new}"
