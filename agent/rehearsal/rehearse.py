"""Runs all tests of some files, one after another, and says of each what it came to."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from agent.model import ActionSpec, Place
from agent.rehearsal.alert_tests import run_alert_test
from agent.rehearsal.cases import AlertTest, AnyTest, UnitFile
from agent.rehearsal.stories import run_remedy_test
from agent.rehearsal.unit_files import read_file
from agent.rehearsal.verdicts import Verdict
from agent.rulebook import Rulebook, read
from agent.yaml_marks import Complaint, Complaints

_UNIT = re.compile(r"(?:.*[._-])?tests?\.ya?ml")  # tests.yml, kafka_test.yml, disk-tests.yaml
MOST_FILES = 2_000


class Rehearsal:
    """The files that were found. `complaints`: what is wrong with them, or with the rules that they name."""

    def __init__(self, paths: Sequence[Path], actions: Mapping[str, ActionSpec]) -> None:
        """Reads everything before anything is run. Raises OSError for a path that cannot be read."""
        self._complaints = Complaints()
        self._of_rules: dict[Complaint, None] = {}
        self._actions = actions
        self._books: dict[tuple[Path, ...], Rulebook] = {}
        found = (read_file(path, self._complaints) for path in find(paths))
        self.units = tuple(unit for unit in found if unit is not None)
        for unit in self.units:
            self._book(unit)
            if not unit.rule_files and unit.expects_of_rules:
                message = "no rule file is found, by which these tests expect something"
                self._complaints.add(Place(str(unit.path), 1, 1), message, "look at `rule_files:`")

    @property
    def complaints(self) -> tuple[Complaint, ...]:
        """Errors, and warnings about what is probably not meant."""
        return (*self._complaints.sorted(), *self._of_rules)

    def chosen(self, pattern: re.Pattern[str]) -> list[tuple[UnitFile, AnyTest]]:
        """The tests whose name the pattern is found in."""
        every = ((unit, test) for unit in self.units for test in unit.every)
        return [(unit, test) for unit, test in every if pattern.search(test.name)]

    def run(self, unit: UnitFile, test: AnyTest) -> Verdict:
        """Run one."""
        began = time.perf_counter()
        book = self._book(unit)
        if isinstance(test, AlertTest):
            kind, failures = "rule", run_alert_test(test, unit, book.rules)
        else:
            kind, failures = "remedy", run_remedy_test(test, book)
        return Verdict(str(unit.path), test.name, test.place, kind, failures, time.perf_counter() - began)

    def _book(self, unit: UnitFile) -> Rulebook:
        """The rules that a file names; remedies only where it tests some."""
        paths = (*unit.rule_files, *(unit.remedy_files if unit.remedy_tests else ()))
        if paths not in self._books:
            reading = read(paths, self._actions)
            self._of_rules |= dict.fromkeys(reading.complaints.sorted())
            self._books[paths] = reading.book
        return self._books[paths]


def find(paths: Sequence[Path]) -> list[Path]:
    """Files as they are, and in folders what is named like a file of tests; dotted names are left out."""
    found: dict[Path, None] = {}
    for path in paths:
        for file in _below(path) if path.is_dir() else (path,):
            if len(found) < MOST_FILES:
                found[file] = None
    return list(found)


def _below(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if not _UNIT.fullmatch(path.name) or hidden:
            continue
        if path.is_file() or not path.exists():  # a link to nothing is said, and not passed over
            yield path
