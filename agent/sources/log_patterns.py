"""Log patterns, compiled: the lines of a chunk that they find, and what is added to which series for them."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatch
from pathlib import Path

from agent.model import LogPattern, Sample
from agent.sources import MetricInfo
from agent.sources.log_counters import Counters
from agent.sources.log_evidence import Evidence
from agent.sources.log_finders import Finder, finders
from agent.sources.log_fragments import Lore, fragments_of
from agent.sources.log_groups import LineSearch
from agent.sources.log_hits import Columns, Groups, Hit
from agent.sources.log_lines import Span, lines_to
from agent.sources.log_scan_copy import TooMany, copy_of

_log = logging.getLogger(__name__)

METRICS = (
    MetricInfo("ottla_log_patterns", "gauge", "", "Patterns in use, by the engine that searches for them"),
)

_SHOWN = 8  # lines that a pattern finds in a chunk are all kept as evidence
_OF_MANY = 16  # of more, as to keep one costs as much as to count ten
_JUDGED = 1 << 16  # bytes of a log that tell what is common in it
_VAIN = 1 << 12  # bytes in which it is worth it to meet a fragment once for nothing: there may be a rarer one
_LOST = 1 << 9  # bytes in which it is worth it to look once for a pattern in vain: RE2 needs as long for them
_FORGET = 1 << 26  # bytes after which what was common in the log is tried again

Ways = Callable[[Sequence[str], Lore], tuple[Finder, ...]]


class Scanner:
    """Finds the lines that patterns match. One pass over the chunk finds those worth looking at, then each
    pattern looks at its own: what it finds there is exactly what RE2 finds in the line."""

    def __init__(self, patterns: Sequence[LogPattern], ways: Ways = finders) -> None:
        self.patterns = tuple(patterns)
        self._runs = {number: copy_of(pattern.regex).runs for number, pattern in enumerate(patterns)}
        self._ways = ways
        self._lore = Lore(self._runs)
        self._vain = Counter[bytes]()  # how often each fragment was met for nothing
        self._lost = Counter[int]()  # how often a pattern was not found in a line that it might have been in
        self._searched = 0  # in so many bytes
        self._common_for = 0  # bytes since a fragment became common last
        self.finders: tuple[Finder, ...] = ()
        self._choose()
        self._searches = tuple(LineSearch(p.regex) for p in patterns)
        self._columns = tuple(Columns(p, s.names) for p, s in zip(patterns, self._searches, strict=True))

    def count(
        self, chunk: bytes, counters: Counters, evidence: Evidence | None = None, path: str = ""
    ) -> None:
        """Add all lines of `chunk`, the last of which may lack its end; `path` is the file's."""
        chunk = _ended(chunk)
        if evidence is not None:
            evidence.go_on(chunk, path)
        for number, spans, found in self._found(chunk):
            columns = self._columns[number]
            counters.add_lines(columns, found)
            if evidence is not None:
                evidence.keep(columns, _shown(spans, found), chunk, path)

    def placed(self, chunk: bytes) -> Iterator[tuple[int, Hit]]:
        """Each line that a pattern finds, with where it begins, in the order of the lines."""
        hits = [
            (start, number, self._columns[number].hit(groups))
            for number, spans, found in self._found(_ended(chunk))
            for (start, _), groups in zip(spans, found, strict=True)
            if groups is not None
        ]
        yield from ((start, hit) for start, _, hit in sorted(hits, key=lambda hit: hit[:2]))

    def _found(self, chunk: bytes) -> Iterator[tuple[int, Sequence[Span], list[Groups | None]]]:
        """Of a pattern, lines of the chunk that may be the pattern's, and what it finds in them."""
        if self._lore.tells_more(chunk):
            self._learn(chunk)
        for finder in self.finders:
            for at, ends in _pieces(finder, chunk):
                self._vain.update(finder.vain)
                for number, its in ends.items():
                    spans, lines = lines_to(chunk, its if not at else [at + end for end in its])
                    groups = self._searches[number].groups(lines)
                    self._lost[number] += groups.count(None)
                    yield number, spans, groups
        self._searched += len(chunk)
        if self._searched >= _JUDGED:
            self._judge(chunk)

    def _judge(self, chunk: bytes) -> None:
        """Which fragments were met for nothing too often; the log has such lines, too. That was so once: it
        is tried again some time."""
        size = self._searched
        common = {each for each, times in self._vain.items() if times > size // _VAIN}.union(
            *(fragments_of(self._runs[number]) for number, n in self._lost.items() if n > size // _LOST)
        )
        self._vain, self._lost, self._searched = Counter(), Counter(), 0
        self._common_for += size
        if not common <= self._lore.common:
            self._common_for = 0
            self._lore.common |= common
            self._learn(chunk)
        elif self._lore.common and self._common_for > _FORGET:
            self._lore = Lore(self._runs)
            self._learn(chunk)

    def _learn(self, chunk: bytes) -> None:
        self._lore.learn(chunk)
        self._choose()

    def _choose(self) -> None:
        self.finders = self._ways([pattern.regex for pattern in self.patterns], self._lore)


class Scanners:
    """The scanner for each file, made when it is first asked for, in the thread that counts."""

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

    def knows(self, path: str) -> bool:
        """Whether it was asked for."""
        return path in self._by_path

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


def _pieces(finder: Finder, chunk: bytes) -> Iterator[tuple[int, Mapping[int, Sequence[int]]]]:
    """What is found in pieces of the chunk, each with its place: as large as the finder takes them, and in
    halves where that is too much at once."""
    begin = 0
    while len(chunk) - begin > finder.at_once:
        end = chunk.rfind(b"\n", begin, begin + finder.at_once) + 1 or chunk.find(b"\n", begin) + 1
        for at, found in _halves(finder, chunk[begin:end]):
            yield begin + at, found
        begin = end
    for at, found in _halves(finder, chunk[begin:] if begin else chunk):
        yield begin + at, found


def _halves(finder: Finder, chunk: bytes) -> Iterator[tuple[int, Mapping[int, Sequence[int]]]]:
    try:
        yield 0, finder.find(chunk)
    except TooMany:
        middle = chunk.rfind(b"\n", 0, len(chunk) // 2) + 1 or chunk.find(b"\n") + 1
        yield from _halves(finder, chunk[:middle])
        for at, found in _halves(finder, chunk[middle:]):
            yield middle + at, found


def _shown(spans: Sequence[Span], found: Sequence[Groups | None]) -> list[tuple[Groups, Span]]:
    """The lines to keep as evidence: all where they are few, else the last ones, and the last one of each of
    the last that differ."""
    hits = [(groups, span) for groups, span in zip(found, spans, strict=True) if groups is not None]
    if len(hits) <= _SHOWN:
        return hits
    last = {span: groups for groups, span in [*dict(hits).items(), *hits[-_SHOWN:]]}
    return [(last[span], span) for span in sorted(last)[-_OF_MANY:]]
