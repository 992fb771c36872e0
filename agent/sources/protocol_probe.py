"""Asks the broker by its own protocol: one that looks healthy to every gauge may answer nothing."""

from __future__ import annotations

import asyncio
import logging
from types import ModuleType
from typing import Any

from agent.kafka.bridge import Call
from agent.kafka.connection import Broker, Security
from agent.kafka.errors import KafkaError, KafkaRefused
from agent.model import Sample
from agent.sources import MetricInfo

log = logging.getLogger(__name__)
_REASONS = ("timeout", "unreachable")

METRICS = (
    MetricInfo(
        "kafka_probe_up",
        "gauge",
        "",
        "1 if this broker answered ApiVersions on a new connection within the deadline, else 0",
    ),
    MetricInfo(
        "kafka_probe_seconds",
        "gauge",
        "seconds",
        "How long connecting, login and answer took, or the wait for it",
    ),
    MetricInfo(
        "kafka_probe_failures_total",
        "counter",
        "",
        "Probes without an answer, by `reason`: timeout (it accepts and does not answer) or unreachable",
    ),
)
_NAMES = frozenset(metric.name for metric in METRICS)


class ProtocolProbe:
    """A new connection each time: acceptor, network threads and request handlers all have their part in it.

    With SASL the request comes after the login, so that request handlers answer it. `deadline` is in seconds.
    """

    name = "protocol_probe"
    partial = True
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
        """One probe."""
        if not self.wanted & _NAMES:
            return []
        loop = asyncio.get_running_loop()
        began = loop.time()
        answered = await self._answers(began)
        values = [
            Sample("kafka_probe_up", (), now, float(answered)),
            Sample("kafka_probe_seconds", (), now, loop.time() - began),
        ]
        return values + [
            Sample("kafka_probe_failures_total", (("reason", reason),), now, float(count))
            for reason, count in self._failures.items()
        ]

    async def _answers(self, began: float) -> bool:
        broker = Broker(self._address, self._security, client_id="ottla-probe")
        try:
            await broker.ask(_API_VERSIONS, self._deadline)
        except KafkaRefused:
            return True  # a refusal is an answer
        except KafkaError as error:
            late = asyncio.get_running_loop().time() - began >= self._deadline
            self._failures["timeout" if late else "unreachable"] += 1
            self._tell(str(error))
            return False
        finally:
            broker.end()
        self._told = ""
        return True

    def _tell(self, why: str) -> None:
        if why != self._told:
            self._told = why
            log.warning("protocol probe: %s", why)


def _build(module: ModuleType) -> Any:
    return module.ApiVersionsRequest()


_API_VERSIONS = Call("api_versions", 18, 0, 0, _build)  # the oldest is answered by all
