"""A write on its own connection: sent once, in doubt without an answer, and dropped where undelivered."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import struct
import subprocess
import sys
from datetime import timedelta
from typing import Any

import pytest
from fake_broker import HANG, HANG_UP, FakeBroker
from kio.schema.errors import ErrorCode
from kio.schema.incremental_alter_configs.v1.response import (
    AlterConfigsResourceResponse,
    IncrementalAlterConfigsResponse,
)
from kio.static.primitive import i8, i32Timedelta

from agent.kafka.configs import ConfigChange, check_altered, incremental_alter_configs
from agent.kafka.connection import Security
from agent.kafka.errors import KafkaInDoubt, KafkaRefused, KafkaUnreachable
from agent.kafka.fresh import FreshRequest, Write, fresh_request

_ALTER = 44
_CALL = incremental_alter_configs("broker/1", [ConfigChange("broker/1", "k", "set", "1")])


def _altered(code: ErrorCode = ErrorCode.none) -> IncrementalAlterConfigsResponse:
    response = AlterConfigsResourceResponse(
        error_code=code, error_message=None, resource_type=i8(4), resource_name="1"
    )
    return IncrementalAlterConfigsResponse(
        throttle_time=i32Timedelta.parse(timedelta(0)), responses=(response,)
    )


async def _ready(fake: FakeBroker, deadline: float = 5.0) -> FreshRequest[None]:
    write = Write(_CALL, lambda answer: check_altered("broker/1", answer), 2_000, deadline)
    return await fresh_request(fake.address, Security(), "test", write)


async def _sent(answer: Any, deadline: float = 5.0) -> FakeBroker:
    """One request, from its connection to its answer."""
    async with FakeBroker({_ALTER: lambda _: answer}) as fake:
        request = await _ready(fake, deadline)
        try:
            assert fake.asked == []
            await request.send()
            await request.answer()
        finally:
            await request.close()
            await request.close()
    return fake


async def test_it_is_sent_once_and_answered() -> None:
    fake = await _sent(_altered())
    assert (fake.connections, fake.asked) == (1, [_ALTER])


async def test_a_no_is_a_refusal() -> None:
    with pytest.raises(KafkaRefused, match="POLICY_VIOLATION"):
        await _sent(_altered(ErrorCode.policy_violation))


@pytest.mark.parametrize("answer", [HANG, HANG_UP, b"rubbish", _altered(ErrorCode.request_timed_out)])
async def test_what_does_not_say_yes_or_no_is_in_doubt(answer: Any) -> None:
    """And nothing beneath sends it again."""
    with pytest.raises(KafkaInDoubt):
        await _sent(answer, 0.2)


async def test_a_connection_that_ended_before_sends_nothing() -> None:
    async with FakeBroker({_ALTER: lambda _: _altered()}) as fake:
        request = await _ready(fake)
        fake.hang_up()
        async with asyncio.timeout(5):
            while request._connection.connected():
                await asyncio.sleep(0.01)
        with pytest.raises(KafkaUnreachable):
            await request.send()
        await request.close()
        assert fake.asked == []


async def test_a_broker_that_lacks_the_call_is_refused_before_anything_is_sent() -> None:
    async with FakeBroker({}) as fake:
        with pytest.raises(KafkaRefused, match="does not offer it"):
            await _ready(fake)


async def test_where_nobody_listens_is_unreachable() -> None:
    async with FakeBroker({}) as fake:
        gone = fake
    with pytest.raises(KafkaUnreachable, match="cannot connect"):
        await _ready(gone)


async def test_our_kernel_gives_up_what_is_not_acknowledged_and_resets_what_is_closed() -> None:
    async with FakeBroker({_ALTER: lambda _: _altered()}) as fake:
        request = await _ready(fake)
        raw = request._connection._writer.transport.get_extra_info("socket")

        assert raw.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 2_000
        assert struct.unpack("ii", raw.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8)) == (1, 0)
        await request.close()


async def test_what_was_not_delivered_dies_with_the_connection() -> None:
    """The other side, which reads only later, finds a reset and not the request's rest."""
    found = asyncio.get_running_loop().create_future()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        (size,) = struct.unpack(">i", await reader.readexactly(4))
        _, _, correlation = struct.unpack_from(">hhi", await reader.readexactly(size))
        offered = struct.pack(">ihi", correlation, 0, 1) + struct.pack(">hhh", _ALTER, 0, 1)
        writer.write(struct.pack(">i", len(offered)) + offered)
        try:
            while await reader.read(1 << 16):
                pass
            found.set_result("an end in order")
        except ConnectionResetError:
            found.set_result("a reset")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    write = Write(_CALL, lambda answer: check_altered("broker/1", answer), 2_000, 5.0)
    request = await fresh_request(f"{host}:{port}", Security(), "test", write)
    await request.close()

    assert await asyncio.wait_for(found, 5) == "a reset"
    server.close()


