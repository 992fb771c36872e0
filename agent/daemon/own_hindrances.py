"""What keeps this agent from beginning anything, or from ending what it began: in words, and as series."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from msgspec import Struct

from agent.daemon.carry import Carrier
from agent.daemon.means import Means
from agent.families import Family, gauge
from agent.gate import open_breaker, stop_file
from agent.sources.hindrances import BREAKER, METRICS, PAUSED, STOPPED, TROUBLED


class Hindered(Struct, frozen=True):
    """Each in words, None where there is nothing; `stopped` is the stop file's text, perhaps empty."""

    stopped: str | None
    paused: str | None
    breaker: str | None
    troubles: Mapping[str, str]  # by incident: what keeps it from going on

    def from_acting(self) -> tuple[str, ...]:
        """Why nothing at all is begun."""
        paused = None if self.paused is None else f"paused: {self.paused}"
        return tuple(why for why in (stop_file(self.stopped), paused, self.breaker) if why is not None)

    def values(self) -> dict[str, float]:
        """The same as a source has it."""
        return {
            STOPPED.name: float(self.stopped is not None),
            PAUSED.name: float(self.paused is not None),
            BREAKER.name: float(self.breaker is not None),
            TROUBLED.name: float(len(self.troubles)),
        }


async def hindered(means: Means, carriers: Mapping[str, Carrier]) -> Hindered:
    """As it is now; the stop file is read."""
    local = await means.local()
    history = means.ledger.history
    pause = history.paused(means.clock())
    return Hindered(
        stopped=local.stop_file,
        paused=None if pause is None else pause.reason,
        breaker=open_breaker(history, local.policy),
        troubles={name: one.trouble for name, one in carriers.items() if one.trouble},
    )


class OfHindrances:
    """As Prometheus scrapes them."""

    def __init__(self, found: Hindered) -> None:
        self._values = found.values()

    def collect(self) -> Iterator[Family]:
        """Each without labels."""
        return (gauge(m.name, m.help, self._values[m.name]) for m in METRICS)
