"""What a file of unit tests holds: series given, and what is expected of rules and remedies. All frozen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from agent.model import Labels, Place, Policy
from agent.rehearsal.world import Given


@dataclass(frozen=True, slots=True)
class GivenSeries:
    """A series and its values, one an interval from the start; None where there is none."""

    labels: Labels  # its name among them
    values: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class ExpectedAlert:
    """One firing alert, its `alertname` among the labels."""

    labels: Labels
    annotations: Labels
    place: Place


@dataclass(frozen=True, slots=True)
class AlertCase:
    """What of one name fires at one instant: exactly these."""

    at: int
    alertname: str
    expected: tuple[ExpectedAlert, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class ExpectedSample:
    """One element of an expression's result."""

    labels: Labels
    value: float
    place: Place


@dataclass(frozen=True, slots=True)
class ExprCase:
    """What an expression gives at one instant: exactly this."""

    at: int
    expr: str
    expected: tuple[ExpectedSample, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class AlertTest:
    """One of promtool's `tests`. Instants are ms after `start`, which is ms since the epoch."""

    name: str
    place: Place
    interval: int
    series: tuple[GivenSeries, ...]
    alerts: tuple[AlertCase, ...]
    exprs: tuple[ExprCase, ...]
    external_labels: Labels
    external_url: str
    start: int

    @property
    def lasts(self) -> int:
        """The last instant that is looked at."""
        return max([0, *(case.at for case in self.alerts), *(case.at for case in self.exprs)])


@dataclass(frozen=True, slots=True)
class Peer:
    """What another agent says and holds from an instant on; None: as before."""

    firing: tuple[str, ...] | None
    holds: tuple[str, ...] | None  # scopes


@dataclass(frozen=True, slots=True)
class Event:
    """What happens at one instant of a story; None and empty: nothing of that kind."""

    given: Given
    peers: Mapping[int, Peer]
    crash: int | None = None  # ms until the agent is started again
    operator: str | None = None  # what a person orders: `pause ...`, `resume`, `undo`, `approve`, `deny`
    stop_file: str | bool | None = None  # its text; False: it goes
    control_topic: str | bool | None = None  # why nobody reaches it; False: it is mended


@dataclass(frozen=True, slots=True)
class ExpectedEntry:
    """One line of the expected journal; `at` None is a line of dots, which stands for any entries or none."""

    at: int | None
    words: str  # after the instant, spaces single: how what is told begins
    place: Place


@dataclass(frozen=True, slots=True)
class RemedyTest:
    """One of `remedy_tests`: a story. `journal` and `left` None: not looked at."""

    name: str
    place: Place
    interval: int
    series: tuple[GivenSeries, ...]
    node: int
    policy: Policy
    events: tuple[tuple[int, Event], ...]  # the first holds the world as given
    lasts: int
    alerts: tuple[AlertCase, ...]
    journal: tuple[ExpectedEntry, ...] | None
    left: tuple[str, ...] | None


AnyTest = AlertTest | RemedyTest


@dataclass(frozen=True, slots=True)
class UnitFile:
    """One file of tests. `order` are the groups that come first, in their order."""

    path: Path
    rule_files: tuple[Path, ...]
    remedy_files: tuple[Path, ...]
    evaluation_interval: int
    order: tuple[str, ...]
    fuzzy: bool
    tests: tuple[AlertTest, ...]
    remedy_tests: tuple[RemedyTest, ...]

    @property
    def every(self) -> tuple[AnyTest, ...]:
        """All tests, promtool's first."""
        return (*self.tests, *self.remedy_tests)

    @property
    def expects_of_rules(self) -> bool:
        """Whether anything is expected that only a rule can make happen."""
        fires = any(case.expected for test in self.every for case in test.alerts)
        return fires or any(test.journal for test in self.remedy_tests)
