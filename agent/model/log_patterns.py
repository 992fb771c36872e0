"""What is counted in log lines."""

from __future__ import annotations

import msgspec

from agent.model.place import Place


class LogPattern(msgspec.Struct, frozen=True):
    """One pattern of a `logs.yml`: each line that `regex` finds counts one in `log_<name>_total`.

    `regex` is RE2 syntax, searched within the line. Its named groups become labels, but for that of `counts`,
    whose number is added to `log_<name>_<group>_total`, and that of `sets`, whose number `log_<name>` is.
    """

    name: str
    file: str  # a glob over the log file's base name, as in server.log or *gc*.log
    regex: str
    help: str
    place: Place
    counts: str = ""
    sets: str = ""
    max_series: int = 100  # label sets; the lines beyond them are counted without labels

    @property
    def lines_metric(self) -> str:
        """The counter of its lines."""
        return f"log_{self.name}_total"

    @property
    def value_metric(self) -> str | None:
        """The counter of what its lines add up to, or the gauge that they set; None where they do neither."""
        if self.counts:
            return f"log_{self.name}_{self.counts}_total"
        return f"log_{self.name}" if self.sets else None
