"""The files that a configuration names beside itself: rules and metric names. Read again at each reload."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from msgspec.structs import replace

from agent.daemon.reload import Rules
from agent.model import ActionSpec, Labels, Place
from agent.rulebook import BadRules, read
from agent.rulebook.load import rule_files
from agent.rulebook.stamps import Stamp, stamp
from agent.sources.catalogue import others
from agent.sources.name_files import read_names, shipped
from agent.sources.names import Names
from agent.yaml_marks import Complaints
from agent.yaml_marks.compose import MAX_BYTES


@dataclass(frozen=True)
class RuleFiles:
    """Implements agent.daemon.reload.Files; `specs` are the actions that remedies may name."""

    specs: Mapping[str, ActionSpec]
    rules: tuple[Path, ...]
    names: Path | None = None
    targets: Labels = ()

    def stamp(self) -> Stamp:
        """Of every file that `read` would read."""
        return stamp((*rule_files(self.rules), *([str(self.names)] if self.names else [])))

    def read(self) -> Rules:
        """All of them. Raises BadRules with what is wrong in any."""
        reading = read(self.rules, self.specs)
        names = names_of(self.names, reading.complaints)
        if reading.complaints:
            raise BadRules(reading.complaints.sorted())
        return Rules(reading.book, replace(names, targets=self.targets))


def names_of(path: Path | None, complaints: Complaints) -> Names:
    """The shipped names, and on top of them those of a file."""
    if path is None:
        return shipped()
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        complaints.add(Place(str(path), 1, 1), f"cannot be read: {error.strerror}")
        return shipped()
    return read_names(str(path), data, others(), complaints)
