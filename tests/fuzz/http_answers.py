"""What exporters and Jolokia answer by HTTP, damaged: in its text, as it is packed, or in what HTTP says."""

from __future__ import annotations

import asyncio
import gzip
import random
import re
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial

import expositions
import jolokia_answers as jolokia
import numpy as np
from at_once import at_once
from damage import damaged
from hypothesis import event, given
from hypothesis import strategies as st

from agent.model import Labels, Sample
from agent.promql.vectors import is_stale
from agent.sources import Source, SourceFailed
from agent.sources.exposition import Exposition
from agent.sources.exposition_http import Target
from agent.sources.jolokia import Jolokia, Known

NOW = 1_700_000_000_000
_AHEAD_MS = 600_000  # the furthest future of a sample
_PLACES = ("text", "packing", "http")
_BYTES = (b"\x00", b"\xff", b"\x1f\x8b\x08\x00", b"\x1f\x8b", gzip.compress(b"a 1\n" * 9_000, mtime=0))
_HTTP = (
    b"\r\n", b"\n", b":", b" ", b"0", b"-1", b"Transfer-Encoding: chunked\r\n", b"Content-Encoding: br\r\n",
    b"Content-Encoding: deflate\r\n", b"Content-Length: 5\r\n", b"Location: /x\r\n", b"HTTP/1.0", b"204",
    b"302", b"500", b"\x00", b"\xff", b"x" * 9_000,
)  # fmt: skip
_NUMBERS = st.integers(0, 2**64 - 1)  # of a generator: what the server sends is drawn in tasks of its own
_LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)
Series = tuple[str, Labels]
Send = Callable[[random.Random, str | None], bytes]


@given(_NUMBERS)
def exposition_answers(number: int) -> None:
    """A reading gives sound samples, or fails in words; either way it ends what is gone, and no more."""
    dice = random.Random(number)
    openmetrics, names = dice.random() < 0.5, dice.choice((frozenset({"a"}), frozenset({"a", "kafka_x"})))
    text = expositions.body_of(expositions.TRICKY, openmetrics=openmetrics)
    kind = b"application/openmetrics-text" if openmetrics else b"text/plain"
    expected = expositions.read(text, names, openmetrics=openmetrics)[0]

    def source(url: str) -> Exposition:
        made = Exposition(Target(url, max_samples=dice.choice((5, 50_000))), 1000, deadline=5)
        made.select(names)
        return made

    values = {series: value for series, (value, _) in expected.items()}
    asyncio.run(_story(dice, source, partial(_sent, text, kind, expositions.PIECES), values))


@given(_NUMBERS)
def jolokia_answers(number: int) -> None:
    """A reading gives sound samples, or fails in words."""
    dice = random.Random(number)
    table = {"g": jolokia.GAUGE, "l": jolokia.LOWER, "o": jolokia.ONE}
    text = jolokia.answer(jolokia.OF_PATTERN, jolokia.OF_ONE)

    def source(url: str) -> Jolokia:
        made = Jolokia(Known(url), frozenset(table), 1000)
        made.select(frozenset(table), table)
        return made

    topic = (("topic", 'a"b'),)
    values = {("g", topic): "1.5", ("g", (("area", "u"), *topic)): "7.0", ("o", ()): "inf"}
    asyncio.run(_story(dice, source, partial(_sent, text, b"text/plain", jolokia.PIECES), values))


async def _story(
    dice: random.Random, make: Callable[[str], Source], send: Send, expected: dict[Series, str]
) -> None:
    """Some readings of damaged answers, and between them some of sound ones, which are read as they are."""
    places = [None, *dice.choices((None, *_PLACES), k=3), None]
    sent: list[bytes] = []

    def answer() -> bytes:
        sent.append(send(dice, places[turn]))
        return sent[-1]

    async with _answering(answer) as url:
        source, live = make(url), set[Series]()
        for turn, place in enumerate(places):
            sent.clear()
            began = time.process_time()
            try:
                samples = await _reading(source, NOW + turn, is_sound=place is None)
                live = _look_at(samples, live if source.partial else set(), NOW + turn)
                if place is None:
                    assert _values(samples) == expected
            except Exception as error:
                error.add_note(f"after {sent!r}")
                raise
            at_once(began, repr(sent))


async def _reading(source: Source, now: int, *, is_sound: bool) -> list[Sample]:
    failed: SourceFailed | None = None
    try:
        return await source.read(now)
    except SourceFailed as error:
        failed = error
    event("fails")
    assert failed.why
    assert not is_sound, failed.why
    return list(failed.samples)


def _look_at(samples: Sequence[Sample], live: set[Series], now: int) -> set[Series]:
    """That they are sound, and end those that were `live`; which are now."""
    theirs = [sample for sample in samples if not _is_own(sample)]
    ended = [(sample.name, sample.labels) for sample in theirs if _ends(sample)]
    there = {(sample.name, sample.labels): sample.at for sample in theirs if not _ends(sample)}
    assert len(there) + len(ended) == len(theirs)
    for sample in theirs:
        assert isinstance(sample.value, float)
        assert sample.at <= now + _AHEAD_MS
        assert len({name for name, _ in sample.labels}) == len(sample.labels)
        assert all(name.isidentifier() and value.encode() is not None for name, value in sample.labels)
    given = {series for series, at in there.items() if at == now}
    assert sorted(ended) == sorted(live - given)
    return given


def _values(samples: Sequence[Sample]) -> dict[Series, str]:
    return {(s.name, s.labels): repr(s.value) for s in samples if not _is_own(s) and not _ends(s)}


def _is_own(sample: Sample) -> bool:
    return sample.name == "up" or sample.name.startswith("ottla_")


def _ends(sample: Sample) -> bool:
    return bool(is_stale(np.array([sample.value]))[0])


def _sent(text: bytes, kind: bytes, pieces: Sequence[bytes], dice: random.Random, place: str | None) -> bytes:
    """An answer, all of it, that is damaged at this place."""
    body = damaged(text, dice, pieces) if place == "text" else text
    head = b"HTTP/1.1 200 OK\r\nContent-Type: " + kind
    if place == "packing" or dice.random() < 0.3:
        body, head = gzip.compress(body, mtime=0), head + b"\r\nContent-Encoding: gzip"
    if place == "packing":
        body = damaged(body, dice, _BYTES)
    match dice.randrange(3):  # else its end is that of the connection
        case 0:
            head += b"\r\nContent-Length: %d" % len(body)
        case 1:
            head += b"\r\nTransfer-Encoding: chunked"
            body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    answer = head + b"\r\n\r\n" + body
    return damaged(answer, dice, _HTTP) if place == "http" else answer


@asynccontextmanager
async def _answering(make: Callable[[], bytes]) -> AsyncIterator[str]:
    """The URL of a server that sends these bytes for each request, and closes."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, EOFError):
            length = _LENGTH.search(await reader.readuntil(b"\r\n\r\n"))
            await reader.readexactly(int(length[1]) if length else 0)
            writer.write(make())
            await writer.drain()
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        try:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/metrics"
        finally:
            while others := asyncio.all_tasks() - {asyncio.current_task()}:  # each ends with its client
                await asyncio.wait(others)
