"""Each source is polled by itself: deadlines, errors, the end of series."""

from __future__ import annotations

import asyncio
import contextlib
import math
import struct
import subprocess
import threading
import zlib
from collections.abc import Mapping
from itertools import pairwise

import pytest

from agent.lone_thread import LoneThread
from agent.model import Sample
from agent.promql import compile as compile_promql
from agent.promql import evaluate
from agent.rehearsal.virtual_time import run
from agent.series import Series
from agent.sources import MetricInfo, SourceFailed
from agent.sources.schedule import METRICS, UNREAD, Polling

NOW = 1_000_000


class Fake:
    """Gives its readings one after another, or raises them; an event or seconds are waited for."""

    name = "fake"
    metrics: tuple[MetricInfo, ...] = ()

    def __init__(
        self, *readings: list[Sample] | Exception | asyncio.Event | float, interval_ms: int = 10
    ) -> None:
        self.interval_ms = interval_ms
        self.partial = False
        self.times: list[float] = []
        self._readings = readings

    @property
    def count(self) -> int:
        return len(self.times)

    async def read(self, now: int) -> list[Sample]:
        reading = self._readings[min(self.count, len(self._readings) - 1)]
        self.times.append(asyncio.get_running_loop().time())
        if isinstance(reading, Exception):
            raise reading
        if isinstance(reading, float):
            await asyncio.sleep(reading)
            return []
        if isinstance(reading, asyncio.Event):
            await reading.wait()
            return []
        return [Sample(s.name, s.labels, now, s.value) for s in reading]


def of(samples: list[Sample], name: str) -> list[float]:
    return [sample.value for sample in samples if sample.name == name]


def polled(source: Fake, deadline: float = 1.0) -> tuple[Polling, list[list[Sample]]]:
    batches: list[list[Sample]] = []
    times = iter(range(NOW, NOW + 10**9, 1000))
    return Polling(source, batches.append, lambda: next(times), deadline), batches


A, B = Sample("a", (), 0, 1.0), Sample("b", (("x", "1"),), 0, 2.0)


async def test_a_reading_is_handed_on_with_the_sources_own_series() -> None:
    """Its samples, up 1, how long, how many, and no errors."""
    polling, batches = polled(Fake([A, B]))

    await polling.once()

    assert batches[0][:2] == [Sample("a", (), NOW, 1.0), Sample("b", (("x", "1"),), NOW, 2.0)]
    own = batches[0][2:]
    assert [*(sample.name for sample in own), UNREAD] == [metric.name for metric in METRICS]
    assert all(sample.labels == (("source", "fake"),) for sample in own)
    assert of(own, "ottla_source_up") == [1.0]
    assert of(own, "ottla_source_samples") == [2.0]
    assert of(own, "ottla_source_errors_total") == [0.0]


@pytest.mark.parametrize(
    "error", [SourceFailed("no"), ConnectionRefusedError("no"), TimeoutError("no")], ids=repr
)
async def test_a_failure_is_counted_and_the_next_reading_goes_on(error: Exception) -> None:
    """Up is 0 and the reason is kept until a reading succeeds."""
    polling, batches = polled(Fake(error, [A]))

    await polling.once()
    why = polling.last_error
    await polling.once()

    assert why == "no"
    assert of(batches[0], "ottla_source_up") == [0.0]
    assert of(batches[1], "ottla_source_up") == [1.0]
    assert of(batches[1], "ottla_source_errors_total") == [1.0]
    assert polling.last_error is None


