"""The inputs of log lines in lanes, each read in a thread of its own: what hangs in one holds up no other."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import astuple, dataclass, replace

from agent.lone_thread import LoneThread
from agent.sources.log_feed import Feed
from agent.sources.log_inputs import Inputs, Places
from agent.sources.log_marks import Tally

_log = logging.getLogger(__name__)

DEADLINE = 5.0  # seconds for one piece of work, some MiB of each file: beyond it a disk hangs
_AT_ONCE = 8 << 20  # bytes that are held until they are counted
_ROUNDS = 4  # in which as much is taken of a single file

Piece = tuple[str, bytes]  # an input's name, and whole lines of it, perhaps none


@dataclass(slots=True)
class Taken:
    """Lines, where all is read with them, and whether there is more."""

    pieces: deque[Piece]
    more: bool
    read: tuple[Places, Tally] | None  # None: no lines, so that it is as good as it was before


class Lane:
    """Takes lines from `inputs`, which count what they see in `tally`.

    What a call that hung takes in the end is handed on like any other. `places` and `counted` are of what was
    counted, so that they may be saved with the counters also while the thread hangs.
    """

    def __init__(self, name: str, inputs: Inputs, tally: Tally) -> None:
        self.inputs = inputs
        self.hung = ""  # why the last call gave nothing
        self.more = False  # there is more to take at once
        self.places, self.counted = Places(), Tally()
        self.gauges = (0, 0, 0, 0, 0)  # bytes behind; how many there are, failed, are polled, are left out
        self.taken: Taken | None = None  # and not counted yet
        self._tally = tally
        self._thread = LoneThread(name)
        self._round: Iterator[Piece] = inputs.take()
        self._cut = False  # the round was left, as enough was taken

    def go_on(self, places: Places) -> None:
        """From there."""
        self.places = self.inputs.go_on(places)

    async def take(self, begin: Callable[[Inputs], None] | None = None) -> None:
        """Take some lines, after `begin`."""
        await self._run(lambda: self._take(begin))

    async def measure(self) -> None:
        """Bring `gauges` and `places` up to date, when all that was taken is counted."""
        await self._run(self._measure)

    def settle(self) -> None:
        """What was taken is counted."""
        if self.taken is not None:
            self.more, read = self.taken.more, self.taken.read
            self.places, self.counted = read or (self.places, self.counted)
            self.taken = None

    def close(self) -> None:
        """Close the inputs; those of a thread that hangs stay with it."""
        if not self._thread.busy:
            self.inputs.close()

    async def _run(self, work: Callable[[], None]) -> None:
        try:
            await self._thread.run(work, DEADLINE)
        except OSError as error:  # TimeoutError is one
            if not self.hung:
                self.hung = f"{error}, at {self.inputs.at}"
                _log.warning("%s", self.hung)
            self.more = False
        else:
            self.hung = ""

    def _take(self, begin: Callable[[Inputs], None] | None) -> None:
        if self.taken is not None:
            return  # it came late, and is to be counted first
        if begin is not None:
            begin(self.inputs)
        pieces, more = deque[Piece](), True
        for _ in range(_ROUNDS):
            more = self._pass_round(pieces)
            if not more or self._cut:  # most often all is read by the second round
                break
        self.taken = Taken(pieces, more, self._read() if pieces else None)

    def _pass_round(self, pieces: deque[Piece]) -> bool:
        """A piece of each input; whether there may be more."""
        before, held = len(pieces), sum(len(lines) for _, lines in pieces)
        for piece in self._round:
            pieces.append(piece)
            held += len(piece[1])
            if held >= _AT_ONCE:
                self._cut = True
                return True
        self._round = self.inputs.take()
        more, self._cut = len(pieces) > before or self._cut, False
        return more

    def _read(self) -> tuple[Places, Tally]:
        return self.inputs.places(), replace(self._tally)

    def _measure(self) -> None:
        inputs = self.inputs
        if self.taken is None:  # else something came late
            self.places, self.counted = self._read()
        self.gauges = (inputs.behind(), inputs.count, len(inputs.failed), inputs.polled, inputs.left_out)


class Lanes:
    """All of them: files apart from feeds, since where a disk hangs it is the kernel that says why."""

    def __init__(
        self, files: Sequence[str], feeds: Callable[[Tally], Sequence[Feed]], window_ms: int | None
    ) -> None:
        self._former = Tally()  # what was counted in former lives
        self._all: list[Lane] = []
        of_files, of_feeds = Tally(), Tally()
        if files:
            lane = Lane("reading of log files", Inputs(files, (), of_files, window_ms), of_files)
            self._all.append(lane)
        if made := feeds(of_feeds):
            inputs = Inputs((), made, of_feeds, window_ms)
            self._all.append(Lane("reading of the journal and the kernel's log", inputs, of_feeds))

    def go_on(self, places: Places, tally: Tally) -> None:
        """From there."""
        self._former = tally
        for lane in self._all:
            lane.go_on(places)

    async def take(self, begin: Callable[[Inputs], None]) -> None:
        """Take some lines of each, after `begin`."""
        await _together([lane.take(begin) for lane in self._all])

    async def take_more(self) -> None:
        """Take of those that have more."""
        await _together([lane.take() for lane in self._all if lane.more])

    async def measure(self) -> None:
        """Bring `gauges`, `places` and `tally` up to date; TimeoutError where every lane hangs."""
        await _together([lane.measure() for lane in self._all])
        if self._all and not self.answering:
            raise TimeoutError(self._all[0].hung)

    def taken(self) -> list[Lane]:
        """Those that took what is not counted yet."""
        return [lane for lane in self._all if lane.taken is not None]

    @property
    def more(self) -> bool:
        """There is more to take at once."""
        return any(lane.more for lane in self._all)

    @property
    def answering(self) -> tuple[Inputs, ...]:
        """The inputs that do not hang."""
        return tuple(lane.inputs for lane in self._all if not lane.hung)

    @property
    def failed(self) -> dict[str, str]:
        """Path or feed → why it could not be read last time."""
        hung = {lane.inputs.at: lane.hung for lane in self._all if lane.hung}
        return {path: why for lane in self._all for path, why in dict(lane.inputs.failed).items()} | hung

    @property
    def places(self) -> Places:
        """Up to where all was counted."""
        every = [lane.places for lane in self._all]
        marks = {path: marks for each in every for path, marks in each.marks.items()}
        feeds = {key: place for each in every for key, place in each.feeds.items()}
        return Places([file for each in every for file in each.watched], marks, feeds)

    @property
    def tally(self) -> Tally:
        """What was read up to there."""
        every = [self._former, *(lane.counted for lane in self._all)]
        return Tally(*map(sum, zip(*map(astuple, every), strict=True)))

    @property
    def gauges(self) -> tuple[int, int, int, int, int]:
        """Bytes behind; how many there are, failed, are polled, are left out."""
        every = [lane.gauges for lane in self._all]
        behind, count, failed, polled, left_out = map(sum, zip((0, 0, 0, 0, 0), *every, strict=True))
        return behind, count, failed + sum(bool(lane.hung) for lane in self._all), polled, left_out

    def close(self) -> None:
        """Close them."""
        for lane in self._all:
            lane.close()


async def _together(calls: Sequence[Coroutine[None, None, None]]) -> None:
    """Most often it is one, for which a task would cost as much as the rest."""
    if len(calls) == 1:
        await calls[0]
    else:
        await asyncio.gather(*calls)
