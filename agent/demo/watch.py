"""Follows one alert's incident in an agent's journal until it is closed, and judges it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from agent.demo.screen import Screen
from agent.history import replay
from agent.journal import JournalFailed, read
from agent.lab.agents import Agent
from agent.model import Entry, Kind

LOOK_S = 0.25
_ENDS = (Kind.CLOSED, Kind.ESCALATED, Kind.WITHDRAWN)


class StoryFailed(Exception):
    """The demo did not go as it should; the text says what was waited for, and what was seen instead."""


@dataclass(frozen=True)
class Told:
    """The entries of one incident, first to last, and all that the agent's journal holds."""

    entries: tuple[Entry, ...]
    journal: tuple[Entry, ...]

    def at(self, kind: Kind) -> int:
        """When the first entry of this kind was written. StoryFailed where there is none."""
        for entry in self.entries:
            if entry.kind is kind:
                return entry.at
        kinds = ", ".join(e.kind for e in self.entries)
        raise StoryFailed(f"no entry says {kind!r}: the journal has {kinds}")

    def count(self, kind: Kind) -> int:
        """How many entries of this kind there are."""
        return sum(1 for e in self.entries if e.kind is kind)

    @property
    def standing(self) -> int:
        """Effects that may stand, by this journal."""
        return len(replay(self.journal).standing())


async def follow(agent: Agent, alert: str, screen: Screen, seconds: float) -> Told:
    """Show each entry as it is written; ends with the incident. StoryFailed when that takes longer."""
    name = f"broker-{agent.node.id}"
    shown = 0
    found: tuple[Entry, ...] = ()
    try:
        async with asyncio.timeout(seconds):
            while not found or found[-1].kind not in _ENDS:
                journal = await asyncio.to_thread(_read, agent)
                found = tuple(e for e in journal if e.incident.startswith(f"{alert}/"))
                for entry in found[shown:]:
                    screen.entry(name, entry)
                shown = len(found)
                await asyncio.sleep(LOOK_S)
    except TimeoutError:
        kinds = ", ".join(e.kind for e in found) or "nothing"
        raise StoryFailed(
            f"{alert} of {name} was not over within {seconds:g} s: the journal has {kinds}"
            f" (see {agent.output}, and `ottla why {alert} --socket {agent.socket}`)"
        ) from None
    return Told(found, journal)


def _read(agent: Agent) -> tuple[Entry, ...]:
    try:
        return read(agent.state)
    except JournalFailed:
        return ()  # it is just being made