async def test_a_fault_of_a_sources_own_code_is_a_failed_reading_and_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It ended the agent, at each start anew, for one answer that nobody had foreseen. While it stays the
    same its traceback is written once."""
    polling, batches = polled(Fake(KeyError("a bug"), KeyError("a bug"), [A], KeyError("a bug")))

    for _ in range(4):
        await polling.once()

    assert polling.last_error == "a fault of the agent's, see its log: KeyError: 'a bug'"
    assert [of(batch, "ottla_source_up") for batch in batches] == [[0.0], [0.0], [1.0], [0.0]]
    assert [(record.message, record.exc_info is not None) for record in caplog.records] == [
        ("source fake has failed by a fault of ours", True)
    ] * 2


@pytest.mark.parametrize(
    "fault",
    [
        RuntimeError("can't start new thread"),
        BufferError("Existing exports of data: object cannot be re-sized"),
        asyncio.IncompleteReadError(b"", 4),
        struct.error("unpack requires a buffer of 4 bytes"),
        subprocess.TimeoutExpired("systemctl", 1),
        zlib.error("incorrect header check"),
    ],
    ids=repr,
)
async def test_what_libraries_raise_that_trip_is_a_fault_of_the_source_alone(fault: Exception) -> None:
    """None of them is an OSError or a ValueError, and none ends the agent."""
    polling, _ = polled(Fake(fault, [A]))

    await polling.once()
    assert polling.silence == f"a fault of the agent's, see its log: {type(fault).__name__}: {fault}"
    await polling.once()
    assert not polling.silence


async def test_a_state_that_cannot_be_is_raised() -> None:
    """It ends the task and the agent, which then begins from what is written down."""
    polling, _ = polled(Fake(AssertionError("impossible")))

    with pytest.raises(AssertionError):
        await polling.once()


async def test_why_a_reading_failed_can_be_shown_whatever_an_answer_holds() -> None:
    """HTTP's bytes beyond ASCII come as half surrogates, which no JSON takes: `ottla status` answered 500."""
    polling, _ = polled(Fake(SourceFailed("HTTP 500 \udcff\x1b[2J\n  é: " + "x" * 100_000)))

    await polling.once()

    assert polling.silence.startswith("HTTP 500 \\udcff\\x1b[2J é: xxx")
    assert len(polling.silence) < 1_100


async def test_a_reading_beyond_the_deadline_is_given_up() -> None:
    """And says so."""
    polling, batches = polled(Fake(asyncio.Event()), deadline=0.01)

    await polling.once()

    assert polling.last_error == "no answer within 0.01 s"
    assert of(batches[0], "ottla_source_up") == [0.0]


class Parted(Fake):
    """A part of it does not answer: what that would tell is `unread`."""

    unread = frozenset({"b"})
    failed: Mapping[str, str] = {"part": "it hangs"}


async def test_what_a_part_left_open_is_told_until_it_answers_or_all_is_down() -> None:
    """Each metric by its name, and its end with the reading that has it, or that failed."""
    source = Parted([A], [A], [A], SourceFailed("no"), [A])
    polling, batches = polled(source)

    await polling.once()
    await polling.once()
    assert (set(polling.unread), dict(polling.failed)) == ({"b"}, {"part": "it hangs"})
    source.unread = frozenset()
    await polling.once()
    source.unread = frozenset({"b"})
    await polling.once()
    assert (polling.unread, polling.failed) == (frozenset(), {})
    await polling.once()
    source.unread = frozenset({"c"})
    await polling.once()

    told = [[(dict(s.labels)["metric"], str(s.value)) for s in b if s.name == UNREAD] for b in batches]
    b, end, c = ("b", "1.0"), ("b", "nan"), ("c", "1.0")
    assert told == [[b], [b], [end], [], [b], [end, c]]
    assert all(dict(s.labels)["source"] == "fake" for b in batches for s in b if s.name == UNREAD)


async def test_a_series_that_is_gone_ends_at_once() -> None:
    """An instant selector no longer sees it, though its last sample is younger than the lookback."""
    polling, batches = polled(Fake([A, B], [A]))
    store = Series(3_600_000)

    await polling.once()
    store.add(batches[0])
    before = evaluate(compile_promql("b"), store, NOW + 500)
    await polling.once()
    store.add(batches[1])

    assert len(before) == 1
    assert not evaluate(compile_promql("b"), store, NOW + 1500)
    assert len(evaluate(compile_promql("a"), store, NOW + 1500)) == 1


