"""Prometheus's text format 0.0.4 and OpenMetrics 1.0, read in pieces; only what is wanted becomes numbers.

https://prometheus.io/docs/instrumenting/exposition_formats/ and
https://prometheus.io/docs/specs/om/open_metrics_spec/. Both put all samples of a family below its line
`# TYPE`. So what nobody wants is passed over from one such line to the next, without a look at its lines;
`whole` looks at every line, and says whether the exporter keeps to that.
"""

from __future__ import annotations

import re
from array import array

import numpy as np

from agent.sources.exposition_body import Body, Malformed, TooMany, Wanted, body_of
from agent.sources.exposition_choice import Choice
from agent.sources.exposition_cuts import halves, next_type
from agent.sources.exposition_line import name_of, no_number, numbers, shown, split
from agent.sources.exposition_series import Known
from agent.sources.series_text import parse_series

MAX_LINE = 1 << 20
_END = b"# EOF"
_END_LINE = _END + b"\n"
_OTHER_TYPE = re.compile(rb"#[ \t]*TYPE[ \t]")  # as nobody writes it, and Prometheus reads it


class Reader:
    """Reads one body: `feed` its pieces, then `end`. `known` are the target's series, and learns new ones.

    Raises Malformed where the first wrong line is met, as Prometheus refuses all of a body for one such line;
    what was passed over is not judged. Raises TooMany beyond `most` wanted samples.
    """

    def __init__(
        self,
        known: Known,
        wanted: Wanted,
        *,
        openmetrics: bool = False,
        whole: bool = False,
        most: int = 1 << 30,
    ) -> None:
        known.rewind()
        self._known = known
        self._choice = Choice(wanted, openmetrics=openmetrics, whole=whole)
        self._openmetrics = openmetrics
        self._most = most
        self._rest = b""
        self._lines = 0  # read so far: of all, or of this family where not all are read
        self._ended = False
        self._rows: list[int] = []
        self._values = array("d")
        self._stamps: dict[int, int] = {}  # by place in the body, ms since the epoch

    def feed(self, piece: bytes) -> None:
        """The next piece. 64 KiB take a ms where most series are known, ten times as long where none is."""
        start = 0
        if self._rest:
            start = piece.find(b"\n") + 1
            line, self._rest = self._rest + (piece[:start] if start else piece), b""
            if not start:
                self._keep(line)
                return
            self._read(line, 0, len(line))
        end = piece.rfind(b"\n") + 1
        if start < end:
            self._read(piece, start, end)
        self._keep(piece[max(start, end) :])

    def _keep(self, rest: bytes) -> None:
        if len(rest) > MAX_LINE:
            raise Malformed(f"{self._place(1)}: longer than {MAX_LINE} bytes")
        self._rest = rest

    def end(self) -> Body:
        """What all of it held."""
        if self._openmetrics and self._rest == _END:
            self._ended, self._rest = True, b""
        if self._rest:  # the last line may lack its end, as in Prometheus; what was cut off HTTP tells
            self._read(self._rest + b"\n", 0, len(self._rest) + 1)
        if self._openmetrics and not self._ended:
            raise Malformed("no # EOF at the end: the body was cut off")
        rows, values = np.array(self._rows, np.int64), np.array(self._values)
        choice = self._choice
        return body_of(rows, values, self._stamps, grouped=choice.grouped, beyond=choice.beyond)

    def _read(self, data: bytes, at: int, end: int) -> None:
        """Whole lines, the family's of before first."""
        while at < end:
            typed = next_type(data, at, end)
            stop = end if typed is None else typed
            if at < stop and self._choice.reads:
                self._read_lines(data[at : stop - 1])
            if typed is None:
                break
            at = data.index(b"\n", typed) + 1
            self._begin_family(data[typed : at - 1])
        if self._openmetrics:
            self._ended = data.endswith(b"\n" + _END_LINE, 0, end) or data == _END_LINE

    def _begin_family(self, line: bytes) -> None:
        self._lines = self._lines + 1 if self._choice.whole else 0
        words = line.split()
        if len(words) != 4:
            raise self._wrong(line, "a TYPE line is `# TYPE name type`")
        self._choice.begin(words[2].strip(b'"'), words[3])

    def _read_lines(self, block: bytes) -> None:
        """Lines of one family, without the last's end."""
        last = block.rfind(b"\n")
        if block.startswith(b"# HELP ", last + 1):  # of the next family: nearly every block ends with it
            block = block[: max(0, last)]
            self._lines += 1
        if not block:
            return
        if unwanted := self._choice.unwanted(block):
            self._lines += unwanted
            return
        rows, values = self._known_lines(block) or self._learn(block.split(b"\n"))
        self._rows += rows
        self._values.extend(values)
        if len(self._rows) > self._most:
            raise TooMany(f"more than {self._most} samples")

    def _known_lines(self, block: bytes) -> tuple[list[int], list[float]] | None:
        """Rows and values where each line is a known series with labels, a blank, and a number.

        Seven times as fast as line by line.
        """
        parts = halves(block)
        if parts is None:
            return None
        rows = self._known.find(parts[::2])
        if rows is None:
            return None
        try:
            values = numbers(parts[1::2])
        except ValueError:
            return None  # a time behind the value, or wrong
        self._lines += len(rows)
        return rows, values

    def _learn(self, lines: list[bytes]) -> tuple[list[int], list[float]]:
        """Rows and values of any lines: known series, new ones, others', comments."""
        get, passed, before = self._known.rows.get, self._choice.passed, self._lines
        rows: list[int] = []
        texts: list[bytes] = []
        for line in lines:
            self._lines += 1
            beginning, _, text = line.rpartition(b" ")
            row = get(beginning)
            if row is None:
                if line.partition(b"{")[0].partition(b" ")[0] in passed:
                    continue
                found = self._other(line.strip(b" \t"))
                if found is None:
                    continue
                row, text, at = found
                if at is not None:
                    self._stamps[len(self._rows) + len(rows)] = at
            rows.append(row)
            texts.append(text)
        try:
            return rows, numbers(texts)
        except ValueError:
            self._lines = before
            raise self._no_number(lines) from None

    def _other(self, line: bytes) -> tuple[int, bytes, int | None] | None:
        """A line whose beginning is not known: a new series, one with a time, a comment, or wrong."""
        if line[:1] in b"#":
            if _OTHER_TYPE.match(line):
                self._choice.grouped = False  # a family begins that would not be found when it is looked for
            return None
        name = name_of(line)
        if name is not None and not self._choice.wants(name):
            self._choice.passed.add(name)
            return None
        try:
            return self._new(line) or self._timed(line)
        except ValueError as error:
            raise self._wrong(line, str(error)) from None

    def _new(self, line: bytes) -> tuple[int, bytes, None] | None:
        """The commonest: a series that is not known yet, a blank, a value. None where it is not that."""
        beginning, _, text = line.rpartition(b" ")
        try:
            return self._known.begin(beginning, *parse_series(beginning.decode())), text, None
        except ValueError:
            return None

    def _timed(self, line: bytes) -> tuple[int, bytes, int | None]:
        beginning, text, at = split(line, openmetrics=self._openmetrics)
        row = self._known.rows.get(beginning)
        if row is None:
            row = self._known.begin(beginning, *parse_series(beginning.decode()))
        return row, text, at

    def _no_number(self, lines: list[bytes]) -> Malformed:
        """Which value of these lines it was."""
        for line in lines:
            self._lines += 1
            text = no_number(line.strip(b" \t"))
            if text is not None:
                return self._wrong(line, f"{text} is no number")
        return self._wrong(lines[-1], "no number")

    def _wrong(self, line: bytes, why: str) -> Malformed:
        return Malformed(f"{self._place()}: {why}: {shown(line)}")

    def _place(self, more: int = 0) -> str:
        """Which line: below its TYPE where others were passed over without a count."""
        family = self._choice.family
        if self._choice.whole or not family:
            return f"line {self._lines + more}"
        return f"line {self._lines + more} below `# TYPE {family.decode(errors='replace')}`"
