"""Parts of the host that err or hang hide no other, and are read only where rules ask for them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest

from agent.model import Sample
from agent.promql.nodes import LOOKBACK_MS
from agent.series import Series
from agent.sources import MetricInfo
from agent.sources.kernel import Kernel, Reading


class SomePart:
    """Yields 1 under its name, then fails or hangs as it is told."""

    def __init__(self, name: str, error: Exception | None = None) -> None:
        self.name = name
        self.metrics = (MetricInfo(f"host_{name}", "gauge", "", "x"),)
        self.error = error
        self.reads = 0
        self.go = threading.Event()
        self.go.set()
        self.known = True

    def read(self, wanted: frozenset[str]) -> Iterator[Reading]:
        """See Part."""
        self.reads += 1
        if self.known:
            yield f"host_{self.name}", (), 1.0
        self.go.wait(60)
        if self.error is not None:
            raise self.error


async def seen(series: Series, own: Kernel, at: int) -> dict[str, float]:
    """What rules see right after a reading."""
    series.add(await own.read(at))
    newest = series.latest(None, (), at - LOOKBACK_MS, at)
    names = [dict(labels)["__name__"] for labels in newest.rows.labels]
    return {n: v for n, v, f in zip(names, newest.values.tolist(), newest.found, strict=True) if f}


def kernel(*parts: SomePart, deadline: float = 20.0) -> Kernel:
    """All of which rules ask for."""
    own = Kernel(parts, 1000, deadline)
    own.wanted = frozenset(metric.name for metric in own.metrics)
    return own


def values(samples: list[Sample]) -> dict[str, float]:
    """By name; what could not be read by its part."""
    return {
        s.name if s.name != "host_unread_total" else f"unread {dict(s.labels)['part']}": s.value
        for s in samples
    }


async def test_only_what_rules_ask_for_is_read() -> None:
    """Cost follows the rules."""
    one, other = SomePart("one"), SomePart("other")
    own = Kernel([one, other], 1000)

    assert await own.read(5) == []
    own.wanted = frozenset({"host_other", "host_unread_total"})
    assert values(await own.read(6)) == {"host_other": 1, "unread other": 0}
    assert (one.reads, other.reads) == (0, 1)


@pytest.mark.parametrize(
    "error", [FileNotFoundError("no such file"), ValueError("no number"), PermissionError()]
)
async def test_a_part_that_errs_is_counted_and_told_once(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    """What it gave before the error counts; after a success it may be told again."""
    bad, well = SomePart("bad", error), SomePart("well")
    own = kernel(bad, well)

    await own.read(5)
    assert values(await own.read(6)) == {"host_bad": 1, "host_well": 1, "unread bad": 2, "unread well": 0}
    assert len(caplog.records) == 1
    assert (str(error) or "PermissionError") in caplog.text
    bad.error = None
    await own.read(7)
    bad.error = error
    await own.read(8)
    assert len(caplog.records) == 2


async def test_a_fault_of_ours_is_not_swallowed() -> None:
    """Only what the kernel's files can bring about is counted."""
    with pytest.raises(ZeroDivisionError):
        await kernel(SomePart("bad", ZeroDivisionError())).read(5)


async def test_a_part_that_hangs_is_alone_from_then_on() -> None:
    """At most one thread is lost to it; the others miss one reading, and it comes back by itself."""
    first, hung, last = SomePart("first"), SomePart("hung"), SomePart("last")
    own = kernel(first, hung, last, deadline=2.0)
    before = set(threading.enumerate())
    hung.go.clear()
    try:
        seen = values(await own.read(5))
        assert (seen["host_first"], seen["unread hung"], seen["unread last"]) == (1, 1, 1)
        own._deadline = 20.0  # that it hangs is known: nobody waits for it again
        for _ in range(2):
            seen = values(await own.read(5))
        assert (seen["host_first"], seen["host_last"], seen["unread last"]) == (1, 1, 1)
        assert (hung.reads, seen["unread hung"]) == (1, 3)
        begun = set(threading.enumerate()) - before
        assert [t.name for t in begun].count("reading of the host") == 2  # its own, and that of the others
    finally:
        hung.go.set()
    async with asyncio.timeout(20):  # it has returned, and tells the loop
        while own._threads["hung"]._busy:
            await asyncio.sleep(0.01)
    assert values(await own.read(6))["unread hung"] == 3
    assert hung.reads == 2


@pytest.mark.parametrize("error", [None, OSError("no answer")])
async def test_what_a_part_does_not_know_any_more_ends(error: Exception | None) -> None:
    """At once, whether it says so or fails: its last value must not pass for a new one for five minutes."""
    part, other, series = SomePart("part"), SomePart("other"), Series(3_600_000)
    own = kernel(part, other)
    assert "host_part" in await seen(series, own, 1000)

    part.known, part.error = False, error
    assert (await seen(series, own, 2000)).keys() == {"host_other", "host_unread_total"}

    part.known, part.error = True, None
    assert "host_part" in await seen(series, own, 3000)


@pytest.mark.parametrize(
    ("error", "in_doubt"),
    [
        (None, False),
        (FileNotFoundError("no /proc/pressure"), False),
        (ProcessLookupError(), False),
        (PermissionError(), True),
        (OSError("no answer"), True),
        (ValueError("no number"), True),
    ],
)
async def test_what_a_part_did_not_give_is_unread_where_it_failed_to_look(
    error: Exception | None, in_doubt: bool
) -> None:
    """What is not there is known not to be; and what was given before the error was read."""
    part = SomePart("part", error)
    own = kernel(part, SomePart("other"))
    await own.read(1000)
    assert own.unread == frozenset()

    part.known = False
    await own.read(2000)
    assert own.unread == ({"host_part"} if in_doubt else frozenset())


async def test_of_parts_that_share_a_thread_only_the_one_that_hangs_is_unread() -> None:
    """Now and as long as it hangs; the others are read again with the next reading."""
    first, hung, last = SomePart("first"), SomePart("hung"), SomePart("last")
    own = kernel(first, hung, last, deadline=2.0)
    hung.known = False
    hung.go.clear()
    try:
        for at in (1000, 2000):
            await own.read(at)
            assert own.unread == {"host_hung"}
    finally:
        hung.go.set()


async def test_of_parts_that_share_a_thread_only_the_one_that_hangs_ends() -> None:
    """Those behind it were not begun: of them nobody knows anything, and the next reading has them again."""
    hung, last, series = SomePart("hung"), SomePart("last"), Series(3_600_000)
    own = kernel(hung, last, deadline=2.0)
    assert {"host_hung", "host_last"} <= (await seen(series, own, 1000)).keys()
    hung.go.clear()
    hung.known = False
    try:
        for at in (2000, 3000):
            found = await seen(series, own, at)
            assert "host_last" in found
            assert "host_hung" not in found
    finally:
        hung.go.set()
