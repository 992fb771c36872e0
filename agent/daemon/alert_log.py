"""The trace that alerts leave in the agent's log and memory, whether or not they have a remedy."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence

from agent.alerts import Firings
from agent.model import Alert, Firing
from agent.quantities import show_duration
from agent.report import patient

log = logging.getLogger(__name__)
LINES = 30  # in a minute
MINUTE_MS = 60_000
LONGEST = 500  # characters of a line: labels are as long as what they were read from


class Lines:
    """At most LINES in a minute, so that a storm fills no log; of the others how many there were."""

    def __init__(self) -> None:
        self._since, self._left, self._more = 0, LINES, 0

    def take(self, lines: Sequence[str], now: int) -> list[str]:
        """What is to be written of these at `now` (ms), and what had no room before. Asked each round."""
        told = []
        if not 0 <= now - self._since < MINUTE_MS:  # below zero: the clock was set back
            told = [f"and {self._more} more alerts that began or ended"] if self._more else []
            self._since, self._left, self._more = now, LINES, 0
        told += lines[: self._left]
        self._more += len(lines[self._left :])
        self._left = max(0, self._left - len(lines))
        return told


class AlertLog:
    """A line where an alert begins to fire, and where it fires no more."""

    def __init__(self) -> None:
        self._firings = Firings()
        self._lines = Lines()

    def look(self, alerts: Iterable[Alert], now: int) -> None:
        """At the alerts of one round."""
        begun, over = self._firings.look(alerts, now)
        for line in self._lines.take([*map(_begun, begun), *map(_over, over)], now):
            log.info("%s", line)

    def over(self) -> tuple[Firing, ...]:
        """What fired and does no more, as far as it is kept."""
        return self._firings.told()


def _begun(one: Firing) -> str:
    return _printable(f"alert {one.rule} fires for {patient(one.labels)} (value {one.value:g})")


def _over(one: Firing) -> str:
    lasted = show_duration(one.lasted_ms // 1_000 * 1_000)
    words = f"it did for {lasted} (last value {one.value:g})"
    return _printable(f"alert {one.rule} fires no more for {patient(one.labels)}; {words}")


def _printable(line: str) -> str:
    """A label of an alert may come from a log line: it must not write lines of its own."""
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in line[:LONGEST])
