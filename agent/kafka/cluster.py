"""The brokers of a cluster, found from the bootstrap servers, and a connection to each for each purpose."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from agent.kafka.bridge import Call
from agent.kafka.connection import Broker, Security
from agent.kafka.errors import KafkaUnreachable
from agent.kafka.fresh import FreshRequest, Write, fresh_request
from agent.kafka.metadata import BrokerInfo, brokers_of, describe_cluster

_Answer = TypeVar("_Answer")

# So many servers get a fair share of one call's deadline; more only where some fail fast.
_TRIES = 3


class Cluster:
    """Sends each call to the right broker. Which one is asked first is the same every time: the first
    bootstrap server, usually the own broker, unless it failed more recently than the next."""

    def __init__(
        self, bootstrap: Sequence[str], security: Security, *, client_id: str, deadline: float
    ) -> None:
        if not bootstrap:
            raise ValueError("no bootstrap server is given: name at least one, such as 127.0.0.1:9092")
        self.deadline = deadline
        self._bootstrap = tuple(bootstrap)
        self._security = security
        self._client_id = client_id
        self._known: Mapping[int, BrokerInfo] = {}
        self._failed_at: dict[str, float] = {}
        self._connections: dict[tuple[str, str], Broker] = {}
        self._closed = False

    async def ask(
        self, call: Call, *, node: int | None = None, purpose: str = "", deadline: float | None = None
    ) -> Any:
        """kio's answer of broker `node`, or of any broker. Errors are those of `Broker.ask`.

        Calls of different `purpose` do not wait for each other; by default reads and writes have one each.
        A write to any broker goes to one that has just answered a read, so that it is not sent into silence.
        """
        until = _now() + (self.deadline if deadline is None else deadline)
        purpose = purpose or ("write" if call.write else "read")
        if node is not None:
            return await self._send(await self._locate(node, until), call, purpose, until)
        if call.write:
            _, address = await self._ask_any(describe_cluster(), "read", until)
            return await self._send(address, call, purpose, until)
        answer, _ = await self._ask_any(call, purpose, until)
        return answer

    async def fresh(self, node: int, write: Write[_Answer]) -> FreshRequest[_Answer]:
        """The write to broker `node`, ready to go on a connection of its own. Errors: `fresh_request`'s."""
        address = await self._locate(node, _now() + write.deadline)
        return await fresh_request(address, self._security, self._client_id, write)

    async def brokers(self, deadline: float | None = None) -> Mapping[int, BrokerInfo]:
        """Who is in the cluster by node id, asked anew; the addresses are used from then on."""
        until = _now() + (self.deadline if deadline is None else deadline)
        answer, _ = await self._ask_any(describe_cluster(), "read", until)
        self._known = brokers_of(answer)
        self._forget_old_addresses()
        return self._known

    async def close(self) -> None:
        """Close every connection, for good: calls under way fail, and open no other one."""
        self._closed = True
        closing = [connection.close() for connection in self._connections.values()]
        self._connections.clear()
        await asyncio.gather(*closing)

    async def _locate(self, node: int, until: float) -> str:
        """The node's address; asked again where its last call failed, for it may have moved."""
        info = self._known.get(node)
        if info is None or _address(info) in self._failed_at:
            try:
                await self.brokers((until - _now()) / 2)
            except KafkaUnreachable:
                if info is None:
                    raise
        info = self._known.get(node, info)
        if info is None or not info.host:
            raise KafkaUnreachable(f"broker {node}", "no broker of the cluster knows an address of it")
        return _address(info)

    def _forget_old_addresses(self) -> None:
        current = {*self._bootstrap, *map(_address, self._known.values())}
        for key in [key for key in self._connections if key[0] not in current]:
            self._connections.pop(key).end()
        for address in self._failed_at.keys() - current:
            del self._failed_at[address]

    async def _ask_any(self, call: Call, purpose: str, until: float) -> tuple[Any, str]:
        candidates = self._candidates()
        failures = []
        for index, address in enumerate(candidates):
            share = (until - _now()) / min(len(candidates) - index, _TRIES)
            if share <= 0:
                break
            try:
                return await self._send(address, call, purpose, _now() + share), address
            except KafkaUnreachable as error:
                failures.append(str(error))
        raise KafkaUnreachable(f"the cluster ({', '.join(candidates)})", "; ".join(failures))

    def _candidates(self) -> list[str]:
        """Every address, each once; those that failed come last, the latest of them at the end."""
        known = (_address(info) for info in self._known.values() if info.host and not info.fenced)
        return sorted(dict.fromkeys([*self._bootstrap, *known]), key=lambda a: self._failed_at.get(a, 0.0))

    async def _send(self, address: str, call: Call, purpose: str, until: float) -> Any:
        if self._closed:
            raise KafkaUnreachable(address, "the connections were closed on this side")
        connection = self._connections.get((address, purpose))
        if connection is None:
            connection = Broker(address, self._security, client_id=self._client_id)
            self._connections[address, purpose] = connection
        try:
            answer = await connection.ask(call, until - _now())
        except KafkaUnreachable:
            self._failed_at[address] = _now()
            raise
        self._failed_at.pop(address, None)
        return answer


def _address(info: BrokerInfo) -> str:
    return f"{info.host}:{info.port}"


def _now() -> float:
    return asyncio.get_running_loop().time()
