"""Reads OpenMetrics files with timestamps, plain or gzip, as promtool or `ottla record` wrote them."""

from __future__ import annotations

import gzip
import zlib
from array import array
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, cast

import numpy as np

from agent.model import Labels
from agent.promql.vectors import Times
from agent.recording.limits import Allowance, BadHistory, Tell, silent
from agent.recording.openmetrics import END_OF_FILE, SERIES_END
from agent.recording.recorded import Recorded, track
from agent.sources.series_text import parse_series

Keep = Callable[[str, Labels], bool]
_PIECE = 4 << 20
_GZIP = b"\x1f\x8b"
_LATEST = 253_402_300_800.0  # the year 10000: what is later is milliseconds, or nonsense
_Column = tuple["array[float]", "array[float]"]  # times (s), values


def everything(_name: str, _labels: Labels) -> bool:
    """Keeps every series."""
    return True


class Dump:
    """One file's way into memory. `keep` says which series are wanted; the others cost only their reading."""

    def __init__(
        self, path: Path, keep: Keep = everything, allowance: Allowance | None = None, tell: Tell = silent
    ) -> None:
        self._path = path
        self._keep = keep
        self._allowance = allowance or Allowance()
        self._tell = tell
        self._columns: dict[bytes, _Column | None] = {}  # by the line's beginning; None: not wanted
        self._number = 0
        self._counted = 0

    def read(self) -> Recorded:
        """All of it. Raises BadHistory with the line of what is wrong."""
        ended = False
        for lines in pieces(self._path, self._where):
            if ended:
                raise self._bad("there is more after # EOF")
            ended = self._take(lines)
            self._tell(f"reading {self._path}: {self._number:,} lines")
        if not ended:
            raise BadHistory(
                f"{self._path}:{self._number}: the file ends without # EOF: it was cut off (a recording that"
                " was killed is completed by ottla record --append --for 0s)"
            )
        return self._recorded()

    def _take(self, lines: list[bytes]) -> bool:
        """The samples of whole lines; whether the file's end was among them."""
        self._allow(size=sum(map(len, lines)))
        columns, before = self._columns, self._number
        number = before
        for number, line in enumerate(lines, before + 1):
            parts = line.rsplit(b" ", 2)
            column = columns.get(parts[0])
            try:
                if column is not None:
                    column[0].append(float(parts[2]))
                    column[1].append(float(parts[1]))
                elif line == END_OF_FILE:
                    self._number = number
                    if any(each.strip() for each in lines[number - before :]):
                        raise self._bad("there is more after # EOF")
                    return True
                elif parts[0] not in columns:
                    self._slow(line)
            except (ValueError, IndexError) as error:
                self._number = number
                raise self._bad(_explained(line, error)) from None
        self._number = number
        return False

    def _allow(self, size: int = 0) -> None:
        """Count what came in since the last time."""
        samples = sum(len(column[0]) for column in self._columns.values() if column is not None)
        self._allowance.take(str(self._path), samples=samples - self._counted, size=size)
        self._counted = samples

    def _slow(self, line: bytes) -> None:
        """A line whose series was not seen yet, with an exemplar, or no sample at all."""
        if not line.strip() or line.startswith(b"#"):
            return
        text = line.decode()
        if " # " in text:
            text = text[: text.rindex(" # ")]
        series, value, at = text.rsplit(" ", 2)
        key = series.encode()
        if key not in self._columns:
            name, labels = parse_series(series)
            wanted = name == SERIES_END or self._keep(name, labels)
            self._allowance.take(str(self._path), series=wanted)
            self._columns[key] = (array("d"), array("d")) if wanted else None
        column = self._columns[key]
        if column is not None:
            column[0].append(float(at))
            column[1].append(float(value))

    def _recorded(self) -> Recorded:
        self._allow()
        found: dict[tuple[str, Labels], _Column] = {}
        ends: dict[tuple[str, Labels], Times] = {}
        for key, column in self._columns.items():
            if column is None:
                continue
            name, labels = parse_series(key.decode())
            if name == SERIES_END:
                ends[parse_series(dict(labels).get("series", ""))] = self._times(column)
            elif (name, labels) in found:  # the same in another order of labels
                found[name, labels][0].extend(column[0])
                found[name, labels][1].extend(column[1])
            else:
                found[name, labels] = column
        recorded = Recorded()
        for (name, labels), column in found.items():
            values = np.array(column[1], np.float64)
            recorded.put(name, labels, track(self._times(column), values, ends.get((name, labels))))
        return recorded

    def _times(self, column: _Column) -> Times:
        seconds = np.array(column[0], np.float64)
        if len(seconds) and not (np.abs(seconds) < _LATEST).all():
            wrong = float(seconds[~(np.abs(seconds) < _LATEST)][0])
            raise BadHistory(
                f"{self._path}: {wrong:.0f} is no time in seconds: this must be OpenMetrics, and the older"
                " text format of Prometheus has milliseconds"
            )
        times: Times = np.rint(seconds * 1000).astype(np.int64)
        return times

    def _where(self) -> str:
        return f"{self._path}:{self._number + 1}"

    def _bad(self, why: str) -> BadHistory:
        return BadHistory(f"{self._path}:{self._number}: {why}")


def pieces(path: Path, where: Callable[[], str], *, cut: bool = False) -> Iterator[list[bytes]]:
    """The whole lines of a file, some megabytes at once. `cut`: it may end anywhere; the rest is left out.

    Raises BadHistory.
    """
    try:
        with _opened(path) as file:
            rest = b""
            while True:
                data = _some(file, where, cut=cut)
                if not data:
                    break
                lines = (rest + data).split(b"\n")
                rest = lines.pop()
                yield lines
            if rest and not cut:
                yield [rest]
    except OSError as error:
        raise BadHistory(f"{path} cannot be read: {error.strerror or error}") from error


def _opened(path: Path) -> IO[bytes]:
    with path.open("rb") as file:
        packed = file.read(2) == _GZIP
    return cast(IO[bytes], gzip.open(path, "rb")) if packed else path.open("rb")


def _some(file: IO[bytes], where: Callable[[], str], *, cut: bool) -> bytes:
    """The next bytes; of a packed file that was cut off, what can still be had."""
    try:
        # read() would lose what came before the cut, read1() gives it in small pieces.
        return file.read1(_PIECE) if cut and isinstance(file, gzip.GzipFile) else file.read(_PIECE)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        if cut:
            return b""
        raise BadHistory(f"{where()}: the packed data end or break here: {error}") from None


def _explained(line: bytes, error: Exception) -> str:
    shown = line[:80].decode(errors="replace")
    parts = line.split(b" # ")[0].rsplit(b"}", 1)[-1].split()
    if len(parts) < (2 if b"}" in line else 3):
        return f"no time after the value: a dump without times is no history: {shown!r}"
    return f"{error}: {shown!r}"
