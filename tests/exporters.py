"""An exporter as tests want it: over real HTTP, or HTTPS with a CA made here."""

from __future__ import annotations

import asyncio
import gzip
import ssl
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


class Exporter:
    """Answers with `text`. `filters`: what it makes of it for the names that are asked, or nothing.

    `reply` answers instead where it is set, and has something. What was asked is in `asked` (the names) and
    `headers`.
    """

    def __init__(self) -> None:
        self.url = ""
        self.text = ""
        self.kind: str | None = TEXT
        self.gzip = False
        self.filters: Callable[[str, list[str]], str] = lambda text, _: text
        self.reply: Callable[[], web.StreamResponse | None] | None = None
        self.asked: list[list[str]] = []
        self.headers: list[dict[str, str]] = []
        self.slow = False
        self.delay = 0.0  # seconds before it answers
        self.release = asyncio.Event()  # it answers while this is set
        self.release.set()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """One scrape."""
        self.asked.append(request.query.getall("name[]", []))
        self.headers.append(dict(request.headers))
        await asyncio.sleep(self.delay)
        await self.release.wait()
        instead = self.reply() if self.reply is not None else None
        if instead is not None:
            return instead
        text = self.filters(self.text, self.asked[-1]) if self.asked[-1] else self.text
        body = gzip.compress(text.encode()) if self.gzip else text.encode()
        answer = web.StreamResponse(headers={"Content-Type": self.kind} if self.kind else {})
        if self.gzip:
            answer.headers["Content-Encoding"] = "gzip"
        await answer.prepare(request)
        await answer.write(body[:10])
        if self.slow:
            await asyncio.sleep(60)  # until the client goes
        await answer.write(body[10:])
        return answer

    @asynccontextmanager
    async def running(self, tls: ssl.SSLContext | None = None, port: int = 0) -> AsyncIterator[Exporter]:
        """Listen on loopback."""
        app = web.Application()
        app.router.add_get("/metrics", self.handle)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port, ssl_context=tls).start()
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{runner.addresses[0][1]}/metrics"
        yield self
        await runner.cleanup()


def by_family(text: str, asked: list[str]) -> str:
    """The families that were asked for, as an exporter that honours `name[]` gives them."""
    kept, keep = [], False
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            keep = line.split()[2] in asked
        if keep:
            kept.append(line)
    return "".join(f"{line}\n" for line in kept)


def certificates(folder: Path, name: str) -> None:
    """ca.pem, of a CA; server.pem, its certificate for the DNS name `name`; client.pem, one for a client."""
    run = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    run += ["-days", "2"]
    ca = ["-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=ca of the test"]
    subprocess.run(
        [*run, *ca, "-addext", "keyUsage=keyCertSign"], cwd=folder, check=True, capture_output=True
    )
    signed = ["-CA", "ca.pem", "-CAkey", "ca.key", "-addext", "basicConstraints=CA:FALSE"]
    for who, more in (("server", ["-addext", f"subjectAltName=DNS:{name}"]), ("client", [])):
        own = ["-keyout", f"{who}.key", "-out", f"{who}.pem", "-subj", f"/CN={who}", *more]
        subprocess.run([*run, *own, *signed], cwd=folder, check=True, capture_output=True)
