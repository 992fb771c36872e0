"""Jolokia over real HTTP, with answers as version 2.6.0 in a Kafka 4.3.1 broker gives them."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from aiohttp import web

from agent.model import Sample
from agent.sources import SourceFailed, jolokia
from agent.sources.jolokia import Jolokia
from agent.sources.name_files import shipped

LEADERS = "kafka_server_replicamanager_leadercount"
OFFLINE = "kafka_log_logmanager_logdirectoryoffline"
LAG = "kafka_server_fetcherlagmetrics_consumerlag"
THROTTLED = "kafka_server_leaderreplication_byte_rate"
COMMIT = "kafka_server_raft_metrics_commit_latency_avg"
START = "process_start_time_seconds"


def absent(attribute: str) -> dict[str, Any]:
    """What an absent MBean or attribute looks like where errors are ignored."""
    kind = "javax.management.InstanceNotFoundException"
    return {
        attribute: {
            ".error": True,
            "error_type": kind,
            "error_type_jmx": kind,
            "error": "kafka.server:type=X",
        }
    }


class FakeAgent:
    """A Jolokia that answers each MBean with what `answers` has for it, 404 otherwise, or as `reply` says."""

    def __init__(self) -> None:
        self.url = ""
        self.answers: dict[str, dict[str, Any]] = {
            "java.lang:type=Runtime": {"value": {"StartTime": 1795471300886}}
        }
        self.requests: list[list[dict[str, Any]]] = []
        self.headers: list[dict[str, str]] = []
        self.peers: set[object] = set()
        self.reply: Callable[[], web.StreamResponse] | None = None
        self.release = asyncio.Event()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.headers.append(dict(request.headers))
        assert request.transport is not None
        self.peers.add(request.transport.get_extra_info("peername"))
        self.requests.append(json.loads(await request.read()))
        if self.reply is not None:
            return self.reply()
        return web.json_response([self.entry(read["mbean"]) for read in self.requests[-1]])

    def entry(self, mbean: str) -> dict[str, Any]:
        missing = {
            "status": 404,
            "error_type": "javax.management.InstanceNotFoundException",
            "error": "No MBean",
        }
        return {"status": 200, "timestamp": 1795471363, **self.answers.get(mbean, missing)}


@pytest.fixture
async def agent() -> AsyncIterator[FakeAgent]:
    fake = FakeAgent()
    app = web.Application(client_max_size=1 << 24)
    app.router.add_post("/jolokia", fake.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    fake.url = f"http://{host}:{port}/jolokia"
    yield fake
    await runner.cleanup()


def source(agent: FakeAgent, *names: str, **more: Any) -> Jolokia:
    return Jolokia(agent.url, more.pop("auth", None), frozenset(names), 1000, **more)


def only(samples: list[Sample], name: str) -> dict[tuple[tuple[str, str], ...], float]:
    return {sample.labels: sample.value for sample in samples if sample.name == name}


async def test_it_asks_in_one_post_for_just_what_the_rules_read(agent: FakeAgent) -> None:
    """One read for each MBean with its attributes; the broker's start comes with it."""
    idle = "kafka_server_kafkarequesthandlerpool_requesthandleravgidle"
    await source(agent, LEADERS, f"{idle}percent_count_total", f"{idle}_percent").read(7)

    asked = {read["mbean"]: read["attribute"] for [*reads] in agent.requests for read in reads}
    assert len(agent.requests) == 1
    assert asked == {
        "kafka.server:type=ReplicaManager,name=LeaderCount": ["Value"],
        "kafka.server:type=KafkaRequestHandlerPool,name=RequestHandlerAvgIdlePercent": ["Count", "MeanRate"],
        "java.lang:type=Runtime": ["StartTime"],
    }


async def test_an_mbean_pattern_gives_a_series_for_each_object(agent: FakeAgent) -> None:
    """With the labels of its ObjectName, quotes taken off."""
    agent.answers["kafka.log:type=LogManager,name=LogDirectoryOffline,*"] = {
        "value": {
            'kafka.log:logDirectory="/d/1",name=LogDirectoryOffline,type=LogManager': {"Value": 0},
            'kafka.log:logDirectory="/d/2",name=LogDirectoryOffline,type=LogManager': {"Value": 1},
        }
    }

    samples = await source(agent, OFFLINE).read(7)

    assert only(samples, OFFLINE) == {(("logDirectory", "/d/1"),): 0.0, (("logDirectory", "/d/2"),): 1.0}
    assert {sample.at for sample in samples} == {7}


async def test_one_name_can_stand_for_several_attributes_and_parts_of_composite_ones(
    agent: FakeAgent,
) -> None:
    """Told apart by a label: areas of memory, percentiles. An area without the part gives nothing."""
    agent.answers["java.lang:type=Memory"] = {
        "value": {"HeapMemoryUsage": {"used": 7, "max": -1}, "NonHeapMemoryUsage": {"max": 5}}
    }

    samples = await source(agent, "jvm_memory_used_bytes", "jvm_memory_bytes_max").read(7)

    assert only(samples, "jvm_memory_used_bytes") == {(("area", "heap"),): 7.0}
    assert only(samples, "jvm_memory_bytes_max") == {(("area", "heap"),): -1.0, (("area", "nonheap"),): 5.0}
    (asked,) = [read["attribute"] for read in agent.requests[0] if read["mbean"] == "java.lang:type=Memory"]
    assert asked == ["HeapMemoryUsage", "NonHeapMemoryUsage"]


