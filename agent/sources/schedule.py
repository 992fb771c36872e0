"""Polling of a source: a deadline, a jittered schedule, the end of series, and series about the source."""

from __future__ import annotations

import asyncio
import logging
import random
import struct
import subprocess
import zlib
from collections.abc import Callable, Mapping
from contextlib import suppress

from agent.model import Labels, Sample
from agent.promql.vectors import STALE
from agent.sources import PROCESS_START, Eager, MetricInfo, Partly, Source, SourceFailed

_log = logging.getLogger(__name__)
OnSamples = Callable[[list[Sample]], None]

# Twenty agents started at one moment must not ask the brokers at one moment for ever.
_JITTER = 0.05

_GRACE_S = 0.5  # for a reading to end that was given up

_LONGEST_WHY = 1_000
_FAILURES = (SourceFailed, TimeoutError, OSError)
# What a reader raises that trips over something it did not foresee; a state that cannot be is none of them.
_FAULTS = (
    ArithmeticError,
    AttributeError,
    BufferError,
    EOFError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
    struct.error,
    subprocess.SubprocessError,
    zlib.error,
)

UP = "ottla_source_up"
UNREAD = "ottla_source_unread"
_OF_READINGS = (
    MetricInfo(UP, "gauge", "", "1 if the source's last reading succeeded, else 0"),
    MetricInfo("ottla_source_duration_seconds", "gauge", "seconds", "How long the last reading took"),
    MetricInfo("ottla_source_samples", "gauge", "", "Samples which the last reading gave"),
    MetricInfo(
        "ottla_source_errors_total",
        "counter",
        "",
        "Readings of the source that gave nothing, and looks at what is new that ended by a fault",
    ),
    MetricInfo(
        "ottla_source_age_seconds",
        "gauge",
        "seconds",
        "Since the last reading that succeeded, or since the first where none has",
    ),
)
METRICS = (
    *_OF_READINGS,
    MetricInfo(
        UNREAD,
        "gauge",
        "",
        "1 for each `metric` of which the last reading gave nothing, as a part of the source did not answer",
    ),
)