async def test_without_those_options_nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """A system that has no TCP_USER_TIMEOUT might deliver it minutes later."""
    monkeypatch.setattr(socket, "TCP_USER_TIMEOUT", 30_000)
    async with FakeBroker({_ALTER: lambda _: _altered()}) as fake:
        with pytest.raises(KafkaUnreachable, match="a late delivery could not be ruled out"):
            await _ready(fake)
        assert fake.asked == []


_CUT = """
import asyncio, subprocess, sys
from agent.kafka.configs import ConfigChange, incremental_alter_configs
from agent.kafka.connection import Security
from agent.kafka.fresh import Write, fresh_request
import struct

how, ms = sys.argv[1], int(sys.argv[2])

def lo(state):
    subprocess.run(["ip", "link", "set", "lo", state], check=True)

async def main():
    got = bytearray()
    async def serve(reader, writer):
        (size,) = struct.unpack(">i", await reader.readexactly(4))
        _, _, correlation = struct.unpack_from(">hhi", await reader.readexactly(size))
        offered = struct.pack(">ihi", correlation, 0, 1) + struct.pack(">hhh", 44, 0, 1)
        writer.write(struct.pack(">i", len(offered)) + offered)
        try:
            while piece := await reader.read(1 << 16):
                got.extend(piece)
        except OSError:
            pass
    lo("up")
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    call = incremental_alter_configs("broker/1", [ConfigChange("broker/1", "k", "set", "1")])
    request = await fresh_request(f"{host}:{port}", Security(), "test", Write(call, str, ms, 5.0))
    lo("down")
    await request.send()
    await (request.close() if how == "closed" else asyncio.sleep(3))
    lo("up")
    for _ in range(25 if how == "closed" else 60):  # the kernel sends again at 0.2, 0.6, 1.4, 3, 6.2 s
        if got:
            break
        await asyncio.sleep(0.1)
    print("delivered late" if got else "never delivered")

asyncio.run(main())
"""


@pytest.mark.skipif(
    shutil.which("ip") is None or shutil.which("unshare") is None or os.geteuid() != 0,
    reason="a network namespace needs ip, unshare and root",
)
@pytest.mark.parametrize(
    ("how", "ms", "fate"),
    [
        ("closed", 60_000, "never delivered"),
        ("open", 2_000, "never delivered"),
        ("open", 60_000, "delivered late"),
    ],
)
def test_a_cut_path_delivers_nothing_when_it_is_mended(how: str, ms: int, fate: str) -> None:
    """On a real kernel, which had taken the whole request and dropped its packets: what was closed is gone by
    SO_LINGER, what stays open for 3 s by TCP_USER_TIMEOUT, and without that in time it comes."""
    command = ["unshare", "--net", sys.executable, "-c", _CUT, how, str(ms)]
    told = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if "Operation not permitted" in told.stderr:
        pytest.skip(f"no network namespace can be made here: {told.stderr}")

    assert told.stdout == f"{fate}\n", told.stderr
