"""The API over real sockets: what is answered, to whom, and what is refused in which words."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import pwd
import shutil
import socket
import stat
import sys
import tempfile
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from fake_surface import FakeSurface
from hung_files import LOOKS, assert_threads_are_free

from agent.quantities import LONGEST_MS
from agent.web import door
from agent.web.listeners import CannotListen
from agent.web.routes import MAX_BODY
from agent.web.server import ADDRESS_FILE, Server

ME = f"{pwd.getpwuid(os.geteuid()).pw_name} (uid {os.geteuid()})"


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that other users may enter, with a name short enough for a socket's path."""
    path = Path(tempfile.mkdtemp(prefix="ottla-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def surface() -> FakeSurface:
    return FakeSurface()


@pytest.fixture
async def address(folder: Path, surface: FakeSurface) -> AsyncIterator[str]:
    """A server's TCP address; its socket is `folder`/s."""
    server = Server(surface, listen="127.0.0.1:0", path=folder / "s", state=folder)
    yield await server.start()
    await server.close()


async def tcp(address: str, method: str, path: str, **more: Any) -> tuple[int, Any]:
    async with (
        aiohttp.ClientSession() as client,
        client.request(method, f"http://{address}{path}", **more) as answer,
    ):
        return answer.status, json.loads(await answer.read())


async def unix(file: Path, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    connector = aiohttp.UnixConnector(str(file))
    async with aiohttp.ClientSession(connector=connector) as client:
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        async with client.request(method, f"http://localhost{path}", data=data) as answer:
            return answer.status, json.loads(await answer.read())


@pytest.mark.parametrize("path", ["status", "incidents", "why?of=/d1", "actions?limit=3"])
async def test_both_ways_in_read_the_same(address: str, folder: Path, path: str) -> None:
    """Every reading route answers over TCP what it answers over the socket."""
    status, told = await tcp(address, "GET", f"/api/v1/{path}")
    assert status == 200
    assert (status, told) == await unix(folder / "s", "GET", f"/api/v1/{path}")


async def test_status_is_the_surface_s(address: str) -> None:
    _, told = await tcp(address, "GET", "/api/v1/status")
    assert (told["agent"], told["incidents"][0]["phase"]) == ("broker-2", "held")


async def test_health_follows_the_surface(address: str, surface: FakeSurface) -> None:
    """200 while well, 503 with the reason otherwise."""
    assert await tcp(address, "GET", "/livez") == (200, {"live": True})
    surface.well = False
    assert await tcp(address, "GET", "/livez") == (503, {"live": False})
    status, told = await tcp(address, "GET", "/readyz")
    assert (status, told["why"]) == (503, "the control topic is not read to its end")


async def test_metrics_are_prometheus_text(address: str) -> None:
    async with aiohttp.ClientSession() as client, client.get(f"http://{address}/metrics") as answer:
        assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        text = await answer.read()
        assert text.startswith(b"ottla_up 1\n")
        assert b"\nottla_query_places_taken 0.0\n" in text


@pytest.mark.parametrize(
    ("order", "body", "taken"),
    [
        ("pause", {"reason": "rack 3 moves", "for_ms": 60_000}, ("pause", "rack 3 moves", ME, 60_000)),
        ("resume", {}, ("resume", ME)),
        ("undo", {"incident": "i1"}, ("undo", "i1", ME)),
        ("undo", {"all": True}, ("undo", None, ME)),
        ("stop", {"handover": True}, ("stop", True, ME)),
        ("reload", {"dry_run": True}, ("reload", True, ME)),
    ],
)
async def test_orders_are_taken_on_the_socket(
    address: str, folder: Path, surface: FakeSurface, order: str, body: Any, taken: tuple[object, ...]
) -> None:
    """The agent's own user may order, and the surface is told who it was."""
    status, _ = await unix(folder / "s", "POST", f"/api/v1/{order}", body)
    assert (status, surface.orders) == (200, [taken])


async def test_who_orders_is_known_by_his_number_where_the_name_service_hangs(
    address: str, folder: Path, surface: FakeSurface, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As sssd may, which asks the network. It costs one thread, and each order but the first no time."""
    works, told = threading.Event(), f"uid {os.geteuid()}"
    monkeypatch.setattr(door, "NAME_S", 0.2)
    monkeypatch.setattr(pwd, "getpwuid", lambda _: works.wait(60))
    try:
        async with asyncio.timeout(20):
            for _ in range(LOOKS):
                assert (await unix(folder / "s", "POST", "/api/v1/resume", {}))[0] == 200
        await assert_threads_are_free()
    finally:
        works.set()
    assert surface.orders == [("resume", told)] * LOOKS


async def test_orders_are_refused_over_tcp(address: str, surface: FakeSurface) -> None:
    status, told = await tcp(address, "POST", "/api/v1/stop", data=b"{}")
    assert (status, surface.orders) == (403, [])
    assert told["error"].startswith("/api/v1/stop is taken on the unix socket only")


async def test_a_refusal_comes_in_the_surface_s_words(
    address: str, folder: Path, surface: FakeSurface
) -> None:
    surface.refusal = "the stop file stands: disks are being exchanged"
    assert await unix(folder / "s", "POST", "/api/v1/undo", {"all": True}) == (
        409,
        {"error": surface.refusal},
    )


@pytest.mark.parametrize(
    ("order", "body", "words"),
    [
        ("undo", {}, "say what to undo"),
        ("undo", {"incident": "i1", "all": True}, "say what to undo"),
        ("undo", {"incidents": "i1"}, "unknown field `incidents`"),
        ("pause", {}, "missing required field `reason`"),
        ("pause", {"reason": " "}, "a pause needs a reason"),
        ("pause", {"reason": "x", "for_ms": -1}, "a duration above 0"),
        ("pause", {"reason": "x", "for_ms": LONGEST_MS + 1}, "a duration above 0"),
        ("stop", {"handover": "yes"}, "Expected `bool`"),
        ("stop", b"{", "bad body"),
        ("stop", b"\xff", "bad body"),
        ("pause", b'{"reason": "\xff"}', "bad body: 'utf-8' codec can't decode byte 0xff"),
    ],
)
async def test_a_bad_body_is_told_in_words(
    address: str, folder: Path, surface: FakeSurface, order: str, body: Any, words: str
) -> None:
    """400, and nothing is ordered."""
    status, told = await unix(folder / "s", "POST", f"/api/v1/{order}", body)
    assert (status, surface.orders) == (400, [])
    assert words in told["error"]


async def test_a_body_that_is_not_compressed_as_it_says_is_told_in_words(address: str, folder: Path) -> None:
    """In each API's own form."""
    of = {"Content-Encoding": "gzip", "Content-Type": "application/x-www-form-urlencoded"}
    for path, kind in (("query", "bad_data"), ("resume", None)):
        async with (
            aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(folder / "s"))) as client,
            client.post(f"http://localhost/api/v1/{path}", data=b"query=up", headers=of) as answer,
        ):
            told = json.loads(await answer.read())
            assert answer.status == 400
            assert "Can not decode content-encoding: gzip" in told["error"]
            assert told.get("errorType") == kind


async def test_a_body_has_a_limit(address: str, folder: Path) -> None:
    status, told = await unix(folder / "s", "POST", "/api/v1/pause", {"reason": "x" * MAX_BODY})
    assert (status, told) == (413, {"error": "the body is too large: at most 65536 bytes"})


@pytest.mark.parametrize(
    ("method", "path", "status", "words"),
    [
        ("GET", "/api/v2", 404, "there is nothing at /api/v2"),
        ("DELETE", "/api/v1/status", 405, "/api/v1/status takes GET, not DELETE"),
        ("GET", "/api/v1/why", 400, "say of what"),
        ("GET", "/api/v1/why?of=" + "x" * 1001, 400, "say of what in at most 1000 characters"),
        ("GET", "/api/v1/actions?limit=0", 400, "limit='0': a number from 1 to 1000"),
        ("GET", "/api/v1/actions?limit=many", 400, "limit='many'"),
        ("GET", "/api/v1/actions?limit=00000000" + "1" * 5_000, 400, "1': a number from 1 to 1000"),
        ("GET", "/api/v1/actions?limit=000000001999", 400, "a number from 1 to 1000"),
    ],
)
async def test_errors_are_json_in_words(
    address: str, method: str, path: str, status: int, words: str
) -> None:
    got, told = await tcp(address, method, path)
    assert got == status
    assert words in told["error"]


async def test_a_fault_of_ours_is_json_in_words_too(
    address: str, surface: FakeSurface, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """And in the log, with where it was."""
    monkeypatch.setattr(surface, "live", {}.popitem)

    status, told = await tcp(address, "GET", "/livez")

    assert status == 500
    assert told["error"].startswith("a fault of the agent's, see its log: KeyError")
    assert "GET /livez ended by a fault of ours" in caplog.text
    assert "popitem" in caplog.text


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "", "["])
async def test_a_foreign_host_is_refused(address: str, host: str) -> None:
    """A page whose name was rebound to 127.0.0.1 sends its own name."""
    assert (await raw(address, f"GET /api/v1/status HTTP/1.1\r\nHost: {host}\r\n\r\n"))[:12] in (
        b"HTTP/1.1 403",
        b"HTTP/1.1 400",
    )


@pytest.mark.parametrize("host", ["localhost:1", "127.0.0.1", "127.8.8.8", "[::1]:99", "LOCALHOST"])
async def test_names_of_this_machine_are_served(address: str, host: str) -> None:
    answer = await raw(address, f"GET /livez HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200")


async def raw(address: str, request: str) -> bytes:
    """The first bytes that come back."""
    host, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(request.encode())
    async with asyncio.timeout(5):
        answer = await reader.read(4096)
    writer.close()
    await writer.wait_closed()
    return answer


async def test_too_many_connections_are_turned_away(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With every place taken the next is told so; when one leaves, there is room."""
    monkeypatch.setattr(door, "MAX_CONNECTIONS", 2)
    host, _, port = address.rpartition(":")
    held = [await asyncio.open_connection(host, int(port)) for _ in range(2)]
    request = "GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    for reader, writer in held:  # answered, so the server has surely let them in
        writer.write(request.replace("Connection: close\r\n", "").encode())
        assert (await reader.read(4096)).startswith(b"HTTP/1.1 200")
    assert (await raw(address, request)).startswith(b"HTTP/1.1 503")
    for _, writer in held:
        writer.close()
        await writer.wait_closed()
    async with asyncio.timeout(5):  # the server sees the end of a connection a moment later
        while not (await raw(address, request)).startswith(b"HTTP/1.1 200"):
            await asyncio.sleep(0.01)


async def test_a_connection_does_not_last_for_ever(
    address: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that never says anything loses its place."""
    monkeypatch.setattr(door, "MAX_CONNECTION_S", 0.05)
    reader, writer = await asyncio.open_unix_connection(str(folder / "s"))
    async with asyncio.timeout(5):
        assert await reader.read() == b""
    writer.close()
    await writer.wait_closed()


async def test_a_connection_that_has_ended_leaves_nothing_in_memory(address: str) -> None:
    """Each left its handler there for two minutes."""
    request = "GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    for _ in range(50):
        assert (await raw(address, request)).startswith(b"HTTP/1.1 200")
    async with asyncio.timeout(5):  # the server sees the end of the last one a moment later
        while handlers():
            await asyncio.sleep(0.01)


def handlers() -> int:
    """Those that are in memory."""
    gc.collect()
    return sum(isinstance(one, web.RequestHandler) for one in gc.get_objects())


async def test_the_address_is_told_in_a_file(address: str, folder: Path) -> None:
    assert (folder / ADDRESS_FILE).read_text() == f"{address}\n"
    assert not address.endswith(":0")


async def test_the_socket_is_for_owner_and_group(address: str, folder: Path) -> None:
    assert stat.S_IMODE((folder / "s").stat().st_mode) == 0o660


# The checkout may lie where a stranger cannot enter; the script needs the standard library only.
STRANGERS_PYTHON = shutil.which("python3", path="/usr/bin:/bin") or sys.executable
STRANGER = """
import http.client, socket, sys
for method, path in (("GET", "/api/v1/status"), ("POST", "/api/v1/query?query=1"), ("POST", "/api/v1/stop")):
    client = http.client.HTTPConnection("localhost", timeout=10)
    client.sock = socket.socket(socket.AF_UNIX)
    client.sock.connect(sys.argv[1])
    client.request(method, path, headers={"Connection": "close"})
    answer = client.getresponse()
    print(answer.status, answer.read().decode() if method == "POST" else "")
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
async def test_another_user_may_look_and_not_order(address: str, folder: Path, surface: FakeSurface) -> None:
    """The kernel says who is at the other end; being in the socket's group is enough to read."""
    child = await asyncio.create_subprocess_exec(
        STRANGERS_PYTHON, "-c", STRANGER, str(folder / "s"),
        stdout=-1, user=65534, group=os.getegid(), extra_groups=[],
    )  # fmt: skip
    out, _ = await asyncio.wait_for(child.communicate(), 20)
    looked, asked, ordered = out.decode().strip().splitlines()
    assert looked.strip() == "200"
    assert asked.startswith('200 {"status":"success"')  # a POST that only asks
    assert ordered.startswith("403")
    assert "(uid 65534) may look, not order: be root or root (uid 0)" in ordered
    assert surface.orders == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
async def test_a_user_outside_the_group_cannot_connect(address: str, folder: Path) -> None:
    child = await asyncio.create_subprocess_exec(
        STRANGERS_PYTHON, "-c", STRANGER, str(folder / "s"),
        stdout=-1, stderr=-1, user=65534, group=65534, extra_groups=[],
    )  # fmt: skip
    _, err = await asyncio.wait_for(child.communicate(), 20)
    assert b"PermissionError" in err


async def test_a_socket_that_nobody_answers_is_replaced(folder: Path, surface: FakeSurface) -> None:
    """What a crash left behind does not keep the next agent from starting."""
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(folder / "s"))
    left.close()
    server = Server(surface, listen="127.0.0.1:0", path=folder / "s", state=folder)
    await server.start()
    assert (await unix(folder / "s", "GET", "/livez"))[0] == 200
    await server.close()
    assert not (folder / "s").exists()


async def test_a_socket_that_answers_is_left_alone(address: str, folder: Path, surface: FakeSurface) -> None:
    second = Server(surface, listen="127.0.0.1:0", path=folder / "s", state=folder)
    with pytest.raises(CannotListen, match="another agent answers there"):
        await second.start()
    assert (await unix(folder / "s", "GET", "/livez"))[0] == 200


async def test_a_file_of_another_kind_is_left_alone(folder: Path, surface: FakeSurface) -> None:
    (folder / "s").write_text("precious")
    with pytest.raises(CannotListen, match="a file of another kind"):
        await Server(surface, listen="127.0.0.1:0", path=folder / "s", state=folder).start()
    assert (folder / "s").read_text() == "precious"


@pytest.mark.parametrize(
    ("listen", "words"),
    [
        ("0.0.0.0:9901", "only loopback is served"),
        ("[::]:9901", "only loopback is served"),
        ("broker-2.example:9901", "only loopback is served"),
        ("127.0.0.1", "write it like"),
        ("127.0.0.1:70000", "write it like"),
        (":9901", "only loopback is served"),
    ],
)
async def test_an_address_that_cannot_be_served_is_refused_in_words(
    folder: Path, surface: FakeSurface, listen: str, words: str
) -> None:
    with pytest.raises(CannotListen, match=words):
        await Server(surface, listen=listen, path=folder / "s", state=folder).start()


async def test_a_taken_port_is_named(address: str, folder: Path, surface: FakeSurface) -> None:
    with pytest.raises(CannotListen, match=f"'{address}': another process has it; choose another port"):
        await Server(surface, listen=address, path=folder / "t", state=folder).start()
