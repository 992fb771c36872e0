"""Writes a recording: OpenMetrics with timestamps, plain or gzip, under its name once it is whole."""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Self, cast

from agent.model import Labels
from agent.promql.vectors import is_stale
from agent.recording.dump import pieces
from agent.recording.limits import BadHistory, Tell, silent
from agent.recording.openmetrics import (
    END_OF_FILE,
    SERIES_END,
    end_line,
    sample_line,
)
from agent.recording.recorded import Track
from agent.sources.series_text import parse_series, series_text

_PART = ".part"


class Full(Exception):
    """The recording has reached its size."""


class Tape:
    """One recording being written to `<path>.part`; `finish` gives it its name.

    Of each series only samples newer than its last are written, so pieces may overlap. Counted: `samples`,
    and `ends` of series.
    """

    def __init__(self, path: Path, max_bytes: int) -> None:
        self.samples = self.ends = 0
        self._path = path
        self._part = path.with_name(path.name + _PART)
        self._max_bytes = max_bytes
        self._last: dict[str, int] = {}
        self._texts: dict[tuple[str, Labels], str] = {}
        self._file: IO[bytes] = self._create(self._part)

    @classmethod
    def resume(cls, path: Path, max_bytes: int, tell: Tell = silent) -> Self:
        """Go on with a recording, also with one that was killed in the middle. Raises BadHistory."""
        part = path.with_name(path.name + _PART)
        old = part if part.exists() else path
        if not old.exists():
            return cls(path, max_bytes)
        if old is part:
            old = part.rename(path.with_name(path.name + ".old"))
        tape = cls(path, max_bytes)
        for lines in pieces(old, lambda: str(old), cut=True):
            tape._take_over([line for line in lines if line and line != END_OF_FILE])
            tell(f"taking over {old}: {tape.samples:,} samples")
        tape._flush()
        if old != path:
            old.unlink()
        return tape

    @property
    def series(self) -> int:
        """How many series have a line."""
        return len(self._last)

    def newest(self) -> int | None:
        """The time of the newest sample, ms."""
        return max(self._last.values(), default=None)

    def write(self, found: Iterable[tuple[tuple[str, Labels], Track]]) -> None:
        """What is new of these series, on disk when this returns. Raises Full, OSError."""
        lines = [
            line for key, each in sorted(found, key=lambda pair: pair[0]) for line in self._lines(key, each)
        ]
        if not lines:
            return
        self._file.write("".join(lines).encode())
        self._flush()
        if self._part.stat().st_size > self._max_bytes:
            raise Full(f"{self._path} has reached its size")

    def finish(self) -> None:
        """Write the end, and give it its name: from then on it is whole."""
        self._file.write(END_OF_FILE + b"\n")
        self._flush()
        self._file.close()
        self._part.replace(self._path)

    def close(self) -> None:
        """Leave it unfinished: a .part that `resume` goes on with."""
        self._file.close()

    def discard(self) -> None:
        """Nothing was worth keeping."""
        self._file.close()
        self._part.unlink()

    def _lines(self, key: tuple[str, Labels], each: Track) -> Iterable[str]:
        text = self._texts.get(key)
        if text is None:
            text = self._texts[key] = series_text(*key)
        last = self._last.get(text, -1)
        fresh = each.times > last
        stale = is_stale(each.values)
        for at, value, end in zip(
            each.times[fresh].tolist(), each.values[fresh].tolist(), stale[fresh].tolist(), strict=True
        ):
            self.ends, self.samples = self.ends + end, self.samples + (not end)
            yield end_line(text, at) if end else sample_line(text, at, value)
        if fresh.any():
            self._last[text] = int(each.times[-1])

    def _take_over(self, lines: list[bytes]) -> None:
        for line in lines:
            if line.startswith(b"#"):
                continue
            try:
                series, _, seconds = line.decode().rsplit(" ", 2)
                ended = series.startswith(SERIES_END)
                series = dict(parse_series(series)[1])["series"] if ended else series
                at = round(float(seconds) * 1000)
            except (ValueError, KeyError) as error:
                raise BadHistory(f"{self._path} is no recording: {line[:80]!r}: {error}") from None
            self._last[series] = max(self._last.get(series, -1), at)
            self.ends, self.samples = self.ends + ended, self.samples + (not ended)
        self._file.write(b"".join(line + b"\n" for line in lines))

    def _create(self, path: Path) -> IO[bytes]:
        try:
            if self._path.suffix == ".gz":
                return cast(IO[bytes], gzip.open(path, "xb", compresslevel=5))
            return path.open("xb")
        except FileExistsError:
            why = "a recording that was killed, or one that runs (--append goes on with it)"
            raise BadHistory(f"{path} is there: {why}") from None
        except OSError as error:
            raise BadHistory(f"{path} cannot be written: {error.strerror}") from error

    def _flush(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())
