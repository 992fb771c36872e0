"""What may come back from an exporter, and who it believes us to be: over real HTTP and HTTPS."""

from __future__ import annotations

import asyncio
import base64
import gzip
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from exporters import TEXT, Exporter, certificates

from agent.sources import SourceFailed
from agent.sources.exposition import Exposition
from agent.sources.exposition_http import PIECE, Fetch, Target
from agent.sources.tls_files import TlsFiles

BODY = "# TYPE a gauge\na 1\n"
HOST = "exporter.test"


@pytest.fixture
async def exporter() -> AsyncIterator[Exporter]:
    """One over HTTP."""
    own = Exporter()
    own.text = BODY
    async with own.running():
        yield own


async def read(target: Target, deadline: float = 5) -> float | str:
    """The value of `a`, or why there is none."""
    source = Exposition(target, 1000, deadline=deadline)
    source.select(frozenset({"a"}))
    try:
        samples = await source.read(1)
    except SourceFailed as error:
        return error.why
    return next(sample.value for sample in samples if sample.name == "a")


async def test_basic_and_bearer(exporter: Exporter, tmp_path: Path) -> None:
    """The secret's file is read for each scrape, since tokens are renewed."""
    secret = tmp_path / "secret"
    secret.write_text("p:w\nremark\n")
    source = Exposition(Target(exporter.url, username="me", password_file=str(secret)), 1000)
    for password in ("p:w", "new"):
        secret.write_text(f"{password}\nremark\n")
        await source.read(1)
        sent = exporter.headers[-1]["Authorization"]
        assert base64.b64decode(sent.removeprefix("Basic ")).decode() == f"me:{password}"
    await read(Target(exporter.url, bearer_token_file=str(secret)))
    assert exporter.headers[-1]["Authorization"] == "Bearer new"

    secret.unlink()
    assert "a file of the target exposition" in str(
        await read(Target(exporter.url, bearer_token_file=str(secret)))
    )


@pytest.mark.parametrize("secret", ["abc\x0bdef\n", "\0\0", "abc\rdef\n", "abc\x7f"])
async def test_a_secret_that_no_header_may_have_fails_the_scrape(
    exporter: Exporter, secret: str, tmp_path: Path
) -> None:
    """It ended the whole agent. The file is named, and nothing is sent."""
    file = tmp_path / "secret"
    file.write_bytes(secret.encode())
    for target in (
        Target(exporter.url, bearer_token_file=str(file)),
        Target(exporter.url, username="me", password_file=str(file)),
    ):
        why = str(await read(target))
        assert f"a file of the target exposition: {file} has a control character, U+00" in why
        assert "abc" not in why.replace(str(file), "")
    assert exporter.headers == []


async def test_a_host_that_no_name_can_be_fails_the_scrape() -> None:
    """A label of more than 63 characters is refused by the look-up's own encoding."""
    url = f"http://{'a' * 70}.example/metrics"
    assert f"{url} cannot be asked: " in str(await read(Target(url)))


async def test_gzip_is_unpacked(exporter: Exporter) -> None:
    """Asked for, and in several members."""
    exporter.gzip = True
    assert await read(Target(exporter.url)) == 1.0
    assert exporter.headers[-1]["Accept-Encoding"] == "gzip"

    parts = gzip.compress(b"# TYPE a gauge\n") + gzip.compress(b"a 2\n")
    packed = {"Content-Type": TEXT, "Content-Encoding": "gzip"}
    exporter.reply = lambda: web.Response(body=parts, headers=packed)
    assert await read(Target(exporter.url)) == 2.0


@pytest.mark.parametrize(("cut", "said"), [(-3, "gzip that was cut off"), (12, "gzip that")])
async def test_gzip_that_is_cut_or_broken_is_refused(exporter: Exporter, cut: int, said: str) -> None:
    """Half a body is none."""
    body = gzip.compress(BODY.encode() * 100)
    broken = body[:cut] if cut < 0 else body[:cut] + b"\xff\xff" + body[cut + 2 :]
    packed = {"Content-Type": TEXT, "Content-Encoding": "gzip"}
    exporter.reply = lambda: web.Response(body=broken, headers=packed)
    assert said in str(await read(Target(exporter.url)))


async def test_a_body_over_the_limit_is_refused(exporter: Exporter) -> None:
    """As it is unpacked: a few packed bytes may be very many."""
    exporter.text = BODY + "# padding\n" * 200_000
    for packed in (False, True):
        exporter.gzip = packed
        why = str(await read(Target(exporter.url, max_body=1 << 20)))
        assert "has more than 1 MiB: raise max_body, or filter there" in why
        assert await read(Target(exporter.url)) == 1.0


