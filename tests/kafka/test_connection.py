"""One connection: deadlines, lost connections, and what is known of a write that was not answered."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fake_broker import HANG, HANG_UP, FakeBroker
from hung_files import LOOKS, assert_threads_are_free, hung
from kio.schema.create_topics.v7 import CreateTopicsResponse
from kio.schema.describe_log_dirs.v5 import DescribeLogDirsResponse
from kio.schema.errors import ErrorCode
from kio.static.primitive import i32Timedelta

from agent.kafka.bridge import Call
from agent.kafka.connection import Broker, Security
from agent.kafka.errors import KafkaInDoubt, KafkaOwnFiles, KafkaRefused, KafkaUnreachable
from agent.kafka.log_dirs import describe_log_dirs
from agent.kafka.topics import NewTopic, create_topics

_LOG_DIRS, _CREATE = 35, 19
_NOW = i32Timedelta.parse(timedelta(0))
_READ = describe_log_dirs()
_WRITE = create_topics([NewTopic("t", 1, 1)], 1.0)


def _log_dirs(_: int) -> Any:
    return DescribeLogDirsResponse(throttle_time=_NOW, error_code=ErrorCode.none, results=())


def _created(_: int) -> Any:
    return CreateTopicsResponse(throttle_time=_NOW, topics=())


def _first(fault: str, then: Callable[[int], Any]) -> Callable[[int], Any]:
    return lambda count: fault if count == 0 else then(count)


@asynccontextmanager
async def _connected(fake: FakeBroker, **options: Any) -> AsyncIterator[Broker]:
    async with fake:
        broker = Broker(fake.address, Security(), client_id="test", **options)
        try:
            yield broker
        finally:
            await broker.close()


async def _until(happened: Callable[[], bool]) -> None:
    """Looks at each turn of the loop, so that nothing else happens before it is seen."""
    async with asyncio.timeout(5):
        while not happened():
            await asyncio.sleep(0)


async def test_one_connection_serves_every_call() -> None:
    """Connecting anew for each call would cost a TLS and SASL handshake each time."""
    fake = FakeBroker({_LOG_DIRS: _log_dirs})
    async with _connected(fake) as broker:
        await asyncio.gather(*(broker.ask(_READ, 5) for _ in range(10)))

        assert (fake.connections, len(fake.asked)) == (1, 10)


@pytest.mark.parametrize("call", [_READ, _WRITE])
async def test_a_broker_that_accepts_and_is_silent_is_unreachable(call: Call) -> None:
    """The kernel accepts for a stopped process. The request was never sent, so a write is not in doubt."""
    async with _connected(FakeBroker({}, deaf=True)) as broker:
        began = time.monotonic()
        with pytest.raises(KafkaUnreachable, match=r"no connection within 0.2 s"):
            await broker.ask(call, 0.2)

        assert time.monotonic() - began < 5


async def test_a_port_where_nobody_listens_is_unreachable() -> None:
    """At once, and with the reason."""
    async with FakeBroker({}) as fake:
        address = fake.address
    with pytest.raises(KafkaUnreachable, match=rf"^{address} is .*: ConnectionRefused"):
        await Broker(address, Security(), client_id="test").ask(_READ, 5)


async def test_a_read_without_an_answer_ends_at_its_deadline() -> None:
    """The connection is closed, since later answers would wait behind this one; the next call has another."""
    fake = FakeBroker({_LOG_DIRS: _first(HANG, _log_dirs)})
    async with _connected(fake) as broker:
        with pytest.raises(KafkaUnreachable, match=r"describe_log_dirs: no answer within 0.2 s"):
            await broker.ask(_READ, 0.2)
        await broker.ask(_READ, 5)

        assert fake.connections == 2


async def test_a_write_without_an_answer_is_in_doubt_and_not_repeated() -> None:
    """It was sent once; whether it was done only the broker knows."""
    fake = FakeBroker({_CREATE: lambda _: HANG})
    async with _connected(fake) as broker:
        with pytest.raises(KafkaInDoubt, match=r"no answer within 0.2 s"):
            await broker.ask(_WRITE, 0.2)

    assert fake.asked == [_CREATE]


async def test_a_read_is_repeated_once_after_a_lost_connection() -> None:
    """A broker that wants re-authentication, or drops idle clients, hangs up at the next call."""
    fake = FakeBroker({_LOG_DIRS: _first(HANG_UP, _log_dirs)})
    async with _connected(fake) as broker:
        await broker.ask(_READ, 5)

        assert (fake.connections, len(fake.asked)) == (2, 2)


async def test_a_read_that_is_lost_twice_is_unreachable() -> None:
    """Once more is for the idle connection; twice is a broker that does not want to answer."""
    fake = FakeBroker({_LOG_DIRS: lambda _: HANG_UP})
    async with _connected(fake) as broker:
        with pytest.raises(KafkaUnreachable, match=r"describe_log_dirs: .*closed"):
            await broker.ask(_READ, 5)

    assert len(fake.asked) == 2


async def test_a_write_is_never_repeated_after_a_lost_connection() -> None:
    """It may have been done before the connection went."""
    fake = FakeBroker({_CREATE: _first(HANG_UP, _created)})
    async with _connected(fake) as broker:
        with pytest.raises(KafkaInDoubt, match="closed"):
            await broker.ask(_WRITE, 5)

    assert fake.asked == [_CREATE]


@pytest.mark.parametrize(
    ("call", "error"), [(_READ, KafkaUnreachable), (_WRITE, KafkaInDoubt)], ids=["read", "write"]
)
async def test_an_answer_that_cannot_be_read_is_no_answer(call: Call, error: type[Exception]) -> None:
    """Bytes that make no sense say nothing of what was done."""
    fake = FakeBroker({call.key: lambda _: b"\0garbage"})
    async with _connected(fake) as broker:
        with pytest.raises(error, match="Response"):
            await broker.ask(call, 5)


async def test_a_read_under_way_at_the_end_opens_no_other_connection() -> None:
    """Nobody would close it: it would stand until the process ends."""
    fake = FakeBroker({_LOG_DIRS: lambda _: HANG})
    async with _connected(fake) as broker:
        reading = asyncio.create_task(broker.ask(_READ, 5))
        await _until(lambda: bool(fake.asked))
        await broker.close()
        with pytest.raises(KafkaUnreachable, match="closed"):
            await reading

        assert fake.connections == 1


async def test_a_connection_that_opens_at_the_end_is_closed() -> None:
    """Its caller is told, and later ones too."""
    fake = FakeBroker({_LOG_DIRS: _log_dirs})
    async with _connected(fake) as broker:
        reading = asyncio.create_task(broker.ask(_READ, 5))
        await _until(lambda: fake.connections > 0)
        await broker.close()
        with pytest.raises(KafkaUnreachable, match="closed on this side"):
            await reading
        with pytest.raises(KafkaUnreachable, match="closed on this side"):
            await broker.ask(_READ, 5)

        assert not fake.asked


async def test_an_api_that_the_broker_lacks_is_refused() -> None:
    """The connection lives on."""
    fake = FakeBroker({_LOG_DIRS: _log_dirs})
    async with _connected(fake) as broker:
        with pytest.raises(KafkaRefused, match="create_topics refused with UNSUPPORTED_VERSION"):
            await broker.ask(_WRITE, 5)
        await broker.ask(_READ, 5)

        assert fake.connections == 1


async def test_a_connection_does_not_grow_old() -> None:
    """Past its age it is replaced before the next call, so that the broker need not hang up on one."""
    fake = FakeBroker({_LOG_DIRS: _log_dirs})
    async with _connected(fake, max_age=0.0) as broker:
        await broker.ask(_READ, 5)
        await broker.ask(_READ, 5)

        assert fake.connections == 2


async def test_a_caller_that_gives_up_leaves_the_connection_usable() -> None:
    """Cancelling one call must not spoil the answers of the others."""
    fake = FakeBroker({_LOG_DIRS: _log_dirs, _CREATE: lambda _: HANG})
    async with _connected(fake) as broker:
        await broker.ask(_READ, 5)
        task = asyncio.create_task(broker.ask(_READ, 5))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await broker.ask(_READ, 5)

        assert fake.connections == 1


def test_a_password_is_not_shown() -> None:
    """Settings end up in messages and logs."""
    assert "secret" not in repr(Security("SASL_SSL", "PLAIN", "ottla", "secret"))


async def test_a_certificate_file_that_is_missing_is_named(tmp_path: Any) -> None:
    """Unreachable, with the path: the operator can mend that without a stack trace."""
    missing = str(tmp_path / "ca.pem")
    broker = Broker("127.0.0.1:1", Security("SSL", ca_file=missing), client_id="test")
    with pytest.raises(KafkaUnreachable, match=r"No such file .*ca\.pem"):
        await broker.ask(_READ, 5)


async def test_certificate_files_that_hang_cost_one_thread_and_are_named(tmp_path: Path) -> None:
    """A disk that hangs must not take the threads that all share, such as those that resolve names."""
    with hung(tmp_path / "own.pem") as file:
        security = Security("SSL", cert_file=str(file))
        brokers = [Broker("127.0.0.1:1", security, client_id="test") for _ in range(LOOKS)]
        found = await asyncio.gather(*(each.ask(_READ, 0.2) for each in brokers), return_exceptions=True)
        assert {type(error) for error in found} == {KafkaOwnFiles}
        await assert_threads_are_free()
        with pytest.raises(KafkaOwnFiles, match=r"own\.pem have not been read within"):
            await brokers[0].ask(_READ, 5)
