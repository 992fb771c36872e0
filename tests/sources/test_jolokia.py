"""Jolokia over real HTTP, with answers as version 2.6.0 in a Kafka 4.3.1 broker gives them."""

from __future__ import annotations

import asyncio
import base64
import json
import math
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from exporters import Exporter, certificates

from agent.model import Sample
from agent.promql import compile as compile_promql
from agent.promql import evaluate
from agent.series import Series
from agent.sources import SourceFailed, jolokia
from agent.sources.exposition import Exposition
from agent.sources.exposition_http import Target
from agent.sources.jmx_names import JmxMetric
from agent.sources.jolokia import Jolokia, Known
from agent.sources.name_files import shipped
from agent.sources.schedule import Polling
from agent.sources.tls_files import TlsFiles

LEADERS = "kafka_server_replicamanager_leadercount"
OFFLINE = "kafka_log_logmanager_logdirectoryoffline"
LAG = "kafka_server_fetcherlagmetrics_consumerlag"
THROTTLED = "kafka_server_leaderreplication_byte_rate"
COMMIT = "kafka_server_raft_metrics_commit_latency_avg"
START = "process_start_time_seconds"
OWN = ("ottla_jolokia_failed_reads", "ottla_jolokia_attached_total")


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


@asynccontextmanager
async def running(tls: ssl.SSLContext | None = None) -> AsyncIterator[FakeAgent]:
    fake = FakeAgent()
    app = web.Application(client_max_size=1 << 24)
    app.router.add_post("/jolokia", fake.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    host, port = runner.addresses[0][:2]
    fake.url = f"{'https' if tls else 'http'}://{host}:{port}/jolokia"
    yield fake
    await runner.cleanup()


@pytest.fixture
async def agent() -> AsyncIterator[FakeAgent]:
    async with running() as fake:
        yield fake


def source(agent: FakeAgent, *names: str, **more: Any) -> Jolokia:
    return Jolokia(Known(agent.url, more.pop("auth", None)), frozenset(names), 1000, **more)


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

    assert {sample.name for sample in samples} == {START, *OWN}
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
    assert asked.unread == {THROTTLED, COMMIT, LAG}

    agent.answers.clear()  # nothing is there any more, which is an answer
    await asked.read(8)
    assert asked.unread == frozenset()


async def test_what_erred_at_some_mbeans_only_is_read(agent: FakeAgent) -> None:
    """And what is absent beside an attribute that erred is known to be: both are of one MBean."""
    failed = {"Value": {".error": True, "error_type": "javax.management.MBeanException"}}
    name = "kafka.server:type=FetcherLagMetrics,name=ConsumerLag,clientId=c,topic=t,partition="
    agent.answers["kafka.server:type=FetcherLagMetrics,name=ConsumerLag,*"] = {
        "value": {f"{name}0": {"Value": 1}, f"{name}1": failed}
    }
    mbean = "kafka.server:type=ReplicaManager,name=LeaderCount"
    two = {
        "erred": JmxMetric(mbean, "gauge", (("Value", ()),), ""),
        "absent": JmxMetric(mbean, "gauge", (("Other", ()),), ""),
    }
    agent.answers[mbean] = {"value": failed | absent("Other")}
    asked = source(agent)
    asked.select(frozenset({LAG, *two}), {**shipped().metrics, **two})

    await asked.read(7)

    assert asked.failed.keys() == {mbean, "kafka.server:type=FetcherLagMetrics,name=ConsumerLag,*"}
    assert asked.unread == {"erred"}


async def test_a_request_that_would_be_too_long_is_cut_and_says_so(
    agent: FakeAgent, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is left out is named and counted; the broker's start is always asked for."""
    monkeypatch.setattr(jolokia, "_REQUEST_LIMIT", 400)
    asked = source(agent, LEADERS, THROTTLED, COMMIT, LAG)

    samples = await asked.read(7)

    sent = [read["mbean"] for read in agent.requests[0]]
    assert len(json.dumps(agent.requests[0], separators=(",", ":"))) <= 400
    assert sent[0] == "java.lang:type=Runtime"
    assert only(samples, "ottla_jolokia_failed_reads") == {(): float(5 - len(sent))}
    assert set(asked.failed.values()) == {"left out: the request would be longer than 400 B"}
    given = {sample.name for sample in samples}
    assert len(sent) < 5
    assert asked.unread <= {LEADERS, THROTTLED, COMMIT, LAG} - given
    assert len(asked.unread) == 5 - len(sent)


async def test_an_error_without_words_is_one_reads_own(agent: FakeAgent) -> None:
    """Jolokia's `error` may be null."""
    agent.answers["kafka.server:type=ReplicaManager,name=LeaderCount"] = {"status": 500, "error": None}
    asked = source(agent, LEADERS)

    assert only(await asked.read(7), START) == {(): 1795471300.886}
    assert list(asked.failed.values()) == ["status 500: no reason"]


async def test_a_value_deep_inside_a_tabular_one_is_reached(agent: FakeAgent) -> None:
    """By its keys, one after another."""
    inside = {"G1 Eden Space": {"value": {"used": 7}}}
    agent.answers["java.lang:type=X"] = {"value": {"LastGcInfo": {"memoryUsageAfterGc": inside}}}
    path = "LastGcInfo/memoryUsageAfterGc/G1 Eden Space/value/used"
    asked = source(agent)
    asked.select(frozenset({"eden"}), {"eden": JmxMetric("java.lang:type=X", "gauge", ((path, ()),), "")})

    assert only(await asked.read(7), "eden") == {(): 7.0}


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


async def test_of_nan_an_exporter_has_a_sample_and_jolokia_none(agent: FakeAgent) -> None:
    """Jolokia's null may be any value that is missing. Comparisons are the same, sums are not."""
    agent.answers["kafka.server:type=raft-metrics"] = {"value": {"commit-latency-avg": None}}
    exporter = Exporter()
    exporter.text = f"# TYPE {COMMIT} gauge\n{COMMIT} NaN\n"
    found = []
    async with exporter.running():
        scraped = Exposition(Target(exporter.url), 1000)
        scraped.select(frozenset({COMMIT}))
        for one in (source(agent, COMMIT), scraped):
            kept = Series(60_000)
            kept.want({COMMIT: 60_000})
            kept.add(await one.read(1000))
            asked = (f"{COMMIT} > 0", f"{COMMIT} <= 0", f"count({COMMIT})", f"absent({COMMIT})")
            found.append([[v.value for v in evaluate(compile_promql(q), kept, 1000)] for q in asked])

    assert found == [[[], [], [], [1.0]], [[], [], [1.0], []]]


async def test_a_new_process_ends_the_series_of_the_old_one(agent: FakeAgent) -> None:
    """Every one of them, a millisecond before the new ones begin: a rate does not reach across."""
    agent.answers["kafka.server:type=ReplicaManager,name=LeaderCount"] = {"value": {"Value": 3}}
    batches: list[list[Sample]] = []
    times = iter((1000, 2000, 3000, 4000))
    polling = Polling(source(agent, LEADERS), batches.append, lambda: next(times))

    for start in (1000, 1000, 2000, 2000):
        agent.answers["java.lang:type=Runtime"] = {"value": {"StartTime": start}}
        await polling.once()

    ended = [[(s.name, s.at) for s in batch if math.isnan(s.value)] for batch in batches]
    assert [sorted(batch) for batch in ended] == [
        [],
        [],
        sorted((name, 2999) for name in (LEADERS, START, *OWN)),
        [],
    ]
    kept = Series(60_000)
    for batch in batches:
        kept.add(batch)
    assert kept.refused == 0


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


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_redirect_is_named_and_not_followed(agent: FakeAgent, status: int) -> None:
    """It would become a GET, whose answer says nothing, or take the login elsewhere."""
    agent.reply = lambda: web.Response(status=status, headers={"Location": "/jolokia/"})

    with pytest.raises(SourceFailed, match=f"HTTP {status} .*: it points to '/jolokia/', which is not"):
        await source(agent, auth=("ottla", "secret")).read(7)
    assert len(agent.requests) == 1


async def test_what_cannot_be_asked_fails_the_reading(agent: FakeAgent) -> None:
    """A login or a host that cannot be sent ended the whole agent."""
    with pytest.raises(SourceFailed, match='cannot be asked: A ":" is not allowed in login'):
        await source(agent, auth=("a:b", "secret")).read(7)
    with pytest.raises(SourceFailed, match="cannot be asked: encoding with 'idna' codec failed"):
        await Jolokia(Known(f"http://{'a' * 70}.example/jolokia"), frozenset(), 1000).read(7)


async def test_tls_with_a_ca_a_name_and_a_client_certificate(tmp_path: Path) -> None:
    """All three are needed where all three are asked for; a file that is gone is named."""
    certificates(tmp_path, "broker.test")
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(tmp_path / "server.pem", tmp_path / "server.key")
    server.load_verify_locations(tmp_path / "ca.pem")
    server.verify_mode = ssl.CERT_REQUIRED
    ca, pem, key = (str(tmp_path / name) for name in ("ca.pem", "client.pem", "client.key"))
    async with running(server) as fake:
        whole = source(fake, tls=TlsFiles(ca, pem, key, "broker.test"))
        assert only(await whole.read(7), START) == {(): 1795471300.886}
        for lacking, why in (
            (TlsFiles(server_name="broker.test"), "certificate verify failed"),
            (TlsFiles(ca, pem, key), "certificate verify failed: IP address mismatch"),
            (TlsFiles(ca, server_name="broker.test"), "no answer from"),
            (TlsFiles(str(tmp_path / "none.pem")), "a file of `jolokia`: .*none.pem"),
        ):
            with pytest.raises(SourceFailed, match=why):
                await source(fake, tls=lacking).read(7)
        assert len(fake.requests) == 1


async def test_nobody_there_and_no_answer_are_failures(agent: FakeAgent) -> None:
    """A refused connection, and a broker that accepts and says nothing."""

    async def swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    silent = await asyncio.start_server(swallow, "127.0.0.1", 0)
    port = silent.sockets[0].getsockname()[1]
    mute = Jolokia(Known(f"http://127.0.0.1:{port}/jolokia"), frozenset(), 1000, deadline=0.05)
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