async def test_a_large_body_is_handed_on_in_small_pieces(exporter: Exporter) -> None:
    """To learn what stands in one holds the event loop: 20 ms for 64 KiB of new series."""
    exporter.text = BODY + "# padding\n" * 100_000
    for packed in (False, True):
        exporter.gzip = packed
        async with Fetch(Target(exporter.url), 5).opened(()) as answer:
            pieces = [piece async for piece in answer.pieces]
        assert b"".join(pieces) == exporter.text.encode()
        assert max(map(len, pieces)) < 2 * PIECE == 128 << 10


async def test_a_refused_body_is_counted(exporter: Exporter) -> None:
    """By reason."""
    exporter.text = BODY * 1_000
    source = Exposition(Target(exporter.url, max_body=1 << 10), 1000)
    for count in (1.0, 2.0):
        with pytest.raises(SourceFailed) as caught:
            await source.read(1)
        name, labels = (
            "ottla_exposition_refused_bodies_total",
            (("reason", "too_large"), ("source", source.name)),
        )
        assert [s.value for s in caught.value.samples if (s.name, s.labels) == (name, labels)] == [count]


async def test_a_slow_body_ends_at_the_deadline(exporter: Exporter) -> None:
    """Its beginning came at once."""
    exporter.slow = True
    loop = asyncio.get_running_loop()
    began = loop.time()
    assert "did not answer all within 0.3 s" in str(await read(Target(exporter.url), deadline=0.3))
    assert loop.time() - began < 5


async def test_a_body_that_ends_too_early_is_refused(exporter: Exporter) -> None:
    """By the length that was promised."""

    def reply() -> web.StreamResponse:
        answer = web.Response(text=BODY)
        answer.headers["Content-Length"] = "1000"
        return answer

    exporter.reply = reply
    assert "no answer from" in str(await read(Target(exporter.url)))


async def test_a_body_that_may_be_cut_off_is_refused() -> None:
    """Where the end of the connection is the end of the body, a line without end may be half a number."""
    bodies = [b"# TYPE a gauge\na 12", b"# TYPE a gauge\na 123\n"]

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\n" + bodies.pop(0))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        target = Target(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/metrics")
        assert "ends within a line, and nothing tells whether it was cut off" in str(await read(target))
        assert await read(target) == 123.0


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (lambda: web.Response(status=500), "answered HTTP 500 Internal Server Error"),
        (lambda: web.Response(status=401), "answered HTTP 401 Unauthorized: check the login of this target"),
        (
            lambda: web.Response(status=302, headers={"Location": "http://elsewhere/"}),
            "it points to 'http://elsewhere/', which is not followed; write the URL that answers",
        ),
        (
            lambda: web.Response(text="<html>", content_type="text/html"),
            "is no exposition: its Content-Type is text/html, not text/plain",
        ),
        (
            lambda: web.Response(text=BODY, headers={"Content-Encoding": "br"}),
            "packed its answer as 'br', which was not asked for",
        ),
    ],
)  # fmt: skip
async def test_other_answers_are_failures_that_say_what_to_do(
    exporter: Exporter, reply: object, said: str
) -> None:
    """None is taken for a body."""
    exporter.reply = reply  # type: ignore[assignment]
    assert said in str(await read(Target(exporter.url)))


async def test_nobody_listens() -> None:
    """A refused connection is a failure, too."""
    assert "no answer from http://127.0.0.1:9/metrics" in str(
        await read(Target("http://127.0.0.1:9/metrics"))
    )


async def test_tls_with_a_ca_a_name_and_a_client_certificate(tmp_path: Path) -> None:
    """All three are needed where all three are asked for; a renewed certificate is taken up."""
    certificates(tmp_path, HOST)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(tmp_path / "server.pem", tmp_path / "server.key")
    server.load_verify_locations(tmp_path / "ca.pem")
    server.verify_mode = ssl.CERT_REQUIRED
    ca, pem, key = (str(tmp_path / name) for name in ("ca.pem", "client.pem", "client.key"))
    exporter = Exporter()
    exporter.text = BODY
    async with exporter.running(server):
        whole = Target(exporter.url, tls=TlsFiles(ca, pem, key, HOST))
        assert await read(whole) == 1.0
        for lacking, why in (
            (TlsFiles(server_name=HOST), "certificate verify failed"),
            (TlsFiles(ca, pem, key), "certificate verify failed: IP address mismatch"),
            (TlsFiles(ca, server_name=HOST), "no answer from"),
        ):
            assert why in str(await read(Target(exporter.url, tls=lacking)))

        source = Exposition(whole, 1000)
        await source.read(1)
        first = source._fetch._tls.get()
        await source.read(2)
        assert source._fetch._tls.get() is first
        (tmp_path / "ca.pem").write_bytes((tmp_path / "ca.pem").read_bytes() + b"\n")
        await source.read(3)
        assert source._fetch._tls.get() is not first
