"""What an exporter says in Prometheus's text or OpenMetrics: what rules read of it, with its staleness."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from agent.model import Sample
from agent.promql.vectors import STALE
from agent.sources import SourceFailed
from agent.sources.exposition_body import Body, Malformed, TooMany, Wanted
from agent.sources.exposition_filter import NameFilter
from agent.sources.exposition_http import BadAnswer, Fetch, Target, TooLarge
from agent.sources.exposition_labels import labelled
from agent.sources.exposition_own import METRICS, UP, Tally
from agent.sources.exposition_series import Flags, Known
from agent.sources.exposition_text import Reader

WHOLE_EVERY = (
    40  # readings; then one asks for everything and looks at every line: what is trusted is verified
)
_MAX_QUERY = 6_000  # bytes of names in a URL
_AHEAD_MS = 600_000  # a sample that is from further in the future is refused, as Prometheus does


class Exposition:
    """Scrapes one target for the metrics that are `select`ed.

    A series that was there and is gone ends with a stale marker, and so do all where a scrape fails; one
    whose samples have times of their own has none, as in Prometheus. `own_up`: whether it tells `up`.

    What need not be read is not: a target that honours `name[]` is asked for names; from another one only
    the wanted families are parsed. Neither is taken on trust. The first reading, and each 40th, asks for
    everything and looks at every line; and where a name is missing that was there before, the same reading
    looks again in this way. What turns out not to hold is not tried again; where it may have been the moment
    (an answer that failed, an MBean that began between both looks) once it does not hold for a second time.
    `deadline` (seconds) is for a reading with all of that.
    """

    partial = True  # it tells the ends of its series itself
    metrics = METRICS

    def __init__(
        self, target: Target, interval_ms: int, *, own_up: bool = True, deadline: float = 8.0
    ) -> None:
        self.target = target
        self.name = target.name
        self.interval_ms = target.interval_ms or interval_ms
        self._filter = NameFilter(trusted=target.filter_names)
        self.grouped = True
        self._own_up = own_up
        self._deadline = deadline
        self._fetch = Fetch(target, deadline)
        self._relabel = partial(labelled, target=target.labels, honor_labels=target.honor_labels)
        self._known = Known(self._relabel)
        self._live: Flags = np.zeros(0, np.bool_)  # the series that a stale marker would end
        self._asked_for = frozenset[str]()  # what the last good reading was to give,
        self._names = frozenset[str]()  # and gave
        self._until_whole = 0
        self._tally = Tally(target.name)
        self.select(frozenset())

    @property
    def asks_names(self) -> bool:
        """Whether the target is trusted to give names that it is asked for, and no others."""
        return self._filter.trusted

    def select(self, names: frozenset[str]) -> None:
        """Read these metrics from now on."""
        self._selected, self._wanted = names, Wanted(names)
        self._until_whole = 0

    def go_on(self, names: frozenset[str]) -> None:
        """After a restart: take these for given until the first good reading."""
        self._names = names - {UP}

    @property
    def given(self) -> frozenset[str]:
        """The names that the last good reading had."""
        return self._names

    def gives(self, name: str) -> bool:
        """Whether that had this name."""
        return name in self._names

    def may_give(self, name: str) -> bool:
        """Whether it does, or nobody knows yet: no good reading has asked for it."""
        return name in self._names or (name not in self._asked_for and name != UP)

    async def read(self, now: int) -> list[Sample]:
        """One scrape. SourceFailed, with the ends of all series, where there is none."""
        try:
            body = await self._in_time()
        except SourceFailed as error:
            ended = self._ended(np.zeros(0, np.bool_), now)
            if self._known.too_many(0):  # bodies that are refused teach it series, too
                self._known = Known(self._relabel)
            raise SourceFailed(error.why, (*ended, *self._own(now, up=False))) from error
        samples = list(self._samples(body, now))
        live = self._known.flags(body.rows)
        live[list(body.stamps)] = False
        samples += self._ended(live, now)
        self._tally.refused_samples["duplicate"] += body.duplicates
        self._forget(body)
        return samples + self._own(now, up=True)

    async def _in_time(self) -> Body:
        """One deadline for the whole reading, second look included: whoever polls must not give it up."""
        try:
            async with asyncio.timeout(self._deadline):
                return await self._look()
        except TimeoutError as error:
            why = f"{self.target.url} did not answer all within {self._deadline:g} s"
            raise SourceFailed(why) from error

    async def _look(self) -> Body:
        """The body of this reading, verified as far as is due."""
        selected, wanted = self._selected, self._wanted  # both may be others when the body is there
        if self._until_whole == 0:
            body = await self._whole(wanted)
            self.grouped = body.grouped
        else:
            self._until_whole -= 1
            body = await self._part(wanted)
        self._asked_for, self._names = selected, self._names_in(body)
        return body

    async def _part(self, wanted: Wanted) -> Body:
        """Only what is wanted, where the target can be trusted to give that."""
        asked = self._asked(wanted)
        try:
            body = await self._scrape(wanted, asked, whole=bool(asked) or not self.grouped)
        except BadAnswer as error:
            if not asked:
                raise
            again = await self._whole(wanted)
            self._filter.failed(refused=error.refuses_query)
            return again
        if asked and body.beyond is not None:
            self._filter.ignored()
            self.grouped = body.grouped
            return body
        return await self._verified(body, wanted, asked=bool(asked))

    async def _verified(self, body: Body, wanted: Wanted, *, asked: bool) -> Body:
        """It, or all that there is where it lacks what was there before."""
        missing, found = self._names - self._names_in(body), frozenset[str]()
        again = body
        if missing or not body.grouped:
            again = await self._whole(wanted)
            found = missing & self._names_in(again)
            self.grouped &= body.grouped and again.grouped and (asked or not found)
        if asked:
            self._filter.answered(found)
        return again

    async def _whole(self, wanted: Wanted) -> Body:
        self._until_whole = 0  # where this fails, be it too late as a second look, the next reading begins so
        body = await self._scrape(wanted, (), whole=True)
        if wanted is self._wanted:  # else other names were selected meanwhile, which need a look of their own
            self._until_whole = WHOLE_EVERY
        return body

    def _asked(self, wanted: Wanted) -> tuple[str, ...]:
        names = tuple(sorted(name.decode() for name in wanted.families)) if self._filter.trusted else ()
        return names if sum(map(len, names)) <= _MAX_QUERY else ()

    async def _scrape(self, wanted: Wanted, asked: tuple[str, ...], *, whole: bool) -> Body:
        size = 0
        try:
            async with self._fetch.opened(asked) as answer:
                reader = Reader(
                    self._known,
                    wanted,
                    openmetrics=answer.openmetrics,
                    whole=whole,
                    most=self.target.max_samples,
                )
                async for piece in answer.pieces:
                    size += len(piece)
                    reader.feed(piece)
                body = self._without_own_up(reader.end())
        except TooLarge:
            self._tally.refused_bodies["too_large"] += 1
            raise
        except TooMany as error:
            self._tally.refused_bodies["too_many_samples"] += 1
            raise SourceFailed(f"{self.target.url} has {error}: raise max_samples") from error
        except Malformed as error:
            self._tally.refused_bodies["malformed"] += 1
            raise SourceFailed(f"{self.target.url} is malformed, {error}") from error
        self._tally.size, self._tally.filtered = size, bool(asked)
        return body

    def _without_own_up(self, body: Body) -> Body:
        """Whether the scrape succeeded the scrape tells, and no `up` that the exporter has besides."""
        row = self._known.row_of(UP, self.target.labels)
        kept = body.rows != row
        if row is None or kept.all():
            return body
        return replace(body, rows=body.rows[kept], values=body.values[kept], duplicates=body.duplicates + 1)

    def _samples(self, body: Body, now: int) -> Iterator[Sample]:
        series, stamps = self._known.series, body.stamps
        for row, value in zip(body.rows.tolist(), body.values.tolist(), strict=True):
            at = stamps.get(row, now) if stamps else now
            if at > now + _AHEAD_MS:
                self._tally.refused_samples["in_the_future"] += 1
                continue
            name, labels = series[row]
            yield Sample(name, labels, at, value)

    def _ended(self, live: Flags, now: int) -> list[Sample]:
        """The end of each series that had samples before and has none now."""
        gone = self._live.copy()
        gone[: len(live)] &= ~live[: len(gone)]
        self._live = live
        return [Sample(*self._known.series[row], now, STALE) for row in np.flatnonzero(gone).tolist()]

    def _names_in(self, body: Body) -> frozenset[str]:
        series = self._known.series
        return frozenset({series[row][0] for row in body.rows.tolist()})

    def _forget(self, body: Body) -> None:
        """Learn anew what there is, where most of what is known is gone."""
        if self._known.too_many(len(body.rows)):
            self._known, self._live = self._known.kept(body.rows.tolist()), self._live[body.rows]

    def _own(self, now: int, *, up: bool) -> list[Sample]:
        verdict = [Sample(UP, self.target.labels, now, float(up))] if self._own_up else []
        return verdict + self._tally.samples(now)


def givers(exporters: Sequence[Exposition], name: str) -> frozenset[str]:
    """On which of them a name rests: those that give it, and where none does, those of which it is not known
    yet."""
    giving = frozenset(each.name for each in exporters if each.gives(name))
    return giving or frozenset(each.name for each in exporters if each.may_give(name))
