"""Which broker is asked, and that a hung one costs only calls to itself."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from fake_broker import HANG, FakeBroker
from kio.schema.create_topics.v7 import CreateTopicsResponse
from kio.schema.describe_cluster.v2.response import DescribeClusterBroker, DescribeClusterResponse
from kio.schema.describe_log_dirs.v5 import DescribeLogDirsResponse
from kio.schema.errors import ErrorCode
from kio.schema.types import BrokerId
from kio.static.primitive import i32, i32Timedelta

from agent.kafka.admin import Admin
from agent.kafka.cluster import Cluster
from agent.kafka.connection import Security
from agent.kafka.errors import KafkaInDoubt, KafkaUnreachable
from agent.kafka.log_dirs import describe_log_dirs
from agent.kafka.metadata import Place
from agent.kafka.topics import NewTopic, create_topics

_CLUSTER, _LOG_DIRS, _CREATE = 60, 35, 19
_NO_TIME = i32Timedelta.parse(timedelta(0))
_Clustered = tuple[Cluster, dict[int, FakeBroker]]
_READ = describe_log_dirs()
_WRITE = create_topics([NewTopic("t", 1, 1)], 1.0)


def _fake(brokers: dict[int, FakeBroker], *, hung: bool = False) -> FakeBroker:
    """A broker of the cluster `brokers`, which may be filled in later."""

    def described(_: int) -> Any:
        listed = tuple(
            DescribeClusterBroker(
                broker_id=BrokerId(n), host="127.0.0.1", port=i32(b.port), rack=None, is_fenced=False
            )
            for n, b in brokers.items()
        )
        return DescribeClusterResponse(
            throttle_time=_NO_TIME, error_code=ErrorCode.none, cluster_id="c", brokers=listed
        )

    answers: dict[int, Callable[[int], Any]] = {
        _CLUSTER: described,
        _LOG_DIRS: lambda _: DescribeLogDirsResponse(
            throttle_time=_NO_TIME, error_code=ErrorCode.none, results=()
        ),
        _CREATE: lambda _: CreateTopicsResponse(throttle_time=_NO_TIME, topics=()),
    }
    return FakeBroker(dict.fromkeys(answers, lambda _: HANG) if hung else answers)


@asynccontextmanager
async def _cluster(
    *hung: bool, deadline: float = 5.0
) -> AsyncIterator[tuple[Cluster, dict[int, FakeBroker]]]:
    """Brokers 1, 2, …, each hung or not, all of them bootstrap servers."""
    brokers: dict[int, FakeBroker] = {}
    brokers |= {n: _fake(brokers, hung=h) for n, h in enumerate(hung, 1)}
    async with asyncio.TaskGroup() as group:
        for broker in brokers.values():
            group.create_task(broker.__aenter__())
    servers = [b.address for b in brokers.values()]
    cluster = Cluster(servers, Security(), client_id="test", deadline=deadline)
    try:
        yield cluster, brokers
    finally:
        await cluster.close()
        for broker in brokers.values():
            await broker.__aexit__()


async def test_the_first_server_that_answers_is_asked() -> None:
    """Usually the own broker: reads that any broker can answer do not leave the host."""
    async with _cluster(False, False) as (cluster, brokers):
        await cluster.ask(_READ)
        await cluster.ask(_READ)

        assert (brokers[1].asked, brokers[2].asked) == ([_LOG_DIRS] * 2, [])


async def test_a_hung_server_is_passed_over_within_the_deadline() -> None:
    """It costs its share of one call; later calls ask the other first."""
    async with _cluster(True, False, deadline=2.0) as (cluster, brokers):
        await cluster.ask(_READ)
        await cluster.ask(_READ)

        assert (brokers[1].asked, brokers[2].asked) == ([_LOG_DIRS], [_LOG_DIRS] * 2)


async def test_every_server_that_failed_is_named() -> None:
    """The deadline holds for all of them together."""
    async with _cluster(True, True, deadline=2.0) as (cluster, brokers):
        with pytest.raises(KafkaUnreachable) as caught:
            await cluster.ask(_READ)

        given = [float(seconds) for seconds in re.findall(r"within (\S+) s", str(caught.value))]
        assert len(given) == 2
        assert sum(given) <= 2.0
        assert all(broker.address in str(caught.value) for broker in brokers.values())


async def test_a_hung_broker_delays_only_calls_to_itself() -> None:
    """While calls to it wait for their deadline, the other brokers answer as if nothing were."""
    async with _cluster(False, True, False, deadline=3.0) as (cluster, _):
        await cluster.brokers()
        slow = asyncio.gather(*(cluster.ask(_READ, node=2) for _ in range(5)), return_exceptions=True)
        began = time.monotonic()
        for _ in range(50):
            await cluster.ask(_READ, node=1)
            await cluster.ask(_READ, node=3)
        assert not slow.done()
        failures = await slow

        assert [type(failure) for failure in failures] == [KafkaUnreachable] * 5
        assert time.monotonic() - began < 2 * 3.0  # all at once, not one after the other


async def test_reads_do_not_wait_behind_a_write() -> None:
    """Each purpose has a connection of its own, so a write that hangs does not delay a read."""
    async with _cluster(False) as (cluster, brokers):
        brokers[1].answers[_CREATE] = lambda _: HANG
        write = asyncio.create_task(cluster.ask(_WRITE, deadline=20.0))
        async with asyncio.timeout(10):
            while _CREATE not in brokers[1].asked:
                await asyncio.sleep(0.01)
        await cluster.ask(_READ)
        assert not write.done()
        brokers[1].hang_up()
        with pytest.raises(KafkaInDoubt):
            await write


async def test_a_write_goes_to_a_server_that_answers() -> None:
    """Sent to a hung one it would be in doubt for no need."""
    async with _cluster(True, False, deadline=1.0) as (cluster, brokers):
        await cluster.ask(_WRITE)

        assert (brokers[1].asked, brokers[2].asked) == ([_CLUSTER], [_CLUSTER, _CREATE])


async def test_a_broker_that_moved_is_found_again() -> None:
    """Its address is asked anew after a call to it failed."""
    async with _cluster(False, False) as (cluster, brokers):
        await cluster.ask(_READ, node=2)
        await brokers[2].__aexit__()
        brokers[2] = _fake(brokers)
        await brokers[2].__aenter__()
        with pytest.raises(KafkaUnreachable):
            await cluster.ask(_READ, node=2)
        await cluster.ask(_READ, node=2)

        assert brokers[2].asked == [_LOG_DIRS]


async def test_connections_to_former_addresses_are_closed() -> None:
    """In years of brokers that come and go nothing piles up."""
    async with _cluster(False, False) as (cluster, brokers):
        await cluster.ask(_READ, node=2)
        old = brokers[2]
        brokers[2] = _fake(brokers)
        await brokers[2].__aenter__()
        cluster._bootstrap = (brokers[1].address,)
        await cluster.brokers()
        await cluster.ask(_READ, node=2)
        await old.__aexit__()

        assert {address for address, _ in cluster._connections} == {b.address for b in brokers.values()}


async def test_nothing_is_opened_after_the_end() -> None:
    """A call that was under way would else leave a connection that nobody closes."""
    async with _cluster(False, False) as (cluster, brokers):
        await cluster.close()
        with pytest.raises(KafkaUnreachable, match="closed on this side"):
            await cluster.ask(_READ)

        assert not any(broker.connections for broker in brokers.values())


async def test_an_unknown_broker_is_unreachable() -> None:
    """The node's id is named."""
    async with _cluster(False) as (cluster, _):
        with pytest.raises(KafkaUnreachable, match="broker 9 is unreachable: no broker"):
            await cluster.ask(_READ, node=9)


async def test_a_cluster_tells_its_id_and_a_brokers_rack() -> None:
    """None of a broker that it does not list, which is another thing than none."""
    async with _cluster(False) as (_, brokers):
        admin = Admin([brokers[1].address], Security(), client_id="test")
        assert await admin.place(1) == Place("c", "")
        assert await admin.place(9) == Place("c", None)
        await admin.close()


def test_no_bootstrap_server_is_an_error() -> None:
    """Said at the start and not at the first call."""
    with pytest.raises(ValueError, match="name at least one"):
        Cluster([], Security(), client_id="test", deadline=1.0)
