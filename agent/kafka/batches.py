"""Record batches, format v2: one record to its batch, and any bytes that a broker sent to records."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from aiokafka.record.util import calc_crc32c
from msgspec import Struct

# KIP-98: base offset, length, leader epoch, magic, CRC; then what the CRC covers: attributes, last offset
# delta, base and max timestamp, producer id and epoch, base sequence, record count.
_HEAD = struct.Struct(">qiibI")
_BODY = struct.Struct(">hiqqqhii")
_HEADER = _HEAD.size + _BODY.size
_FRAME = 12  # base offset and length, which the length does not count
_COMPRESSION, _LOG_APPEND_TIME, _TRANSACTIONAL, _CONTROL = 0x07, 0x08, 0x10, 0x20


class Record(Struct, frozen=True):
    """One record of a partition. `at` is milliseconds since the epoch, as the broker stamped it where the
    topic says LogAppendTime; `batch_bytes` is the size of the batch it came in.

    `void` says why nothing can be read here (then `value` is empty): it stands for a whole batch, at the
    batch's last offset.
    """

    offset: int
    leader_epoch: int
    at: int
    value: bytes
    batch_bytes: int
    void: str = ""


def encode(value: bytes) -> bytes:
    """A batch of one record without key, headers, producer id and time (the broker stamps it): the same
    bytes each time, so that a retry repeats the first attempt exactly."""
    # attributes, timestamp delta and offset delta are 0; then no key, the value, no headers
    record = b"\0\0\0" + _varint(-1) + _varint(len(value)) + value + b"\0"
    body = _BODY.pack(0, 0, -1, -1, -1, -1, -1, 1) + _varint(len(record)) + record
    return _HEAD.pack(0, _HEAD.size - _FRAME + len(body), -1, 2, calc_crc32c(body)) + body


def decode(data: bytes, start: int) -> Iterator[list[Record]]:
    """The records from offset `start` on, a batch at a time: a whole answer of a fetch would take a hundred
    milliseconds. Total: what cannot be read is void, an incomplete batch at the end is left out, and after a
    header that makes no sense nothing more is read."""
    position, expected = 0, start
    while len(data) - position >= _HEADER:
        base, length = struct.unpack_from(">qi", data, position)
        end = position + _FRAME + length
        if base < 0 or length < _HEADER - _FRAME or end > len(data):
            break
        found: list[Record] = []
        for record in _records(data[position:end]):
            if record.offset >= expected:  # a batch may begin before the offset that was asked for
                found.append(record)
                expected = record.offset + 1
        yield found
        position = end


def _records(batch: bytes) -> list[Record]:
    """The records of one whole batch; one void record if they cannot be read."""
    base, _, epoch, _, _ = _HEAD.unpack_from(batch)
    attributes, last, base_at, max_at, *_, count = _BODY.unpack_from(batch, _HEAD.size)
    why = _unreadable(batch)
    if not why:
        try:
            return [
                Record(
                    base + delta, epoch, max_at if attributes & _LOG_APPEND_TIME else at, value, len(batch)
                )
                for at, delta, value in _split(batch, base_at, last, count)
            ]
        except (ValueError, IndexError):
            why = "malformed record"
    # A batch has fewer records than bytes; where it claims more, its last offset is not to be believed.
    return [Record(base + (last if 0 <= last < len(batch) else 0), epoch, max_at, b"", len(batch), why)]


def _unreadable(batch: bytes) -> str:
    """Why a batch must not be read, empty if it may be. Transactions are none of ours, and whether one was
    aborted is not told to every reader alike."""
    *_, magic, crc = _HEAD.unpack_from(batch)
    if magic != 2:
        return f"record format {magic}"
    if calc_crc32c(batch[_HEAD.size :]) != crc:
        return "checksum does not match"
    (attributes,) = struct.unpack_from(">h", batch, _HEAD.size)
    if attributes & _CONTROL:
        return "control batch"
    if attributes & _TRANSACTIONAL:
        return "transactional batch"
    return "compressed batch" if attributes & _COMPRESSION else ""


def _split(batch: bytes, base_at: int, last: int, count: int) -> Iterator[tuple[int, int, bytes]]:
    """(timestamp, offset delta, value) of each record; ValueError or IndexError if malformed."""
    position, previous = _HEADER, -1
    for _ in range(count):
        size, position = _read_varint(batch, position)
        end = position + size
        at_delta, position = _read_varint(batch, position + 1)
        delta, position = _read_varint(batch, position)
        key, position = _read_varint(batch, position)
        length, position = _read_varint(batch, position + max(key, 0))
        value = batch[position : position + max(length, 0)]  # a tombstone, length -1, reads as empty
        if not (previous < delta <= last and position + len(value) < end <= len(batch)):
            raise ValueError("offsets or sizes contradict each other")
        if len(value) < length:
            raise ValueError("the value ends early")
        yield base_at + at_delta, delta, value
        position, previous = end, delta
    if position != len(batch):
        raise ValueError("bytes after the last record")


def _varint(number: int) -> bytes:
    """Zigzag and seven bits a byte, the low ones first."""
    rest = (number << 1) ^ (number >> 63)
    out = bytearray()
    while rest > 0x7F:
        out.append(rest & 0x7F | 0x80)
        rest >>= 7
    return bytes((*out, rest))


def _read_varint(data: bytes, position: int) -> tuple[int, int]:
    """The number and the position after it. aiokafka's own reads beyond the end of what it is given."""
    number = 0
    for shift in range(0, 70, 7):
        byte = data[position]
        position += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return (number >> 1) ^ -(number & 1), position
    raise ValueError("a number has more than ten bytes")
