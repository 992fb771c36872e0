"""Keeps the samples of the last while: which series, how many, how long."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from threading import Lock

import numpy as np
from msgspec import Struct

from agent.model import Labels, Sample
from agent.promql.labels import NAME
from agent.promql.nodes import LOOKBACK_MS, Matcher
from agent.promql.vectors import NEVER, NEVER_BEFORE, NO_SAMPLES, NOTHING_NEW, Newest, Rows, Samples
from agent.series.block import Block, Selection

_CELLS = 32_768  # samples in a piece of a snapshot
_SWEEP_MS = 60_000  # between two looks for series that have ended
LONGEST = 10_240  # samples of a series, 160 KiB: of a full row three quarters are within its window
SET_BACK_MS = 5_000  # a clock that goes back by less was slewed, or stepped a little: samples wait for it
SET_FORWARD_MS = SET_BACK_MS  # by less no window lacks more than a reading


class Touched(Struct, frozen=True):
    """Metrics with new samples. Of those not `changed` each sample says what the one before it said."""

    names: frozenset[str] = frozenset()
    changed: frozenset[str] = frozenset()

    def __or__(self, other: Touched) -> Touched:
        return Touched(self.names | other.names, self.changed | other.changed)

    @classmethod
    def by_change(cls, names: frozenset[str]) -> Touched:
        """Of all of them something has changed."""
        return cls(names, names)


class Held(Struct, frozen=True):
    """Of a store: when its newest sample is from, since when they are complete, how long they are kept, and
    of which metric series were dropped, and when, or samples before their time."""

    newest: int
    first_at: int | None
    later: Mapping[str, int]
    wanted: Mapping[str, int] | None  # None: all metrics
    dropped_at: Mapping[str, int] = {}
    shortened_until: Mapping[str, int] = {}


class Series:
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
        self.window_ms = window_ms
        self.limit = limit
        self.dropped: Counter[str] = Counter()
        self.refused = 0
        self._cut = set[str]()  # metrics
        self.old = 0
        self.set_back = 0  # times that all was forgotten, since the clock was set back
        self.first_at: int | None = None  # when the first sample came, whatever time it has
        self.later: Mapping[str, int] = {}  # metrics that have been kept only since, or only back to then
        self._wanted = wanted
        self._longest = longest
        self._blocks: dict[str, Block] = {}  # the oldest name first
        self._count = 0
        self._latest = 0  # of all samples
        self._now = NEVER
        self._ran = math.nan
        self._swept_at = 0
        self._dropped_at: dict[str, int] = {}
        self._were_shortened: Mapping[str, int] = {}  # as `shortened_until`, in the store before a restart
        self._changed: set[str] = set()  # in the call of add that is under way
        self._lock = Lock()

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
    def shortened(self) -> int:
        """Samples that were dropped before their time."""
        return sum(block.shortened for block in self._blocks.values())

    @property
    def incomplete(self) -> frozenset[str]:
        """The metrics of which series were dropped within the time that they are kept."""
        return frozenset(n for n, at in self._dropped_at.items() if self._newest - at <= self._window(n))

    @property
    def shortened_until(self) -> Mapping[str, int]:
        """By metric of which samples were dropped before their time: the time of the newest of them."""
        return {n: b.shortened_until for n, b in self._every() if b.shortened_until != NEVER_BEFORE}

    def sizes(self) -> Mapping[str, tuple[int, int]]:
        """By metric: how many series it has, and the bytes of their samples."""
        return {name: (len(block.rows), block.nbytes) for name, block in self._every()}

    def add(self, samples: Iterable[Sample]) -> Touched:
        """Keep what is wanted; the metrics that got a new sample, or lost a series to the limit."""
        touched = set()
        with self._lock:
            self._changed = changed = set[str]()
            for sample in samples:
                if (self._wanted is None or sample.name in self._wanted) and self._append(sample):
                    touched.add(sample.name)
            if self._newest - self._swept_at > min(_SWEEP_MS, self.window_ms // 4):
                self._sweep()
        return Touched(frozenset(touched | changed), frozenset(changed))

    def cut(self) -> frozenset[str]:
        """The metrics of which a sample was taken back since this was last asked: it was from further
        ahead of the clock than the next ones let stand."""
        cut, self._cut = frozenset(self._cut), set[str]()
        return cut

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
            self.first_at = now
        return int(forward)

    def want(self, wanted: Mapping[str, int]) -> None:
        """Keep these metrics for so long from now on; what others left behind goes with its age.

        What was not kept, or not for so long, is there only from the newest sample on, or from where its
        former window began.
        """
        before, self._wanted = self._wanted, wanted
        with self._lock:
            if self.first_at is not None and before is not None:
                began = {name: self._began(name, before) for name in wanted if not self._covers(name, before)}
                self.later = {n: at for n, at in self.later.items() if n in wanted} | began
            for name, block in self._blocks.items():
                block.window_ms = self._window(name) if name in wanted else block.window_ms

    def held(self) -> Held:
        """What is known of the samples as a whole, for a snapshot."""
        wanted = None if self._wanted is None else {name: self._window(name) for name in self._wanted}
        dropped, shortened = dict(self._dropped_at), self.shortened_until
        return Held(self._newest, self.first_at, dict(self.later), wanted, dropped, shortened)

    @property
    def names(self) -> tuple[str, ...]:
        """The metrics that are held, the oldest first."""
        return tuple(name for name, _ in self._every())

    def pieces(self, name: str) -> Iterator[tuple[Sequence[Labels], Samples]]:
        """All samples of a metric, a bounded number at a time."""
        block = self._blocks.get(name)
        return iter(()) if block is None else block.pieces(_CELLS)

    def resume(self, held: Held, now: int) -> None:
        """Go on, empty yet, where another store ended: before its samples are put back and others come.

        Where nobody looked for longer than an instant selector looks back, or the clock was set back, the
        samples are of use, but what they cover begins anew with the next.
        """
        self._latest = self._swept_at = now
        if -SET_BACK_MS <= now - held.newest <= LOOKBACK_MS:
            self.first_at, self.later = held.first_at, held.later
            self._wanted, self._dropped_at = held.wanted, dict(held.dropped_at)
            self._were_shortened = held.shortened_until

    def put_back(self, name: str, labels: Sequence[Labels], samples: Samples) -> None:
        """One of the pieces of another store, less what is beyond the window or in the future."""
        with self._lock:
            block = self._blocks.get(name)
            if block is None:
                block = Block(name, self._window(name), self._longest, self._lock)
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
            if self.first_at is not None:
                self.later = {**self.later, **dict.fromkeys(names, self._newest)}

    def forget(self) -> None:
        """Be empty again."""
        self._empty()
        self._wanted = None

    def select(self, name: str | None, matchers: tuple[Matcher, ...], start: int, end: int) -> Samples:
        """The samples with start < t <= end of every matching series; stale markers included."""
        found = [block.window(chosen, start, end) for block, chosen in self._chosen(name, matchers)]
        return found[0] if len(found) == 1 else _joined(found)

    def latest(self, name: str | None, matchers: tuple[Matcher, ...], start: int, end: int) -> Newest:
        """The newest sample with start < t <= end of each matching series, unless it is a stale marker."""
        found = [block.newest(chosen, start, end) for block, chosen in self._chosen(name, matchers)]
        if len(found) == 1:
            return found[0]
        return _together(found)

    def has(self, name: str | None, matchers: tuple[Matcher, ...], start: int, end: int) -> bool:
        """Whether any matching series has a sample or a stale marker with start < t <= end."""
        chosen = self._chosen(name, matchers)
        return any(block.has(rows, start, end) for block, rows in chosen)

    def labels_of(
        self, name: str | None, matchers: tuple[Matcher, ...], start: int, end: int
    ) -> tuple[Labels, ...]:
        """The labels (with the name) of series with a sample or a stale marker in start < t <= end."""
        return tuple(
            selection[1].labels[row]
            for block, selection in self._chosen(name, matchers)
            for row in np.flatnonzero(block.seen(selection, start, end)).tolist()
        )

    def _chosen(self, name: str | None, matchers: tuple[Matcher, ...]) -> list[tuple[Block, Selection]]:
        """The blocks that a selector reads, and its rows in each."""
        about_names = [each for each in matchers if each.name == NAME]
        others = tuple(each for each in matchers if each.name != NAME) if about_names else matchers
        if name is None:
            found = self._every()
        else:
            block = self._blocks.get(name)
            found = [] if block is None else [(name, block)]
        blocks = [block for each, block in found if all(m.matches(each) for m in about_names)]
        return [(block, block.match(others)) for block in blocks]

    def _every(self) -> list[tuple[str, Block]]:
        """All blocks, the oldest name first."""
        with self._lock:  # a metric may begin meanwhile, and a dict that grows cannot be copied
            return list(self._blocks.items())

    def _window(self, name: str) -> int:
        """How long samples of this metric are kept."""
        wanted = self.window_ms if self._wanted is None else self._wanted.get(name, self.window_ms)
        return min(wanted, self.window_ms)

    def _covers(self, name: str, before: Mapping[str, int]) -> bool:
        return name in before and before[name] >= self._window(name)

    def _began(self, name: str, before: Mapping[str, int]) -> int:
        """From when on a metric's samples are there, as it was kept until now."""
        back = before.get(name, 0)
        return max(self.later.get(name, 0), self._newest - min(back, self.window_ms))

    def _empty(self) -> None:
        with self._lock:
            self._blocks, self._count, self._latest, self._swept_at = {}, 0, 0, 0
            self.first_at, self.later, self._dropped_at = None, {}, {}

    def _append(self, sample: Sample) -> bool:
        block = self._blocks.get(sample.name)
        if sample.at <= self._clock - (block.window_ms if block else self._window(sample.name)):
            self.old += 1
            return False
        row = block.rows.get(sample.labels) if block else None
        if row is None:
            if self._count >= self.limit and not self._make_place(sample.name):
                self._drop(sample.name, 1)
                return False
            if block is None:
                block = Block(sample.name, self._window(sample.name), self._longest, self._lock)
                self._blocks[sample.name] = block
            row = block.begin(sample.labels)
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
        if self.first_at is None:
            self.first_at = self._clock
        return True

    def _make_place(self, name: str) -> bool:
        """Let the newest name with more than its share give way to a series of `name`; whether there is room.

        An eighth of what is too much goes at once: each time a block is copied.
        """
        share = self.limit // (len(self._blocks) + (name not in self._blocks))
        if not share:
            return False  # more names than series: the newest is this one
        for newest, block in reversed(self._blocks.items()):
            count = len(block.rows)
            if newest == name and count >= share:
                return False
            if count > share:
                left = count - max(1, (count - share) // 8)
                self._blocks[newest] = block.first(left)
                self._count -= count - left
                self._drop(newest, block.samples(since=left))
                return True
        return False

    def _drop(self, name: str, samples: int) -> None:
        self.dropped[name] += samples
        self._changed.add(name)
        self._dropped_at[name] = self._newest

    def _sweep(self) -> None:
        """Forget the series without a sample in their window, so that new ones find room."""
        self._swept_at = self._newest
        kept = {name: block.without(self._newest - block.window_ms) for name, block in self._blocks.items()}
        self._blocks = {name: block for name, block in kept.items() if block.rows}
        self._count = sum(len(block.rows) for block in self._blocks.values())


def _together(found: Sequence[Newest]) -> Newest:
    """What several metrics' blocks gave, as one."""
    if not found:
        return NOTHING_NEW
    return Newest(
        Rows([labels for each in found for labels in each.rows.labels]),
        np.concatenate([each.times for each in found]),
        np.concatenate([each.values for each in found]),
        np.concatenate([each.found for each in found]),
    )


def _joined(found: Sequence[Samples]) -> Samples:
    """What several metrics' blocks gave, as one; the narrower ones are padded."""
    if not found:
        return NO_SAMPLES
    width = max(each.values.shape[1] for each in found)
    more = [((0, 0), (0, width - each.values.shape[1])) for each in found]
    times = [np.pad(each.times, pad, constant_values=NEVER) for each, pad in zip(found, more, strict=True)]
    values = [np.pad(each.values, pad, constant_values=np.nan) for each, pad in zip(found, more, strict=True)]
    return Samples(
        Rows([labels for each in found for labels in each.rows.labels]),
        np.concatenate(times),
        np.concatenate(values),
        np.concatenate([each.counts for each in found]),
    )
