"""Log patterns, compiled: the lines of a chunk that they find, and what is added to which series for them."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatch
from operator import itemgetter
from pathlib import Path

from agent.model import LogPattern, Sample
from agent.sources import MetricInfo
from agent.sources.log_counters import Counters, Hit, hit_of
from agent.sources.log_evidence import Evidence
from agent.sources.log_finders import Finder, finders
from agent.sources.log_groups import Groups, LineSearch
from agent.sources.log_scan_copy import TooMany

_log = logging.getLogger(__name__)

METRICS = (
    MetricInfo("ottla_log_patterns", "gauge", "", "Patterns in use, by the engine that searches for them"),
)

_SHOWN = 8  # lines that a pattern finds in a chunk are all kept as evidence
_OF_MANY = 2  # of more, as to keep one costs as much as to count ten

Span = tuple[int, int]  # a line's first byte, and behind its last one


class Scanner:
    """Finds the lines that patterns match. One pass over the chunk finds those worth looking at, then each
    pattern looks at its own: what it finds there is exactly what RE2 finds in the line."""

    def __init__(self, patterns: Sequence[LogPattern]) -> None:
        self.patterns = tuple(patterns)
        self.finders: tuple[Finder, ...] = finders([p.regex for p in patterns])
        self._searches = tuple(LineSearch(p.regex) for p in patterns)

    def count(
        self, chunk: bytes, counters: Counters, evidence: Evidence | None = None, path: str = ""
    ) -> None:
        """Add all lines of `chunk`, the last of which may lack its end; `path` is the file's."""
        chunk = _ended(chunk)
        if evidence is not None:
            evidence.go_on(chunk, path)
        for _, piece, number, spans, found in self._found(chunk):
            pattern, names = self.patterns[number], self._searches[number].names
            counters.add_lines(pattern, names, found)
            if evidence is not None:
                for span, groups in _shown(spans, found):
                    evidence.keep(hit_of(pattern, names, groups), piece, span, path)

    def placed(self, chunk: bytes) -> Iterator[tuple[int, Hit]]:
        """Each line that a pattern finds, with where it begins, in the order of the lines."""
        hits = [
            (at + start, number, hit_of(self.patterns[number], self._searches[number].names, groups))
            for at, _, number, spans, found in self._found(_ended(chunk))
            for (start, _), groups in zip(spans, found, strict=True)
            if groups is not None
        ]
        yield from ((start, hit) for start, _, hit in sorted(hits, key=lambda hit: hit[:2]))

    def _found(self, chunk: bytes) -> Iterator[tuple[int, bytes, int, list[Span], list[Groups | None]]]:
        """Where a piece of the chunk begins, and the piece; of a pattern, the lines in it that may be its,
        and what it finds in them."""
        for finder in self.finders:
            for at, piece, found in _pieces(finder, chunk):
                for number, places in found.items():
                    spans = _lines(piece, sorted(places))
                    yield (
                        at,
                        piece,
                        number,
                        spans,
                        self._searches[number].groups([piece[s:e] for s, e in spans]),
                    )


class Scanners:
    """The scanner for each file, made when it is first needed, in the thread that reads the files."""

    def __init__(self, patterns: Iterable[LogPattern]) -> None:
        self._patterns = tuple(patterns)
        self._made: dict[tuple[LogPattern, ...], Scanner] = {}
        self._by_path: dict[str, Scanner | None] = {}

    def of(self, path: str) -> Scanner | None:
        """None where no pattern is for this file."""
        if path not in self._by_path:
            wanted = tuple(p for p in self._patterns if fnmatch(Path(path).name, p.file))
            if wanted and wanted not in self._made:
                scanner = self._made[wanted] = Scanner(wanted)
                ways = ", ".join(f"{len(finder.numbers)} by {finder.name}" for finder in scanner.finders)
                _log.info("patterns that %s is searched for: %s", path, ways)
            self._by_path[path] = self._made.get(wanted)
        return self._by_path[path]

    def samples(self, now: int) -> Iterator[Sample]:
        """How many patterns are searched in which way, of the files read so far."""
        ways = {
            (finder.name, scanner.patterns[number].name)
            for scanner in self._made.values()
            for finder in scanner.finders
            for number in finder.numbers
        }
        for name, count in Counter(name for name, _ in sorted(ways)).items():
            yield Sample(METRICS[0].name, (("engine", name),), now, float(count))


def _ended(chunk: bytes) -> bytes:
    return chunk if chunk.endswith(b"\n") or not chunk else chunk + b"\n"


def _pieces(finder: Finder, chunk: bytes) -> Iterator[tuple[int, bytes, Mapping[int, Sequence[int]]]]:
    """The chunk and what is found in it; in halves where it is too much at once, each with its place."""
    try:
        yield 0, chunk, finder.find(chunk)
    except TooMany:
        middle = chunk.rfind(b"\n", 0, len(chunk) // 2) + 1 or chunk.find(b"\n") + 1
        yield from _pieces(finder, chunk[:middle])
        for at, piece, found in _pieces(finder, chunk[middle:]):
            yield middle + at, piece, found


def _lines(chunk: bytes, places: Sequence[int]) -> list[Span]:
    """The lines that these places, which ascend, are in, each once; behind the last end is none."""
    spans = []
    last, size = -1, len(chunk)
    for at in places:
        if last < at < size:
            start = chunk.rfind(b"\n", 0, at) + 1
            last = chunk.find(b"\n", at)
            spans.append((start, last))
    return spans


def _shown(spans: Sequence[Span], found: Sequence[Groups | None]) -> Iterator[tuple[Span, Groups]]:
    """The lines to keep as evidence: all where they are few, else the last ones with different groups."""
    pairs = list(zip(spans, found, strict=True))
    if len(spans) > _SHOWN:
        different = dict(zip(found, spans, strict=True))
        pairs = sorted(((span, groups) for groups, span in different.items()), key=itemgetter(0))[-_OF_MANY:]
    for span, groups in pairs:
        if groups is not None:
            yield span, groups
