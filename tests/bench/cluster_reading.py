"""What one reading of the cluster source costs with 4,000 partitions, in processor time of this process.

A broker of another process answers with a real one's bytes. Target: 15 ms a reading, 0.3 % of a core at an
interval of 5 s.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import time
import uuid
from collections.abc import Callable
from datetime import timedelta
from multiprocessing.connection import Connection

from fake_broker import FakeBroker, encode_answer
from kio.schema.describe_cluster.v2.response import DescribeClusterBroker, DescribeClusterResponse
from kio.schema.describe_configs.v4.response import (
    DescribeConfigsResourceResult,
    DescribeConfigsResponse,
    DescribeConfigsResult,
)
from kio.schema.describe_log_dirs.v5.response import (
    DescribeLogDirsPartition,
    DescribeLogDirsResponse,
    DescribeLogDirsResult,
    DescribeLogDirsTopic,
)
from kio.schema.describe_quorum.v2 import response as quorum
from kio.schema.describe_topic_partitions.v0 import response as partitions
from kio.schema.errors import ErrorCode
from kio.schema.list_partition_reassignments.v0.response import ListPartitionReassignmentsResponse
from kio.schema.types import BrokerId, TopicName
from kio.static.primitive import i8, i32, i32Timedelta, i64

from agent.kafka.admin import Admin
from agent.kafka.connection import Security
from agent.recording import world_names
from agent.sources.cluster import ClusterFacts

TOPICS, PARTITIONS = 400, 10  # of three replicas each
READINGS = 60
INTERVAL_MS = 5_000
_PAGE = 200  # topics
_NOW = i32Timedelta.parse(timedelta(0))


def main() -> None:
    """At rest, with what only the gate needs, and while replicas fall out and come back."""
    for title, restless, names in (
        ("at rest, all that there is", False, None),
        ("at rest, what the gate needs", False, world_names.NAMES),
        ("a tenth of the ISRs change in each, all that there is", True, None),
    ):
        ours, theirs = multiprocessing.Pipe()
        broker = multiprocessing.get_context("spawn").Process(
            target=_serve, args=(theirs, restless), daemon=True
        )
        broker.start()
        asyncio.run(_measure(title, ours.recv(), names))
        broker.kill()
        broker.join()


async def _measure(title: str, address: str, names: frozenset[str] | None) -> None:
    admin = Admin([address], Security(), client_id="ottla-bench")
    facts = ClusterFacts(admin, 1, INTERVAL_MS)
    facts.select(names)
    for now in range(0, 5 * INTERVAL_MS, INTERVAL_MS):
        await facts.read(now)  # the first ones load modules, and read what is kept
    costs = []
    for now in range(10 * INTERVAL_MS, (10 + READINGS) * INTERVAL_MS, INTERVAL_MS):
        begun = time.process_time()
        await facts.read(now)
        costs.append((time.process_time() - begun) * 1000)
        assert facts.facts is not None
        assert facts.facts.at == now, "an answer is missing"
    await admin.close()
    mean, most = sum(costs) / len(costs), max(costs)
    share = 100 * mean / INTERVAL_MS
    print(f"{title}: {mean:.2f} ms a reading, {most:.1f} at most, {share:.3f} % of a core")


def _serve(pipe: Connection, restless: bool) -> None:
    asyncio.run(_serve_until_killed(pipe, restless))


async def _serve_until_killed(pipe: Connection, restless: bool) -> None:
    answers: dict[int, Callable[[int], bytes]] = {}
    async with FakeBroker(answers) as broker:
        pages = [_pages(behind) for behind in ((0, 1) if restless else (0, 0))]
        cluster, configs, dirs = (
            encode_answer(_cluster(broker.port)),
            encode_answer(_configs()),
            encode_answer(_dirs()),
        )
        moving, controllers = encode_answer(_moving()), encode_answer(_quorum())
        answers |= {
            60: lambda _: cluster,
            75: lambda n: pages[n // 2 % 2][n % 2],
            32: lambda _: configs,
            35: lambda _: dirs,
            46: lambda _: moving,
            55: lambda _: controllers,
        }
        pipe.send(broker.address)
        await asyncio.Event().wait()


def _cluster(port: int) -> DescribeClusterResponse:
    listed = tuple(
        DescribeClusterBroker(
            broker_id=BrokerId(n), host="127.0.0.1", port=i32(port), rack=None, is_fenced=False
        )
        for n in (1, 2, 3)
    )
    return DescribeClusterResponse(
        throttle_time=_NOW, error_code=ErrorCode.none, cluster_id="c", brokers=listed
    )


def _topic(number: int) -> TopicName:
    return TopicName(f"topic-of-a-usual-length-{number:04}")


def _pages(behind: int) -> list[bytes]:
    """Two pages; every tenth partition lacks `behind` replicas in sync."""
    second = partitions.Cursor(topic_name=_topic(_PAGE), partition_index=i32(0))
    return [
        encode_answer(
            partitions.DescribeTopicPartitionsResponse(
                throttle_time=_NOW,
                topics=tuple(_partitions(number, behind) for number in range(start, start + _PAGE)),
                next_cursor=cursor,
            )
        )
        for start, cursor in ((0, second), (_PAGE, None))
    ]


def _partitions(topic: int, behind: int) -> partitions.DescribeTopicPartitionsResponseTopic:
    rows = []
    for n in range(PARTITIONS):
        nodes = tuple(BrokerId(1 + (n + k) % 3) for k in range(3))
        rows.append(
            partitions.DescribeTopicPartitionsResponsePartition(
                error_code=ErrorCode.none,
                partition_index=i32(n),
                leader_id=nodes[0],
                leader_epoch=i32(4),
                replica_nodes=nodes,
                isr_nodes=nodes[: 3 - behind] if n == 0 else nodes,
            )
        )
    return partitions.DescribeTopicPartitionsResponseTopic(
        error_code=ErrorCode.none,
        name=_topic(topic),
        topic_id=uuid.UUID(int=topic + 1),
        partitions=tuple(rows),
    )


def _configs() -> DescribeConfigsResponse:
    """What topics and the broker set; the source reads of it what it asked for."""

    def of(kind: int, name: str, source: int) -> DescribeConfigsResult:
        entry = DescribeConfigsResourceResult(
            name="min.insync.replicas",
            value="2",
            read_only=False,
            config_source=i8(source),
            is_sensitive=False,
            synonyms=(),
            config_type=i8(3),
            documentation=None,
        )
        return DescribeConfigsResult(
            error_code=ErrorCode.none,
            error_message=None,
            resource_type=i8(kind),
            resource_name=name,
            configs=(entry,),
        )

    results = (*(of(2, _topic(n), 1) for n in range(_PAGE)), *(of(4, str(n), 5) for n in (1, 2, 3)))
    return DescribeConfigsResponse(throttle_time=_NOW, results=results)


def _dirs() -> DescribeLogDirsResponse:
    topics = tuple(
        DescribeLogDirsTopic(
            name=_topic(number),
            partitions=tuple(
                DescribeLogDirsPartition(
                    partition_index=i32(n),
                    partition_size=i64(1 << 30),
                    offset_lag=i64(0),
                    is_future_key=False,
                )
                for n in range(PARTITIONS)
            ),
        )
        for number in range(TOPICS)
    )
    dirs = DescribeLogDirsResult(error_code=ErrorCode.none, log_dir="/data/d1", topics=topics)
    return DescribeLogDirsResponse(throttle_time=_NOW, error_code=ErrorCode.none, results=(dirs,))


def _moving() -> ListPartitionReassignmentsResponse:
    return ListPartitionReassignmentsResponse(
        throttle_time=_NOW, error_code=ErrorCode.none, error_message=None, topics=()
    )


def _quorum() -> quorum.DescribeQuorumResponse:
    def node(number: int) -> quorum.ReplicaState:
        return quorum.ReplicaState(
            replica_id=BrokerId(number),
            replica_directory_id=uuid.UUID(int=number),
            log_end_offset=i64(1000),
            last_fetch_timestamp=i64(1),
            last_caught_up_timestamp=i64(1),
        )

    metadata = quorum.PartitionData(
        partition_index=i32(0),
        error_code=ErrorCode.none,
        error_message=None,
        leader_id=BrokerId(101),
        leader_epoch=i32(3),
        high_watermark=i64(1000),
        current_voters=tuple(map(node, (101, 102, 103))),
        observers=tuple(map(node, (1, 2, 3))),
    )
    topic = quorum.TopicData(topic_name=TopicName("__cluster_metadata"), partitions=(metadata,))
    return quorum.DescribeQuorumResponse(
        error_code=ErrorCode.none, error_message=None, topics=(topic,), nodes=()
    )