async def test_what_is_absent_is_missing_and_no_failure(agent: FakeAgent) -> None:
    """An MBean appears with the first throttle, and goes with the last follower."""
    agent.answers["kafka.server:type=LeaderReplication"] = {"value": absent("byte-rate")}
    asked = source(agent, THROTTLED, LAG)

    samples = await asked.read(7)

    assert {sample.name for sample in samples} == {START, "ottla_jolokia_failed_reads"}
    assert asked.failed == {}


async def test_one_read_that_errs_hides_no_other(agent: FakeAgent) -> None:
    """It is named and counted, whether it erred as a whole or in one attribute."""
    agent.answers |= {
        "kafka.server:type=ReplicaManager,name=LeaderCount": {"value": {"Value": 3}},
        "kafka.server:type=LeaderReplication": {"status": 403, "error": "not allowed by the policy"},
        "kafka.server:type=raft-metrics": {
            "value": {"commit-latency-avg": {".error": True, "error_type": "javax.management.MBeanException"}}
        },
        "kafka.server:type=FetcherLagMetrics,name=ConsumerLag,*": {"value": ["of another shape"]},
    }
    asked = source(agent, LEADERS, THROTTLED, COMMIT, LAG)

    samples = await asked.read(7)

    assert only(samples, LEADERS) == {(): 3.0}
    assert only(samples, "ottla_jolokia_failed_reads") == {(): 3.0}
    assert "not allowed by the policy" in asked.failed["kafka.server:type=LeaderReplication"]
    assert "MBeanException" in asked.failed["kafka.server:type=raft-metrics"]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("7", 7.0),
        ("0.25", 0.25),
        ("true", 1.0),
        ("123456789012345678901234567890", 123456789012345678901234567890.0),
        ('"0.5"', 0.5),
        ('"Infinity"', float("inf")),
        ("null", None),
        ('"NaN"', None),
        ('"observer"', None),
        ("{}", None),
        ("[1]", None),
    ],
)
async def test_values_in_every_spelling(agent: FakeAgent, written: str, read: float | None) -> None:
    """Numbers are read from text too; what is no number, NaN included, is missing."""
    mbean = "kafka.server:type=ReplicaManager,name=LeaderCount"
    agent.answers[mbean] = {"value": {"Value": json.loads(written)}}

    samples = await source(agent, LEADERS).read(7)

    assert only(samples, LEADERS) == ({} if read is None else {(): read})


async def test_a_restart_of_the_broker_is_noticed_once(agent: FakeAgent) -> None:
    """The JVM's start time differs from the reading before; the first reading of all tells nothing."""
    asked = source(agent)
    seen = []
    for start in (1000, 1000, 2000, 2000):
        agent.answers["java.lang:type=Runtime"] = {"value": {"StartTime": start}}
        samples = await asked.read(7)
        seen.append((asked.restarted, only(samples, START)[()]))

    assert seen == [(False, 1.0), (False, 1.0), (True, 2.0), (False, 2.0)]


async def test_each_reading_has_a_connection_of_its_own(agent: FakeAgent) -> None:
    """On a kept one Jolokia's answer would wait 40 ms for a delayed acknowledgement."""
    asked = source(agent)

    for _ in range(3):
        await asked.read(7)

    assert len(agent.peers) == 3


async def test_it_logs_in(agent: FakeAgent) -> None:
    """Basic authentication."""
    await source(agent, auth=("ottla", "secret")).read(7)

    assert agent.headers[0]["Authorization"] == "Basic " + base64.b64encode(b"ottla:secret").decode()


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        (lambda: web.Response(status=401, reason="Unauthorized"), "HTTP 401 Unauthorized: check username"),
        (lambda: web.Response(text="<html>"), "is no Jolokia, or refused"),
        (lambda: web.json_response({"status": 403, "error": "no"}), "is no Jolokia, or refused"),
        (lambda: web.json_response([]), "answered 0 of 1 reads"),
        (lambda: web.Response(body=b"[" + b" " * (1 << 18)), "answered with more than 64 KiB"),
    ],
    ids=["status", "no JSON", "no list", "too short", "too long"],
)
async def test_an_answer_that_is_none_says_why(
    agent: FakeAgent, reply: Callable[[], web.Response], why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reading fails as a whole, in words."""
    monkeypatch.setattr(jolokia, "_BODY_LIMIT", 64 << 10)
    agent.reply = reply

    with pytest.raises(SourceFailed, match=why):
        await source(agent).read(7)


async def test_nobody_there_and_no_answer_are_failures(agent: FakeAgent) -> None:
    """A refused connection, and a broker that accepts and says nothing."""

    async def swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    silent = await asyncio.start_server(swallow, "127.0.0.1", 0)
    port = silent.sockets[0].getsockname()[1]
    mute = Jolokia(f"http://127.0.0.1:{port}/jolokia", None, frozenset(), 1000, deadline=0.05)
    with pytest.raises(SourceFailed, match="no answer from"):
        await mute.read(7)
    silent.close()
    await silent.wait_closed()

    with pytest.raises(SourceFailed, match="no answer from"):
        await mute.read(7)


async def test_names_it_should_know_and_does_not_are_listed(agent: FakeAgent) -> None:
    """Not those of other sources; and the selection can be changed."""
    asked = source(agent, LEADERS, "kafka_server_nonesuch", "host_log_dir_used_ratio", "kafka_admin_brokers")
    assert asked.unmapped == {"kafka_server_nonesuch"}

    asked.select(frozenset({LAG}), shipped().metrics)
    await asked.read(7)

    assert asked.unmapped == frozenset()
    assert {read["mbean"] for read in agent.requests[0]} == {
        "kafka.server:type=FetcherLagMetrics,name=ConsumerLag,*",
        "java.lang:type=Runtime",
    }
