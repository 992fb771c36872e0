"""Asks the broker by its own protocol: one that looks healthy to every gauge may answer nothing."""

from __future__ import annotations

import asyncio
import logging
from types import ModuleType
from typing import Any

from agent.kafka.bridge import Call
from agent.kafka.connection import Broker, Security
from agent.kafka.errors import KafkaError, KafkaNoLogin, KafkaOwnFiles, KafkaRefused
from agent.model import Sample
from agent.name_lookups import looked_up
from agent.sources import MetricInfo, SourceFailed

log = logging.getLogger(__name__)
_REASONS = ("timeout", "connect_timeout", "unreachable")
_NAME_S = 2.0  # to look it up before the broker is asked; what takes longer counts
_ALL_S = 9.5  # a reading is given up after 10
_ACCEPTS_S = 0.5  # its own listener does in microseconds, unless it is never asked

METRICS = (
    MetricInfo(
        "kafka_probe_up",
        "gauge",
        "",
        "1 if this broker answered ApiVersions on a new connection within the deadline, else 0; none, and the"
        " source fails, where the agent's login is refused or its TLS files cannot be read",
    ),
    MetricInfo(
        "kafka_probe_seconds",
        "gauge",
        "seconds",
        "How long connecting, login and answer took, or the wait for it; without the look-up of its name, of"
        " which what exceeds 2 s counts",
    ),
    MetricInfo(
        "kafka_probe_failures_total",
        "counter",
        "",
        "Probes without an answer, by `reason`: timeout (it accepts and does not answer), connect_timeout"
        " (packets are dropped, or its accept queue is full) or unreachable",
    ),
)
_NAMES = frozenset(metric.name for metric in METRICS)


class ProtocolProbe:
    """A new connection each time: acceptor, network threads and request handlers all have their part in it.

    With SASL the request comes after the login, so that request handlers answer it. Where no login comes
    about it stays open whether they would: that the agent is not let in makes no broker that is down.
    `deadline` is in seconds.
    """

    name = "protocol_probe"
    partial = False
    metrics = METRICS

    def __init__(self, address: str, security: Security, interval_ms: int, deadline: float = 5.0) -> None:
        self.interval_ms = interval_ms
        self.wanted = frozenset[str]()
        self._address = address
        self._security = security
        self._deadline = deadline
        self._failures = dict.fromkeys(_REASONS, 0)
        self._told = ""

    async def read(self, now: int) -> list[Sample]:
        """One probe. SourceFailed where the agent's own TLS files cannot be read, or no login comes about."""
        if not self.wanted & _NAMES:
            return []
        host, port = self._host_and_port()
        spare = max(0.0, _ALL_S - self._deadline - _ACCEPTS_S)
        async with looked_up(host, port, min(_NAME_S, spare)):
            failed, took = await self._timed()
            if failed:
                self._failures[await self._reason() if took >= self._deadline else "unreachable"] += 1
        values = [
            Sample("kafka_probe_up", (), now, float(not failed)),
            Sample("kafka_probe_seconds", (), now, took),
        ]
        return values + [
            Sample("kafka_probe_failures_total", (("reason", reason),), now, float(count))
            for reason, count in self._failures.items()
        ]

    def _host_and_port(self) -> tuple[str, int]:
        host, _, port = self._address.rpartition(":")
        return host.strip("[]"), int(port)

    async def _timed(self) -> tuple[bool, float]:
        """Whether it does not answer, and how many seconds that took."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        return await self._ask(), loop.time() - began

    async def _ask(self) -> bool:
        """Whether it does not answer."""
        broker = Broker(self._address, self._security, client_id="ottla-probe")
        try:
            await broker.ask(_API_VERSIONS, self._deadline)
        except KafkaRefused:
            return False  # a refusal is an answer
        except (KafkaNoLogin, KafkaOwnFiles) as error:
            self._tell(str(error))
            raise SourceFailed(str(error)) from error
        except KafkaError as error:
            self._tell(str(error))
            return True
        finally:
            broker.end()
        self._told = ""
        return False

    async def _reason(self) -> str:
        """Why it was late: whether it accepts is asked once more, as a login hides how far it came."""
        try:
            async with asyncio.timeout(_ACCEPTS_S):
                _, writer = await asyncio.open_connection(*self._host_and_port())
        except TimeoutError:
            return "connect_timeout"
        except OSError:
            return "unreachable"
        writer.transport.abort()
        return "timeout"

    def _tell(self, why: str) -> None:
        if why != self._told:
            self._told = why
            log.warning("protocol probe: %s", why)


def _build(module: ModuleType) -> Any:
    return module.ApiVersionsRequest()


_API_VERSIONS = Call("api_versions", 18, 0, 0, _build)  # the oldest is answered by all
