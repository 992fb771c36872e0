"""Keeps the samples of the last while: which series, how many, how long."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from itertools import islice

from agent.model import Labels, Sample
from agent.promql.nodes import LOOKBACK_MS
from agent.promql.vectors import NEVER, NEVER_BEFORE, Samples
from agent.series.block import Block
from agent.series.cover import Cover, Held
from agent.series.reading import Readable
from agent.series.room import gives_way
from agent.series.touched import Touched

_SWEEP_MS = 60_000  # between two looks for series that have ended
LONGEST = 10_240  # samples of a series, 160 KiB: of a full row three quarters are within its window
SET_BACK_MS = 5_000  # a clock that goes back by less was slewed, or stepped a little: samples wait for it
SET_FORWARD_MS = SET_BACK_MS  # by less no window lacks more than a reading


class Series(Readable):
    """Samples of the metrics in `wanted`, each kept for as long (ms) as that says, for `window_ms` at most
    (None: all metrics, for that long), of at most `limit` series with `longest` samples each.

    It has no clock: age is counted from the newest sample, or from what it was last told to be now (`see`)
    where that sample is ahead. What is not kept is counted: `dropped`, by name, samples of series for which
    there is no room, `refused` ones that are not newer than the series' last, `old` ones from before the time
    for which their metric is kept, and `shortened` ones that went before their time because a series had too
    many.

    At the limit the newest name (that which began last) of those with more than their share gives way to a
    new series, its newest series first; where that is the new series' own name, the new series is dropped. A
    name's share is the limit divided by the number of names: one with no more than that loses nothing.

    Queries may read it from other threads while samples are added; neither waits long for the other.
    """

    def __init__(
        self,
        window_ms: int,
        wanted: Mapping[str, int] | None = None,
        limit: int = 20_000,
        longest: int = LONGEST,
    ) -> None:
        super().__init__()
        self.window_ms = window_ms
        self.limit = limit
        self.dropped: Counter[str] = Counter()
        self._told_dropped = 0  # how many of these
        self.refused = 0
        self._cut = set[str]()  # metrics
        self.old = 0
        self.set_back = 0  # times that all was forgotten, since the clock was set back
        self.cover = Cover(window_ms, wanted)
        self._longest = longest
        self._count = 0
        self._latest = 0  # of all samples
        self._now = NEVER
        self._ran = math.nan
        self._swept_at = 0
        self._full: set[str] = set()  # metrics for whose new series there is no place as it is now
        self._were_shortened: Mapping[str, int] = {}  # as `shortened_until`, in the store before a restart
        self._changed: set[str] = set()  # in the call of add that is under way

    @property
    def count(self) -> int:
        """How many series are held."""
        return self._count

    @property
    def _newest(self) -> int:
        """From where ages are counted."""
        return min(self._latest, self._now)

    @property
    def _clock(self) -> int:
        """What time it is; where nobody said so (`see`), the newest sample's."""
        return self._latest if self._now == NEVER else self._now

    @property
    def incomplete(self) -> frozenset[str]:
        """The metrics of which series were dropped within the time that they are kept."""
        return self.cover.incomplete(self._newest)

    @property
    def first_at(self) -> int | None:
        """When the first sample came, whatever time it has."""
        return self.cover.first_at

    @property
    def later(self) -> Mapping[str, int]:
        """Metrics that have been kept only since, or only back to then."""
        return self.cover.later

    def add(self, samples: Iterable[Sample]) -> Touched:
        """Keep what is wanted; the metrics that got a new sample, or lost a series to the limit."""
        touched = set()
        with self._lock:
            wanted = self.cover.wanted
            self._changed = changed = set[str]()
            for sample in samples:
                if (wanted is None or sample.name in wanted) and self._append(sample):
                    touched.add(sample.name)
            if self._newest - self._swept_at > min(_SWEEP_MS, self.window_ms // 4):
                self._sweep()
        return Touched(frozenset(touched | changed), frozenset(changed))

    def cut(self) -> frozenset[str]:
        """The metrics of which a sample was taken back since this was last asked: it was from further
        ahead of the clock than the next ones let stand."""
        cut, self._cut = frozenset(self._cut), set[str]()
        return cut

    def newly_dropped(self) -> Sequence[str]:
        """The metrics that lost samples to the limit for the first time since this was last asked."""
        if len(self.dropped) == self._told_dropped:
            return ()
        found = list(islice(self.dropped, self._told_dropped, None))  # in the order of their first loss
        self._told_dropped = len(self.dropped)
        return found

    def see(self, now: int, ran: float = math.nan) -> int:
        """The wall clock says `now`, and a clock that nobody sets `ran`, where that is known: by how many ms
        the wall clock was set since the last time; 0 if by few.

        Below zero it was set back: nobody can say how old any sample is, so that all of them are forgotten.
        Above, nobody saw the time that was left out. Either way what samples cover begins anew.
        """
        before, forward = self._newest, now - self._now - (ran - self._ran)
        self._now, self._ran = now, ran
        if before - now > SET_BACK_MS:
            self.set_back += 1
            self._empty()
            return now - before
        if not forward > SET_FORWARD_MS:  # or not known
            return 0
        if self.first_at is not None:
            self.cover.first_at = now
        return int(forward)

    def want(self, wanted: Mapping[str, int]) -> None:
        """Keep these metrics for so long from now on; what others left behind goes with its age."""
        with self._lock:
            self.cover.want(wanted, self._newest)
            for name, block in self._blocks.items():
                block.window_ms = self.cover.window(name) if name in wanted else block.window_ms

    def held(self) -> Held:
        """What is known of the samples as a whole, for a snapshot."""
        return self.cover.held(self._newest, self.shortened_until)

    def resume(self, held: Held, now: int) -> None:
        """Go on, empty yet, where another store ended: before its samples are put back and others come.

        Where nobody looked for longer than an instant selector looks back, or the clock was set back, the
        samples are of use, but what they cover begins anew with the next.
        """
        self._latest = self._swept_at = now
        if -SET_BACK_MS <= now - held.newest <= LOOKBACK_MS:
            self.cover.resume(held)
            self._were_shortened = held.shortened_until

    def put_back(self, name: str, labels: Sequence[Labels], samples: Samples) -> None:
        """One of the pieces of another store, less what is beyond the window or in the future."""
        with self._lock:
            block = self._blocks.get(name)
            if block is None:
                block = Block(name, self.cover.window(name), self._longest, self._lock)
                block.shortened_until = self._were_shortened.get(name, NEVER_BEFORE)
            room = self.limit - self._count
            if len(labels) > room:
                self._drop(name, int(samples.counts[room:].sum()))
            begun = block.put_back(labels[:room], samples, self._newest - block.window_ms, self._newest)
            if begun:
                self._blocks[name] = block
                self._count += begun

    def leave_out(self, names: Set[str]) -> None:
        """After all pieces were put back: the other store had more of these metrics. They begin anew."""
        with self._lock:
            for name in names & self._blocks.keys():
                self._count -= len(self._blocks.pop(name).rows)
            self.cover.begin_anew(names, self._newest)

    def alike(self) -> Series:
        """Another one, empty, that keeps the same: to be filled beside this one."""
        return Series(self.window_ms, self.cover.wanted, self.limit, self._longest)

    def become(self, other: Series) -> None:
        """Go on, empty yet, as one that was made to be `alike`, which is nobody's any more."""
        self._lock, self._blocks, self._count = other._lock, other._blocks, other._count
        self._latest, self._swept_at = other._latest, other._swept_at
        self.cover, self.dropped = other.cover, other.dropped
        self._were_shortened = other._were_shortened

    def forget(self) -> None:
        """Be empty again."""
        self._empty()
        self.cover.wanted = None

    def _empty(self) -> None:
        self._shortened = self.shortened
        with self._lock:
            self._blocks, self._count, self._latest, self._swept_at, self._full = {}, 0, 0, 0, set()
            self.cover.empty()

    def _append(self, sample: Sample) -> bool:
        block = self._blocks.get(sample.name)
        if sample.at <= self._clock - (block.window_ms if block else self.cover.window(sample.name)):
            self.old += 1
            return False
        row = block.rows.get(sample.labels) if block else None
        if row is None:
            if self._count >= self.limit and (sample.name in self._full or not self._make_place(sample.name)):
                self._full.add(sample.name)
                self._drop(sample.name, 1)
                return False
            if block is None:
                block = Block(sample.name, self.cover.window(sample.name), self._longest, self._lock)
                self._blocks[sample.name] = block
            row = block.begin(sample.labels)
            self._full.clear()
            self._count += 1
        assert block is not None
        new = block.append(row, sample.at, sample.value, self._now)
        if new is None and sample.at <= self._now and block.cut(row, self._now + SET_BACK_MS):
            self._cut.add(sample.name)
            new = block.append(row, sample.at, sample.value, self._now)  # set back since its last
        if new is None:
            self.refused += 1
            return False
        if new:
            self._changed.add(sample.name)
        self._latest = max(self._latest, sample.at)
        if self.cover.first_at is None:
            self.cover.first_at = self._clock
        return True

    def _make_place(self, name: str) -> bool:
        """Let others give way to a series of `name`; whether there is room now."""
        found = gives_way(self._blocks, name, self.limit)
        if found is None:
            return False
        newest, left = found
        block = self._blocks[newest]
        self._blocks[newest] = block.first(left)
        self._count -= len(block.rows) - left
        self._drop(newest, block.samples(since=left))
        return True

    def _drop(self, name: str, samples: int) -> None:
        self.dropped[name] += samples
        self._changed.add(name)
        self.cover.drop(name, self._newest)

    def _sweep(self) -> None:
        """Forget the series without a sample in their window, so that new ones find room."""
        self._swept_at = self._newest
        self._full.clear()
        kept = {name: block.without(self._newest - block.window_ms) for name, block in self._blocks.items()}
        self._shortened += sum(block.shortened for block in kept.values() if not block.rows)
        self._blocks = {name: block for name, block in kept.items() if block.rows}
        self._count = sum(len(block.rows) for block in self._blocks.values())