async def test_a_failed_reading_ends_no_series() -> None:
    """What is not known has not ended: the rules that read it are called failing instead."""
    polling, batches = polled(Fake([A], SourceFailed("no"), []))

    for _ in range(3):
        await polling.once()

    assert not [sample for sample in batches[1] if math.isnan(sample.value)]
    assert [sample.name for sample in batches[2] if math.isnan(sample.value)] == ["a"]


def readings(*sources: Fake, seconds: float) -> None:
    """Poll each source in a task of its own, in virtual time."""

    async def story() -> None:
        tasks = [asyncio.create_task(polled(source, deadline=60)[0].run()) for source in sources]
        await asyncio.sleep(seconds)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    run(story())


def test_a_slow_source_delays_no_other() -> None:
    """While one hangs, the other is read again and again."""
    hung, quick = Fake(asyncio.Event(), interval_ms=1000), Fake([A], interval_ms=1000)

    readings(hung, quick, seconds=30)

    assert hung.count == 1
    assert 29 <= quick.count <= 32


def test_readings_keep_their_interval_but_for_a_jitter() -> None:
    """The first is at once; twenty agents that start together do not stay together."""
    source = Fake([A], interval_ms=1000)

    readings(source, seconds=100)

    pauses = [after - before for before, after in pairwise(source.times)]
    assert source.times[0] == 0
    assert all(0.95 <= pause <= 1.05 for pause in pauses)
    assert len(set(pauses)) > 50


def test_missed_readings_are_not_made_up_for() -> None:
    """A source that took five intervals is read again at once, then at the usual pace."""
    source = Fake([A], 5.0, [A], interval_ms=1000)

    readings(source, seconds=10)

    pauses = [after - before for before, after in pairwise(source.times)]
    assert pauses[1] == pytest.approx(5.0)
    assert all(0.94 <= pause <= 1.06 for pause in pauses[2:])


class Stirred(Fake):
    """Has something new each 0.3 s; its glances may fail."""

    def __init__(self, *readings: list[Sample], fails: Exception | None = None) -> None:
        super().__init__(*readings, interval_ms=1000)
        self.fails = fails
        self.glances: list[float] = []
        self.kept = 0

    async def stirred(self) -> None:
        await asyncio.sleep(0.3)

    async def keep(self) -> None:
        self.kept += 1

    async def glance(self, now: int) -> list[Sample]:
        self.glances.append(asyncio.get_running_loop().time())
        if self.fails:
            raise self.fails
        return [Sample("b", (), now, float(len(self.glances)))] if len(self.glances) % 2 else []


def glanced(source: Stirred) -> list[list[Sample]]:
    """What five seconds of polling it hand on."""

    async def story() -> list[list[Sample]]:
        polling, batches = polled(source)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(polling.run(), 5)
        return batches

    return run(story())


def test_a_source_with_news_is_glanced_at_before_its_interval_is_over() -> None:
    """What is new is handed on, and ends no series that it does not have; nothing new is no reading."""
    source = Stirred([A])

    batches = glanced(source)

    assert source.kept == 1  # at its end
    assert all(0.94 <= after - before <= 1.06 for before, after in pairwise(source.times))
    assert len(source.glances) >= 2 * source.count
    alone = [batch for batch in batches if not of(batch, "ottla_source_up")]
    assert [[sample.name for sample in batch] for batch in alone] == [["b"]] * (
        (len(source.glances) + 1) // 2
    )
    assert not [s for batch in batches for s in batch if math.isnan(s.value)]


def test_a_failed_glance_is_the_last_until_the_next_reading() -> None:
    """It must not spin; the reading tells what is wrong."""
    source = Stirred([A], fails=OSError("no"))

    glanced(source)

    assert source.count >= 5
    assert len(source.glances) <= source.count


