"""A line to a leader whose log has segments, read by the real agent.kafka.log: what it asks of a broker is
answered here in Kafka's own messages."""

from __future__ import annotations

import struct
import uuid
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

from aiokafka.record.util import calc_crc32c
from kio.index import load_entity_module
from kio.static.constants import EntityType

from agent.kafka.batches import Record, encode
from agent.kafka.bridge import Call
from agent.kafka.connection import Security
from agent.kafka.errors import OFFSET_OUT_OF_RANGE, KafkaRefused, LogTruncated
from agent.kafka.log import PartitionLog
from agent.kafka.metadata import BrokerInfo
from agent.kafka.partition import EARLIEST
from simulation.machines import Process
from simulation.partition import Line, Partition

ID = uuid.UUID(int=7)
LOG_APPEND_TIME, TRANSACTIONAL = 0x08, 0x10
CRC, ATTRIBUTES, LAST_DELTA, TIMES = 17, 21, 23, 27  # where a batch has them


class Leader:
    """agent.kafka.cluster.Cluster, as far as one partition's log asks for it."""

    def __init__(self, line: SegmentedLine, partition: Partition) -> None:
        self._line = line
        self._partition = partition

    async def ask(
        self, call: Call, *, node: int | None = None, purpose: str = "", deadline: float | None = None
    ) -> Any:
        """The answer, by duck typing."""
        request = call.build(load_entity_module(call.api, call.newest, EntityType.request))
        return await {"fetch": self._fetch, "list_offsets": self._bound}.get(call.api, self._locate)(request)

    async def _locate(self, _: Any) -> Any:
        leader = SimpleNamespace(
            partition_index=0,
            leader_id=1,
            leader_epoch=self._partition.epoch,
            replica_nodes=(1,),
            isr_nodes=(1,),
            eligible_leader_replicas=(),
            offline_replicas=(),
            last_known_elr=(),
        )
        await self._line.ends()  # one trip
        topic = SimpleNamespace(error_code=0, name="ottla-control", topic_id=ID, partitions=(leader,))
        return SimpleNamespace(topics=(topic,))

    async def _bound(self, request: Any) -> Any:
        asked = request.topics[0].partitions[0].timestamp
        found = (await self._line.ends())[asked != EARLIEST]
        part = SimpleNamespace(error_code=0, offset=found)
        return SimpleNamespace(topics=(SimpleNamespace(partitions=(part,)),))

    async def _fetch(self, request: Any) -> Any:
        asked = request.topics[0].partitions[0]
        line, wait = self._line, round(request.max_wait.total_seconds() * 1_000)
        code, records = 0, b""
        diverging = SimpleNamespace(epoch=-1, end_offset=-1)
        try:
            found = await line.answered(asked.fetch_offset, wait, request.min_bytes)
        except LogTruncated:
            code = OFFSET_OUT_OF_RANGE
        except KafkaRefused as error:
            code = error.code
        else:
            records = b"".join(map(_batch, found))
            self._diverges(asked, diverging)
        view = line.view
        part = SimpleNamespace(
            error_code=code,
            diverging_epoch=diverging,
            log_start_offset=view.start,
            high_watermark=len(view.records),
            records=records if diverging.epoch < 0 else b"",
        )
        return SimpleNamespace(responses=(SimpleNamespace(partitions=(part,)),))

    def _diverges(self, asked: Any, told: SimpleNamespace) -> None:
        """KIP-595: where the newest epoch that was read ends, if that is before what is asked for."""
        if asked.last_fetched_epoch < 0:
            return
        ended = [r for r in self._line.view.records if r.leader_epoch <= asked.last_fetched_epoch]
        epoch = ended[-1].leader_epoch if ended else -1
        if epoch != asked.last_fetched_epoch or len(ended) < asked.fetch_offset:
            told.epoch, told.end_offset = epoch, len(ended)

    async def brokers(self, deadline: float | None = None) -> Mapping[int, BrokerInfo]:
        """Nobody asks."""
        raise AssertionError("nobody asks")


class SegmentedLine(Line):
    """Its reads are those of a real log."""

    def __init__(self, partition: Partition, process: Process) -> None:
        super().__init__(partition, process)
        self._log = PartitionLog(
            ("simulated:1",), Security(), "ottla-control", client_id="simulated", deadline=2.5
        )
        leader: Any = Leader(self, partition)
        self._log._cluster = self._log._at_leader._cluster = leader

    async def answered(self, offset: int, max_wait_ms: int, min_bytes: int) -> Sequence[Record]:
        """One fetch of a broker."""
        return await super()._read(offset, max_wait_ms, min_bytes)

    async def ends(self) -> tuple[int, int]:
        """What a broker knows of both."""
        return await super().bounds()

    async def bounds(self) -> tuple[int, int]:
        """As the real one asks for them."""
        found = await self._log.bounds()
        self.log_start = self._log.log_start
        return found

    async def _read(self, offset: int, max_wait_ms: int, min_bytes: int) -> Sequence[Record]:
        """As the real one reads."""
        try:
            return await self._log.fetch(offset, max_wait_ms=max_wait_ms, min_bytes=min_bytes)
        finally:
            self.log_start = self._log.log_start


def _batch(record: Record) -> bytes:
    """As a broker keeps it: its offset, the leader's epoch, and its own time; of several records that cannot
    be read the last."""
    batch = bytearray(encode(record.value))
    struct.pack_into(">q", batch, 0, record.offset)
    struct.pack_into(">i", batch, 12, record.leader_epoch)
    struct.pack_into(">h", batch, ATTRIBUTES, LOG_APPEND_TIME | (TRANSACTIONAL if record.void else 0))
    struct.pack_into(">qq", batch, TIMES, record.at, record.at)
    struct.pack_into(">I", batch, CRC, calc_crc32c(bytes(batch[ATTRIBUTES:])))
    return bytes(batch)
