"""Requests that are no HTTP: answered, counted and told once a minute; a fault of ours keeps its stack."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.http_exceptions import BadHttpMessage
from fake_surface import FakeSurface

from agent.web import bodies, malformed
from agent.web.malformed import ConnectionLog
from agent.web.server import Server

TLS = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 100
LONG = b"GET /livez?" + b"x" * 70_000 + b" HTTP/1.1\r\n\r\n"
CHUNK = b"POST /api/v1/query HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"


@pytest.fixture
async def address(tmp_path: Path) -> AsyncIterator[tuple[str, int]]:
    """A server's TCP address."""
    server = Server(FakeSurface(), listen="127.0.0.1:0", path=tmp_path / "s", state=tmp_path)
    host, _, port = (await server.start()).rpartition(":")
    yield host, int(port)
    await server.close()


async def sent(address: tuple[str, int], piece: bytes) -> bytes:
    """All that comes back."""
    reader, writer = await asyncio.open_connection(*address)
    writer.write(piece)
    async with asyncio.timeout(30):
        answer = await reader.read()
    writer.close()
    return answer


async def counted(address: tuple[str, int]) -> float:
    request = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    lines = (await sent(address, request)).decode().splitlines()
    (value,) = [x.split()[1] for x in lines if x.startswith("ottla_http_malformed_requests_total ")]
    return float(value)


@pytest.mark.parametrize("request_", [TLS, LONG, CHUNK, b"FOO / HTTP/1.1\r\n\r\n"])
async def test_what_is_no_http_is_one_line_and_a_count(
    address: tuple[str, int], request_: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(5):
        assert (await sent(address, request_)).startswith(b"HTTP/1.0 400")

    (line,) = caplog.records
    assert (line.levelname, line.exc_info) == ("WARNING", None)
    assert line.getMessage().startswith("1 request that could not be read as HTTP, the last one: ")
    assert await counted(address) == 5


async def test_a_body_that_nobody_reads_and_nobody_could_is_no_fault_of_ours(
    address: tuple[str, int], caplog: pytest.LogCaptureFixture
) -> None:
    head = b"POST /livez HTTP/1.1\r\nHost: localhost\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n"
    assert b" 405 " in await sent(address, head + b"none")
    assert [r for r in caplog.records if r.exc_info] == []
    assert await counted(address) == 1


@pytest.mark.parametrize("path", ["/api/v1/query", "/api/v1/series"])
async def test_a_body_whose_sender_hangs_up_is_one_line_and_a_count(
    address: tuple[str, int], path: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Each was a stack, and a fault of ours."""
    form = "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 900\r\n"
    for _ in range(5):
        _, writer = await asyncio.open_connection(*address)
        writer.write(f"POST {path} HTTP/1.1\r\nHost: localhost\r\n{form}\r\nquery=1".encode())
        await writer.drain()
        writer.close()
    async with asyncio.timeout(30):
        while await counted(address) < 5:
            await asyncio.sleep(0.01)
    assert [(r.levelname, r.exc_info) for r in caplog.records] == [("WARNING", None)]
    assert caplog.messages[0].startswith("1 request that could not be read as HTTP, the last one: the body")


async def test_a_chunk_that_breaks_later_is_answered(
    address: tuple[str, int], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """aiohttp tells it only to who asks for the next request."""
    monkeypatch.setattr(bodies, "BODY_S", 0.5)
    reader, writer = await asyncio.open_connection(*address)
    form = b"Content-Type: application/x-www-form-urlencoded\r\nTransfer-Encoding: chunked\r\n\r\n"
    writer.write(b"POST /api/v1/query HTTP/1.1\r\nHost: localhost\r\n" + form + b"3\r\nabc\r\n")
    await writer.drain()
    assert await counted(address) == 0  # it was read
    writer.write(b"zz\r\nxx\r\n\r\n")
    async with asyncio.timeout(30):
        assert (await reader.readline()).startswith(b"HTTP/1.1 400")
    writer.close()
    assert await counted(address) >= 1
    assert [r for r in caplog.records if r.exc_info] == []


async def test_an_order_whose_sender_hangs_up_is_none_and_no_fault_of_ours(
    address: tuple[str, int], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    _, writer = await asyncio.open_unix_connection(tmp_path / "s")
    writer.write(b'POST /api/v1/undo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 13\r\n\r\n{"all": true')
    await writer.drain()
    writer.close()
    async with asyncio.timeout(30):
        while await counted(address) < 1:
            await asyncio.sleep(0.01)
    assert [r for r in caplog.records if r.exc_info] == []


async def test_a_body_that_cannot_be_unpacked_counts_once(
    address: tuple[str, int], caplog: pytest.LogCaptureFixture
) -> None:
    form = "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 4\r\n"
    head = f"POST /api/v1/query HTTP/1.1\r\nHost: localhost\r\nContent-Encoding: gzip\r\n{form}\r\n"
    assert b" 400 " in await sent(address, head.encode() + b"none")
    assert await counted(address) == 1
    assert [r for r in caplog.records if r.exc_info] == []


def test_it_is_told_once_a_minute_with_how_many_there_were(caplog: pytest.LogCaptureFixture) -> None:
    now = 0.0
    log = ConnectionLog(logging.getLogger("tried"), lambda: now)
    for at in (0.0, 1.0, 59.0, 60.0, 61.0):
        now = at
        log.exception("Error", exc_info=BadHttpMessage(f"at {at:g}"))
    told = [r.getMessage().partition(" (")[0] for r in caplog.records]
    assert told == [
        "1 request that could not be read as HTTP, the last one: at 0",
        "3 requests that could not be read as HTTP, the last one: at 60",
    ]


def test_the_peer_s_bytes_do_not_steer_a_terminal(caplog: pytest.LogCaptureFixture) -> None:
    log = ConnectionLog(logging.getLogger("tried"))
    log.exception("Error", exc_info=BadHttpMessage("a\x1b[2J\nb" + "c" * 1_000))
    (line,) = caplog.messages
    assert "'a\\x1b[2J bccc" in line
    assert len(line) < malformed.MAX_WORDS + 200


def test_a_fault_of_ours_keeps_its_stack(caplog: pytest.LogCaptureFixture) -> None:
    log = ConnectionLog(logging.getLogger("tried"))
    try:
        {}.popitem()
    except KeyError as error:
        log.exception("Error handling request from %s", "x", exc_info=error)
    log.exception("Unhandled", exc_info=web.RequestPayloadError("bad chunk"))
    first, second = caplog.records
    assert (first.getMessage(), first.levelname) == ("Error handling request from x", "ERROR")
    assert "popitem" in caplog.text
    assert second.exc_info is None
