"""The shipped log patterns on lines as Kafka 4.3 writes them, each beside one that it must leave alone."""

from __future__ import annotations

from fnmatch import fnmatch
from pathlib import Path

import pytest
import yaml
from rule_files import SPECS

from agent.model import LogPattern
from agent.rulebook import load
from agent.sources.log_groups import LineSearch
from agent.sources.log_hits import Columns, Hit
from agent.sources.log_patterns import Scanners

BOOK = load([Path(__file__).parents[2] / "rules"], SPECS)
PATTERNS = {pattern.name: pattern for pattern in BOOK.logs}
SCANNERS = Scanners(BOOK.logs)
SEARCHES = {pattern.name: LineSearch(pattern.regex) for pattern in BOOK.logs}

LINES = yaml.safe_load(Path(__file__).with_name("shipped_log_lines.yml").read_text())


@pytest.mark.parametrize("name", PATTERNS)
def test_a_shipped_pattern_finds_its_line_and_no_other(name: str) -> None:
    """Among all shipped patterns for the file that Kafka writes it to."""
    its = LINES[name]
    assert fnmatch(its["file"], PATTERNS[name].file)
    assert _found(its["file"], its["line"]) == {name: its["takes"]}
    assert name not in _found(its["file"], its["miss"])


def test_every_shipped_pattern_has_its_line() -> None:
    """And says what it counts."""
    assert set(LINES) == set(PATTERNS)
    assert len(PATTERNS) >= 40
    assert all(pattern.help for pattern in BOOK.logs)


def test_a_storm_of_any_shipped_pattern_is_searched_in_batches() -> None:
    """Lines of a usual length are not left to RE2 one by one."""
    assert {name: search.longest for name, search in SEARCHES.items() if search.longest < 512} == {}


def _found(file: str, text: str) -> dict[str, dict[str, str | float]]:
    """By pattern, what it takes from the line: found by the scan of a chunk and by the pattern alone."""
    line = f"[2026-11-28 14:00:00,123] {text}".encode()
    scanner = SCANNERS.of(file)
    assert scanner is not None
    hits = [hit for _, hit in scanner.placed(line + b"\n")]
    assert hits == [hit for pattern in scanner.patterns if (hit := _alone(pattern, line)) is not None]
    return {hit.pattern.name: _taken(hit) for hit in hits}


def _alone(pattern: LogPattern, line: bytes) -> Hit | None:
    search = SEARCHES[pattern.name]
    (groups,) = search.groups([line + b"\n"])
    return None if groups is None else Columns(pattern, search.names).hit(groups)


def _taken(hit: Hit) -> dict[str, str | float]:
    taken: dict[str, str | float] = dict(hit.labels)
    if hit.value is not None:
        taken[hit.pattern.counts or hit.pattern.sets] = hit.value
    return taken