class Polling:
    """The readings of one source, one after another, and what became of them.

    `deadline` is seconds. `on_samples` is called on the event loop with each reading's samples, a STALE
    one for each series of the reading before that is gone, and the `ottla_source_*` series, among them
    what the source could not read though the reading succeeded; where a reading failed, with the latter
    and what the failure told. A source whose own code trips over what it read has failed, too, and the
    log has where: each agent beside that kind of broker would end otherwise, at each start. Where another
    process answers than before, every series of the old one ends a millisecond before the new one's first
    sample. Run each in a task of its own, so that no source delays another. A reading that does not end
    even when it is given up is waited for before the next, and told of each interval as an error.
    """

    def __init__(
        self, source: Source, on_samples: OnSamples, clock: Callable[[], int], deadline: float = 10.0
    ):
        self.source = source
        self.last_error: str | None = None
        self.read_at: int | None = None  # ms since the epoch, of the last reading that succeeded
        self.began = 0.0  # by the loop's time: the reading, or the glance, whose samples are handed on
        self._eager = source if isinstance(source, Eager) else None
        self._on_samples = on_samples
        self._clock = clock
        self._deadline = deadline
        self._errors = 0
        self._glance_fault: str | None = None  # the last one
        self._took_s, self._count = 0.0, 0  # of the last reading
        self._unread = frozenset[str]()
        # By the loop's time: when the reading began that succeeded last, or else the first one.
        self._good_at: float | None = None
        self._endless: asyncio.Future[list[Sample]] | None = None
        self._series: set[tuple[str, Labels]] = set()
        self._process_start: float | None = None

    @property
    def age_s(self) -> float:
        """Seconds since the last reading that succeeded began, or since the first where none has; whatever
        the wall clock is set to."""
        return 0.0 if self._good_at is None else asyncio.get_running_loop().time() - self._good_at

    @property
    def unread(self) -> frozenset[str]:
        """The metrics of which the last reading, if it succeeded, gave nothing as a part did not answer."""
        return self._unread

    @property
    def failed(self) -> Mapping[str, str]:
        """Why parts of it could not be read; nothing of one that is down, of which `silence` tells."""
        return self.source.failed if not self.silence and isinstance(self.source, Partly) else {}

    @property
    def silence(self) -> str:
        """Why nothing of it is known now; empty where its last reading succeeded."""
        never = self.last_error is None and self.read_at is None
        return "not read yet" if never else self.last_error or ""

    async def run(self) -> None:
        """Read until cancelled, at once and then each interval; missed ones are not made up for."""
        try:
            await self._read_on()
        finally:
            if self._eager is not None:
                with suppress(TimeoutError, OSError):  # what is not kept is read again
                    await self._eager.keep()

    async def _read_on(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            await self.once()
            interval = self.source.interval_ms / 1000
            due = max(due + interval * random.uniform(1 - _JITTER, 1 + _JITTER), loop.time())  # noqa: S311 not a secret
            await self._rest(due)

    async def once(self) -> None:
        """One reading, handed on. What cannot be, as a failed assertion, is raised."""
        loop = asyncio.get_running_loop()
        now, began = self._clock(), loop.time()
        self.began = began
        self._good_at = began if self._good_at is None else self._good_at
        samples: list[Sample] = []
        stale: list[Sample] = []
        try:
            samples = await self._read(now)
            stale, self.last_error = self._ended(samples, now), None
            self.read_at, self._good_at = now, began
        except (*_FAILURES, *_FAULTS) as error:
            self._errors += 1
            self.last_error = self._why(error, self.last_error)
            stale = list(error.samples) if isinstance(error, SourceFailed) else []
        self._took_s, self._count = loop.time() - began, len(samples)
        self._on_samples(stale + samples + self._look_at_parts(now) + self.own(now))

    def _why(self, error: Exception, before: str | None) -> str:
        """In words that can be shown, whatever it holds; the log has a fault that is not as `before`."""
        if isinstance(error, _FAILURES):
            return _shown(str(error)) or f"no answer within {self._deadline:g} s"
        why = _shown(f"a fault of the agent's, see its log: {type(error).__name__}: {error}")
        if why != before:
            _log.error("source %s has failed by a fault of ours", self.source.name, exc_info=error)
        return why

    def _look_at_parts(self, now: int) -> list[Sample]:
        """Learn what could not be read; the ends of what can be again. One that is down has no parts."""
        before, source = self._unread, self.source
        succeeded = self.last_error is None
        self._unread = source.unread if succeeded and isinstance(source, Partly) else frozenset()
        return [self._of_part(metric, now, STALE) for metric in sorted(before - self._unread)]

    def _of_part(self, metric: str, now: int, value: float) -> Sample:
        return Sample(UNREAD, (("metric", metric), ("source", self.source.name)), now, value)

    async def _read(self, now: int) -> list[Sample]:
        """A reading, or TimeoutError after the deadline, whatever the source then does."""
        if self._endless is not None and not self._endless.done():
            raise TimeoutError("a reading that was given up has still not ended")
        self._endless = reading = asyncio.ensure_future(self.source.read(now))
        reading.add_done_callback(_look_at)
        try:
            await asyncio.wait({reading}, timeout=self._deadline)
            if reading.done():
                return reading.result()
        finally:
            if not reading.done():
                reading.cancel()
                await asyncio.wait({reading}, timeout=_GRACE_S)
        raise TimeoutError

    async def _rest(self, due: float) -> None:
        """Sleep until `due`, but for glances where the source has something new. One that fails is the last:
        the reading at `due` will fail too, and be counted, or make up for it."""
        loop = asyncio.get_running_loop()
        while self._eager is not None:
            try:
                async with asyncio.timeout_at(due):
                    await self._eager.stirred()
                self.began = loop.time()
                async with asyncio.timeout(self._deadline):
                    samples = await self._eager.glance(self._clock())
            except _FAILURES:
                break
            except _FAULTS as fault:
                self._errors += 1  # the reading at `due` may be well, and tell nothing of it
                self._glance_fault = self._why(fault, self._glance_fault)
                break
            if samples:
                self._on_samples(samples)
        await asyncio.sleep(due - loop.time())

    def _ended(self, samples: list[Sample], now: int) -> list[Sample]:
        """The end of each series of the reading before that this one has not, or has of a new process."""
        if self.source.partial:
            return []
        before, self._series = self._series, {(sample.name, sample.labels) for sample in samples}
        if self._is_new_process(samples):
            return [Sample(name, labels, now - 1, STALE) for name, labels in before]
        return [Sample(name, labels, now, STALE) for name, labels in before - self._series]

    def _is_new_process(self, samples: list[Sample]) -> bool:
        before = self._process_start
        self._process_start = next((s.value for s in samples if s.name == PROCESS_START), before)
        return before is not None and before != self._process_start

    def own(self, now: int) -> list[Sample]:
        """The source's own series, in the order of METRICS."""
        labels = (("source", self.source.name),)
        up, count, errors = float(not self.silence), float(self._count), float(self._errors)
        values = up, self._took_s, count, errors, self.age_s
        own = [Sample(m.name, labels, now, value) for m, value in zip(_OF_READINGS, values, strict=True)]
        return own + [self._of_part(metric, now, 1.0) for metric in sorted(self._unread)]


def _shown(text: str) -> str:
    """One line of what can be printed: HTTP's reasons and files' names may be any bytes, however many."""
    line = " ".join(text[:_LONGEST_WHY].split())
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in line)


def _look_at(reading: asyncio.Future[list[Sample]]) -> None:
    """Whatever it came to: where nobody asks any more, asyncio would tell its error as unseen."""
    if not reading.cancelled():
        reading.exception()
