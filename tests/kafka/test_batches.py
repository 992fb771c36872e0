"""Record batches: what is written is read, and nothing that a broker sends is an exception."""

from __future__ import annotations

import struct
from itertools import chain

import pytest
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.record.util import calc_crc32c
from hypothesis import given
from hypothesis import strategies as st

from agent.kafka import batches
from agent.kafka.batches import Record, encode


def decode(data: bytes, start: int) -> tuple[Record, ...]:
    """All of them."""
    return tuple(chain.from_iterable(batches.decode(data, start)))


def _stored(batch: bytes, base: int = 0, epoch: int = 0) -> bytes:
    """A batch as the leader stores it: with its offset and epoch, which the checksum does not cover."""
    return struct.pack(">q", base) + batch[8:12] + struct.pack(">i", epoch) + batch[16:]


def _resealed(batch: bytes) -> bytes:
    """The same bytes with a checksum that fits."""
    return batch[:17] + struct.pack(">I", calc_crc32c(batch[21:])) + batch[21:]


def _built(values: list[bytes | None], *, compression: int = 0, transactional: bool = False) -> bytes:
    """A batch of another writer: aiokafka's."""
    builder = DefaultRecordBatchBuilder(
        magic=2,
        compression_type=compression,
        is_transactional=transactional,
        producer_id=-1,
        producer_epoch=-1,
        base_sequence=-1,
        batch_size=1 << 20,
    )
    for index, value in enumerate(values):
        builder.append(index, 1_000 + index, b"key", value, [("header", b"x"), ("odd", b"\xff\xfe")])
    return bytes(builder.build())


@given(st.binary(max_size=5_000), st.integers(0, 2**62), st.integers(0, 2**31 - 1))
def test_what_is_encoded_is_decoded(value: bytes, base: int, epoch: int) -> None:
    """Value, offset and leader epoch come back; our own records carry no time."""
    batch = _stored(encode(value), base, epoch)

    assert decode(batch, base) == (Record(base, epoch, -1, value, len(batch)),)


@given(st.binary(max_size=300))
def test_aiokafka_reads_what_is_encoded(value: bytes) -> None:
    """An independent reader agrees on the value and the checksum."""
    batch = MemoryRecords(encode(value)).next_batch()

    assert batch.validate_crc()
    assert [(r.key, r.value, r.headers) for r in batch] == [(None, value, [])]


def test_the_same_value_is_the_same_bytes() -> None:
    """A retry must repeat the first attempt exactly."""
    assert encode(b"x") == encode(b"x")


def test_batches_of_other_writers_are_read() -> None:
    """Keys and headers, even those that are no UTF-8, are passed over; a tombstone reads as empty."""
    data = _stored(_built([b"a", None, b"c"]), base=10) + _stored(_built([b"d"]), base=13)

    assert [(r.offset, r.at, r.value) for r in decode(data, 0)] == [
        (10, 1_000, b"a"),
        (11, 1_001, b""),
        (12, 1_002, b"c"),
        (13, 1_000, b"d"),
    ]


def test_records_before_the_offset_asked_are_left_out() -> None:
    """A broker sends whole batches, so the first may begin too early."""
    assert [r.offset for r in decode(_stored(_built([b"a", b"b", b"c"]), base=10), 11)] == [11, 12]


def test_a_batch_cut_off_at_the_end_is_left_out() -> None:
    """The next fetch gets it whole."""
    data = _stored(encode(b"a")) + _stored(encode(b"b"), base=1)

    assert [r.value for r in decode(data[:-1], 0)] == [b"a"]


def test_the_time_is_the_brokers_where_it_stamps() -> None:
    """With LogAppendTime the batch's greatest timestamp is every record's."""
    batch = bytearray(_built([b"a", b"b"]))
    batch[22] |= 0x08
    batch[35:43] = struct.pack(">q", 77_000)

    assert [r.at for r in decode(_resealed(bytes(batch)), 0)] == [77_000, 77_000]


def _with_attribute(bit: int) -> bytes:
    batch = bytearray(_built([b"a", b"b"]))
    batch[22] |= bit
    return _resealed(bytes(batch))


@pytest.mark.parametrize(
    ("batch", "why"),
    [
        (_built([b"a" * 100, b"a" * 100], compression=1), "compressed batch"),
        (_built([b"a", b"b"], transactional=True), "transactional batch"),
        (_with_attribute(0x20), "control batch"),
        (_built([b"a", b"b"])[:-1] + b"?", "checksum does not match"),
        (_resealed(_built([b"a", b"b"])[:-1] + b"\x7f" * 40)[:-39], "checksum does not match"),
        (_built([b"a", b"b"])[:16] + b"\1" + _built([b"a", b"b"])[17:], "record format 1"),
        (_resealed(_built([b"a", b"b"])[:61] + b"\x7f" + _built([b"a", b"b"])[62:]), "malformed record"),
    ],
)
def test_a_batch_that_cannot_be_read_is_void(batch: bytes, why: str) -> None:
    """One void record at its last offset stands for it, and reading goes on behind it."""
    after = _stored(encode(b"after"), base=7)
    first, second = decode(_stored(batch, base=5, epoch=3) + after, 5)

    assert (first.void, first.offset, first.leader_epoch, first.value) == (why, 6, 3, b"")
    assert (second.void, second.offset, second.value) == ("", 7, b"after")


@given(st.binary(max_size=400))
def test_garbage_is_never_an_exception(data: bytes) -> None:
    """Any bytes end in some records or none."""
    decode(data, 0)


@given(
    st.binary(max_size=80),
    st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), max_size=4),
    st.booleans(),
)
def test_a_damaged_batch_is_never_an_exception(
    value: bytes, damage: list[tuple[int, int]], sealed: bool
) -> None:
    """Nor are bytes that were nearly right, even with a fitting checksum; offsets only ever rise."""
    data = bytearray(_stored(_built([value, b"b"])) + _stored(encode(value), base=2))
    for position, byte in damage:
        data[position % len(data)] = byte
    records = decode(_resealed(bytes(data)) if sealed else bytes(data), 0)

    offsets = [r.offset for r in records]
    assert offsets == sorted(set(offsets))
