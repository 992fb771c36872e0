"""What actions mend for good in the simulated cluster: throttles that were left, log dirs that are full."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from agent.actions.throttles import FOLLOWER_RATE, LEADER_RATE
from agent.model import AlertRule, Limits, Mode, Rate, Remedy, Sample, Step, Verify, labels_of
from agent.rulebook import Rulebook
from simulation.copying_world import DIRS
from simulation.kept_world import KeptWorld
from simulation.lags import BOOK, PLACE, STABLE, WITHIN, Lags, metric
from simulation.schedules import Event

KEYS = (LEADER_RATE, FOLLOWER_RATE)
UP_TO = 2_000_000  # bytes a second
UNTIL = 0.5  # of a log dir
ARGS = {
    "Leftover": ("clear_leftover_throttle", (("keys", KEYS), ("up_to", UP_TO))),
    "Full": ("drain_disk", (("log_dir", "$path"), ("until_used_ratio", UNTIL), ("rate", 1 << 21))),
}
LABELS = {"Leftover": "broker", "Full": "path"}


def book() -> Rulebook:
    """Those of lags, and one for each of these."""
    rules, remedies = list(BOOK.rules), dict(BOOK.remedies)
    for alert, (action, args) in sorted(ARGS.items()):
        name, label = metric(alert), LABELS[alert]
        rules.append(AlertRule(alert, f"{name} > 0", 0, 0, (), (), "simulated", PLACE))
        check = Verify(f'{name}{{{label}="${label}"}} < 1', WITHIN, STABLE)
        limits = Limits(cooldown_ms=3_000, per_host=Rate(100, 60_000), max_targets=9)
        step = Step(action, args, None, check, PLACE)
        remedies[alert] = Remedy(alert, "sre", Mode.ACT, label, (), (step,), limits, None, PLACE)
    return Rulebook(tuple(rules), remedies, (), "simulated")


class Troubles(Lags):
    """Some are mended by what is done, and some last whatever is done; some end by themselves."""

    book: ClassVar[Rulebook] = book()

    def __init__(self, now: Callable[[], float], brokers: tuple[int, ...], world: KeptWorld) -> None:
        super().__init__(now, brokers)
        self._world = world
        self._mended: list[tuple[Event, str]] = []

    def add(self, event: Event) -> None:
        """A `problem` event."""
        if event.word not in ARGS:
            return super().add(event)
        if event.word == "Leftover":
            self._world.leave_throttle(event.node, event.number)
        path = DIRS[0] if event.number % 4 else DIRS[1]
        self._mended.append((event, path if event.word == "Full" else str(event.node)))
        return None

    def end(self) -> None:
        """No symptom is left."""
        super().end()
        self._mended.clear()

    def _shows(self, node: int, alert: str, patient: str) -> bool:
        for event, whose in self._mended:
            active = event.at <= self.now() < event.at + event.lasts
            if active and (event.node, event.word, whose) == (node, alert, patient):
                return event.number % 3 == 0 or self._is_there(node, alert, patient)
        return False

    def _is_there(self, node: int, alert: str, patient: str) -> bool:
        if alert == "Leftover":
            return self._world.stands_left(node)
        usable, total = self._world.disks(node).free(patient)
        return total - usable > UNTIL * total

    def samples(self, node: int, at: int) -> list[Sample]:
        """Those of lags, too."""
        found = super().samples(node, at)
        for alert, patients in (("Leftover", (str(node),)), ("Full", DIRS)):
            for patient in patients:
                labels = {LABELS[alert]: patient, "broker": str(node)}
                value = float(self._shows(node, alert, patient))
                found.append(Sample(metric(alert), labels_of(labels), at, value))
        return found
