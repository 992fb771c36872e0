"""This agent's standing in the control topic as series, as far as it has read the log."""

from __future__ import annotations

from collections.abc import Iterator

from agent.control_topic import ControlTopic
from agent.families import Family, counter, gauge

SNAPSHOTS = {  # of the log, by what is known of it
    "snapshot_newest": "Offset of the newest snapshot of the log's state, -1 where none was seen",
    "snapshot_bytes": "Size of a snapshot of the log's state; more than 983040 are not written",
    "log_start": "First offset that the log still has",
}


def standing(control: ControlTopic) -> dict[str, float]:
    """The same as a source has it. Of the log nothing before it is read to its end: a counter would leap from
    its first record to its last at each start."""
    known: dict[str, float] = {
        "ottla_control_degraded": control.degraded is not None,
        "ottla_control_differs": control.differing is not None,
    }
    if control.caught_up:
        snapshots = control.snapshots()
        known |= {f"ottla_control_{name}": snapshots[name.removeprefix("snapshot_")] for name in SNAPSHOTS}
        known["ottla_control_joins_total"] = control.joins
        known["ottla_control_leader_epochs_total"] = max(0, control.state.epoch)
    return known


class OfControl:
    """The counters are the log's: an agent that starts later, or folds it again, tells the same."""

    def __init__(self, control: ControlTopic) -> None:
        self._control = control

    def collect(self) -> Iterator[Family]:
        """As Prometheus scrapes them."""
        control = self._control
        yield gauge("ottla_control_degraded", "1 where no claim can be had", control.degraded is not None)
        void = {(("reason", reason),): count for reason, count in control.state.voids.items()}
        about = "Records of the log without effect"
        yield Family("ottla_control_void_records_total", "counter", about, void.items())
        about = "Times that an agent of this name joined the log: each start is one"
        yield counter("ottla_control_joins_total", about, control.joins)
        about = "Leader epoch of the control topic"
        yield counter("ottla_control_leader_epochs_total", about, max(0, control.state.epoch))
        about = "1 where a peer comes to another state from the same log"
        yield gauge("ottla_control_differs", about, control.differing is not None)
        yield from self._snapshots()

    def _snapshots(self) -> Iterator[Family]:
        known = self._control.snapshots()
        for name, what in SNAPSHOTS.items():
            yield gauge(f"ottla_control_{name}", what, known[name.removeprefix("snapshot_")])
        about = "Snapshots of the log that were none to start from"
        yield counter("ottla_control_snapshots_refused_total", about, known["refused"])
