"""What a run shows, and what it must show: a count of 0 means that something was never tried."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from simulation.faults import FAULTS
from simulation.schedules import BASE, LATER_SETS, MILLIONS, OWN, SETS
from simulation.simulation import Result

LATER = {*LATER_SETS, *MILLIONS, "daemon-kept"}
MANY, ENOUGH = 300, 5_000  # schedules, from which on most things, and everything must have happened
COUNTED = (
    "effects",
    "intents",
    "expiries",
    "orphans",
    "orphans of a barrier",
    "adoptions",
    "stuck",
    "resolved",
    "redeclared",
    "founds",
    "truncations",
    "barriers",
    "deadman",
    "crashes",
    "raises",
    "snapshots",
    "starts from snapshots",
    "half an hour late",
)
RARE = (  # too rare to be asked of 300
    "stuck",
    "resolved",
    "raises",
    "fault: host is gone",
    "fault: node dies",
    "void: another fold version",
    "void: another log",
    "void: behind a barrier",
    "void: changed meanwhile",
    "void: heard since",
    "void: its session is in probation",
    "void: no budget",
    "void: no room",
    "void: no such live session",
    "void: not canonical",
    "void: stale, or from a history that was lost",
)
NOT_BY_DAEMONS = (  # who have one release, one budget without a rate, and marks too far apart for a schedule
    "raises",
    "snapshots",
    "starts from snapshots",
    "void: another fold version",
    "void: rate",
)
VOIDS = (
    "a copy",
    "another fold version",
    "another log",
    "behind a barrier",
    "cannot follow",
    "changed meanwhile",
    "heard since",
    "incarnation is not above the last",
    "its session is in probation",
    "its session is not live",
    "no budget",
    "no room",
    "no such live session",
    "not canonical",
    "not printable ASCII",
    "not the holder",
    "not the token",
    "problem was handled",
    "rate",
    "stale, or from a history that was lost",
    "the log is born already",
)


class Figures:
    """Sums of many schedules."""

    def __init__(self) -> None:
        self.seen: Counter[str] = Counter()
        self.sets: Counter[str] = Counter()
        self.violations: list[tuple[int, str]] = []  # seed, words
        self.schedules = 0
        self.seconds = 0.0  # virtual
        self.cpu = 0.0

    def add(self, result: Result, cpu: float) -> None:
        """One schedule more."""
        self.seen += result.seen
        self.seen.update({f"excused: {why}": count for why, count in result.excused.items()})
        self.sets[("daemon-" if result.schedule.daemon else "") + result.schedule.faults] += 1
        self.schedules += 1
        self.seconds += result.seconds
        self.cpu += cpu
        if result.violation:
            self.violations.append((result.schedule.seed, result.violation))

    def merge(self, other: Figures) -> None:
        """Those of another process."""
        self.seen += other.seen
        self.sets += other.sets
        self.violations += other.violations
        self.schedules += other.schedules
        self.seconds += other.seconds
        self.cpu += other.cpu

    @property
    def enough(self) -> bool:
        """Whether there are enough to ask what never happened."""
        return self.schedules >= MANY

    def missing(self) -> list[str]:
        """What never happened although it should have."""
        if not self.enough:
            return []
        wanted = [f"fault: {what}" for what in self._faults()]
        if not self.sets.keys() <= LATER:  # their own faults are what they are for
            wanted += [*COUNTED, *(f"void: {why}" for why in VOIDS)]
        excepted = {*(RARE if self.schedules < ENOUGH else ())}
        if all(name.startswith("daemon-") for name in self.sets):
            excepted.update(NOT_BY_DAEMONS)
        return [what for what in wanted if not self.seen[what] and what not in excepted]

    def lines(self) -> Iterator[str]:
        """As a table of Markdown."""
        yield "| figure | count |"
        yield "|---|---|"
        yield f"| schedules | {self.schedules:,} |"
        sets = *SETS, *(name for name in (*LATER_SETS, *MILLIONS) if self.sets[name])
        yield f"| of each set of faults | {self._counts(sets, self.sets)} |"
        if daemons := {f"daemon-{name}" for name in (*SETS, *MILLIONS)} & self.sets.keys():
            yield f"| … played by the daemon itself | {self._counts(sorted(daemons), self.sets)} |"
        yield f"| virtual hours | {self.seconds / 3_600:,.1f} |"
        yield f"| violations | {len(self.violations)} |"
        yield f"| records | {self.seen['records']:,} |"
        for name in COUNTED:
            yield f"| {name} | {self.seen[name]:,} |"
        yield f"| void, by reason | {self._counts(self._named('void: '), self.seen, 'void: ')} |"
        yield f"| faults | {self._counts(self._faults(), self.seen, 'fault: ')} |"
        yield f"| excused | {self._counts(self._named('excused: '), self.seen, 'excused: ') or 'none'} |"

    def _faults(self) -> list[str]:
        """Those of the sets that were played."""
        of_sets = {what for name in self.sets for what in (*BASE, *OWN[name.removeprefix("daemon-")])}
        return sorted(of_sets & FAULTS.keys())

    def _named(self, prefix: str) -> list[str]:
        return sorted(name.removeprefix(prefix) for name in self.seen if name.startswith(prefix))

    @staticmethod
    def _counts(names: Iterable[str], counts: Counter[str], prefix: str = "") -> str:
        return ", ".join(f"{name} {counts[prefix + name]:,}" for name in names)


def sum_of(parts: Iterable[Figures]) -> Figures:
    """Those of several processes together."""
    whole = Figures()
    for part in parts:
        whole.merge(part)
    return whole