def test_a_glance_that_trips_is_counted_and_told_once(caplog: pytest.LogCaptureFixture) -> None:
    """Its traceback was written at each interval, and nothing else showed it: the readings were well."""
    source = Stirred([A], fails=KeyError("a bug"))

    batches = glanced(source)

    errors = [of(batch, "ottla_source_errors_total")[0] for batch in batches]
    assert errors == list(range(source.count))
    assert [of(batch, "ottla_source_up") for batch in batches] == [[1.0]] * source.count
    assert len(caplog.records) == 1 < len(source.glances)


class Stubborn(Fake):
    """Its first reading goes on when it is cancelled, until `let` is set."""

    def __init__(self, let: asyncio.Event) -> None:
        super().__init__([A])
        self.let = let

    async def read(self, now: int) -> list[Sample]:
        if self.count:
            return await super().read(now)
        self.times.append(asyncio.get_running_loop().time())
        while not self.let.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await self.let.wait()
        raise SourceFailed("too late for anybody")


async def test_a_reading_that_does_not_end_is_told_each_time_and_never_doubled() -> None:
    """What it then raises is nobody's any more, and the next reading goes on."""
    let = asyncio.Event()
    source = Stubborn(let)
    polling, batches = polled(source, deadline=0.01)
    await polling.once()
    await polling.once()
    assert (source.count, polling.last_error) == (1, "a reading that was given up has still not ended")
    assert of(batches[1], "ottla_source_errors_total") == [2.0]
    let.set()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await polling.once()
    assert (source.count, polling.last_error) == (2, None)


def test_a_hung_source_delays_no_other() -> None:
    """One never returns, one ignores that it is given up; a third is read on time."""

    async def story() -> list[float]:
        hung, stubborn, well = Fake(asyncio.Event()), Stubborn(asyncio.Event()), Fake([A], interval_ms=1000)
        tasks = [asyncio.create_task(polled(s, 2.0)[0].run()) for s in (hung, stubborn, well)]
        await asyncio.sleep(60)
        stubborn.let.set()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return [b - a for a, b in pairwise(well.times)]

    gaps = run(story())
    assert len(gaps) > 50
    assert max(gaps) <= 1.06


class Blocking(Fake):
    """Waits in a thread of its own for something that does not come."""

    def __init__(self, never: threading.Event) -> None:
        super().__init__([])
        self._never = never
        self._thread = LoneThread("hung disk")

    async def read(self, now: int) -> list[Sample]:
        self.times.append(asyncio.get_running_loop().time())
        await self._thread.run(lambda: self._never.wait(30), 0.05)
        return []


async def test_a_source_that_blocks_its_thread_delays_nobody() -> None:
    never = threading.Event()
    blocked, well = Blocking(never), Fake([A], interval_ms=10)
    (first, batches), (second, _) = polled(blocked, 5.0), polled(well)
    task = asyncio.create_task(first.run())
    try:
        async with asyncio.timeout(10):
            while not (blocked.count > 2 and len(batches) > 2):
                before = asyncio.get_running_loop().time()
                await second.once()
                assert asyncio.get_running_loop().time() - before < 2
                await asyncio.sleep(0.01)
    finally:
        never.set()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert "hung disk has not returned" in (first.last_error or "")


def test_the_age_is_of_the_last_reading_that_succeeded_whatever_the_clock_is_set_to() -> None:
    """Of a source that fails it would be below zero for as long as the clock was set back by."""
    batches: list[list[Sample]] = []
    times = iter((NOW, NOW + 1000, NOW + 2000, NOW - 3_600_000))
    fake = Fake(SourceFailed("no"), [A], SourceFailed("no"), SourceFailed("no"))

    async def story() -> None:
        polling = Polling(fake, batches.append, lambda: next(times))
        for _ in range(4):
            await polling.once()
            await asyncio.sleep(1)

    run(story())
    assert [of(batch, "ottla_source_age_seconds") for batch in batches] == [[0.0], [0.0], [1.0], [2.0]]
