"""A command that is loaded reads no certificate authorities, and yet trusts whom the system trusts."""

from __future__ import annotations

import asyncio
import os
import ssl
import subprocess
import sys
from pathlib import Path

import pytest
from aiohttp import web
from certificates import self_signed

_ASK_JOLOKIA = """
from agent.sources.jolokia import Jolokia, Known
asyncio.run(Jolokia(Known(sys.argv[1]), frozenset(), 1000).read(0))
"""
_ASK_PROMETHEUS = """
from agent.recording.prometheus import Prometheus
async def ask():
    async with Prometheus(sys.argv[1]) as server:
        await server.now()
asyncio.run(ask())
"""
_HOW = """
import asyncio, os, sys
from agent.commands.loading import loaded
before = dict(os.environ)
loaded("agent.commands.run:run")
assert dict(os.environ) == before, "the environment is as it was"
from aiohttp import connector
for context in (connector._SSL_CONTEXT_VERIFIED, connector._SSL_CONTEXT_UNVERIFIED):
    assert not context.get_ca_certs(), "aiohttp has read the authorities"
"""


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """And its key."""
    return self_signed(tmp_path_factory.mktemp("tls"), "server")


@pytest.mark.parametrize("ask", [_ASK_JOLOKIA, _ASK_PROMETHEUS], ids=["jolokia", "prometheus"])
async def test_clients_trust_whom_the_system_trusts(ask: str, certificate: tuple[Path, Path]) -> None:
    """And nobody else."""
    async with asyncio.timeout(60):
        url, runner = await _serving(certificate)
        known = await _run(_HOW + ask, url, {"SSL_CERT_FILE": str(certificate[0])})
        stranger = await _run(_HOW + ask, url, {"SSL_CERT_FILE": os.devnull})
        await runner.cleanup()
    assert known[0] == 0, known[1]
    assert stranger[0] == 1
    assert "certificate verify failed" in stranger[1]


def test_a_module_that_cannot_be_loaded_leaves_everything_as_it_was() -> None:
    """Garbage is looked for again, and the authorities are found again."""
    code = """
import gc, os
from agent.commands.loading import loaded
try:
    loaded("agent.commands.nothing:nothing")
except ModuleNotFoundError:
    print(gc.isenabled(), os.environ.get("SSL_CERT_FILE"))
"""
    clean = {name: value for name, value in os.environ.items() if name != "SSL_CERT_FILE"}
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=clean)
    assert ran.stdout.strip() == "True None", ran.stdout + ran.stderr


async def _serving(certificate: tuple[Path, Path]) -> tuple[str, web.AppRunner]:
    """A server over TLS that is a Jolokia and a Prometheus."""
    application = web.Application()
    application.router.add_post("/", _as_jolokia)
    application.router.add_post("/api/v1/query", _as_prometheus)
    runner = web.AppRunner(application)
    await runner.setup()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    return f"https://127.0.0.1:{runner.addresses[0][1]}", runner


async def _as_jolokia(request: web.Request) -> web.Response:
    return web.json_response([{"status": 404, "error": "no MBean"} for _ in await request.json()])


async def _as_prometheus(_: web.Request) -> web.Response:
    return web.json_response({"status": "success", "data": {"resultType": "scalar", "result": [1.0, "1"]}})


async def _run(code: str, url: str, environment: dict[str, str]) -> tuple[int | None, str]:
    """Exit code and stderr."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, url, stderr=asyncio.subprocess.PIPE, env={**os.environ, **environment}
    )
    _, told = await child.communicate()
    return child.returncode, told.decode()
