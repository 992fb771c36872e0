"""What queries and rules read of the store, from any thread, while samples are added."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from threading import Lock

import numpy as np

from agent.model import Labels
from agent.promql.labels import NAME
from agent.promql.nodes import Matcher
from agent.promql.vectors import NEVER, NEVER_BEFORE, NO_SAMPLES, NOTHING_NEW, Newest, Rows, Samples
from agent.series.block import Block, Selection

_CELLS = 32_768  # samples in a piece of a snapshot


class Readable:
    """Blocks by metric, the oldest name first. Who changes which there are holds the lock."""

    def __init__(self) -> None:
        self._blocks: dict[str, Block] = {}
        self._lock = Lock()
        self._shortened = 0  # as `shortened`, of the blocks that are gone

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

    @property
    def names(self) -> tuple[str, ...]:
        """The metrics that are held, the oldest first."""
        return tuple(name for name, _ in self._every())

    def pieces(self, name: str) -> Iterator[tuple[Sequence[Labels], Samples]]:
        """All samples of a metric, a bounded number at a time."""
        block = self._blocks.get(name)
        return iter(()) if block is None else block.pieces(_CELLS)

    def sizes(self) -> Mapping[str, tuple[int, int]]:
        """By metric: how many series it has, and the bytes of their samples."""
        return {name: (len(block.rows), block.nbytes) for name, block in self._every()}

    @property
    def shortened(self) -> int:
        """Samples that were dropped before their time."""
        return self._shortened + sum(block.shortened for _, block in self._every())

    @property
    def shortened_until(self) -> Mapping[str, int]:
        """By metric of which samples were dropped before their time: the time of the newest of them."""
        return {n: b.shortened_until for n, b in self._every() if b.shortened_until != NEVER_BEFORE}

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
