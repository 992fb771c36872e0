"""The store as a stream of bytes and back, so that a restart is not cold.

Little-endian: a line that names format and version; frames, each its length in 4 bytes and so much msgpack
(the first what is known of the whole, then pieces of metrics); a length of zero; a BLAKE2b digest.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator
from typing import BinaryIO, TypeVar

import msgspec
import numpy as np

from agent.model import Labels
from agent.promql.vectors import NO_ROWS, Samples
from agent.series.cover import Held
from agent.series.store import Series

MAX_BYTES = 64 << 20
_MAGIC = b"ottla series 1\n"
_DIGEST = 16
_LENGTH = struct.Struct("<I")
_AT_ONCE = 1 << 20
_Frame = TypeVar("_Frame")


class BadSnapshot(ValueError):
    """These bytes are no snapshot of this version, or not a whole one."""


class _Piece(msgspec.Struct, array_like=True):
    """Some series of one metric: of each its samples, all in one row. Without any: the metric is left out."""

    name: str
    labels: list[Labels] = []
    counts: list[int] = []
    times: bytes = b""
    values: bytes = b""


def written(series: Series, left_out: set[str]) -> Iterator[bytes]:
    """The snapshot, some hundred kB at a time.

    The newest metrics that would make it larger than MAX_BYTES are left out, and added to `left_out`.
    """
    digest = hashlib.blake2b(digest_size=_DIGEST)
    for part in _parts(series, left_out):
        digest.update(part)
        yield part
    yield digest.digest()


def _parts(series: Series, left_out: set[str]) -> Iterator[bytes]:
    yield (begin := _MAGIC + _framed(series.held()))
    absences = {name: _framed(_Piece(name)) for name in series.names}
    room = MAX_BYTES - 1024 - len(begin) - sum(map(len, absences.values()))
    for name, absence in absences.items():
        for part in () if left_out else _pieces(series, name):
            room -= len(part)
            if room < 0:
                left_out.add(name)
                break
            yield part
        if left_out:
            left_out.add(name)
            yield absence
    yield _LENGTH.pack(0)


def _pieces(series: Series, name: str) -> Iterator[bytes]:
    for labels, samples in series.pieces(name):
        inside = np.arange(samples.times.shape[1]) < samples.counts[:, None]
        times = samples.times[inside].astype("<i8").tobytes()
        values = samples.values[inside].astype("<f8").tobytes()
        yield _framed(_Piece(name, list(labels), samples.counts.tolist(), times, values))


def _framed(frame: Held | _Piece) -> bytes:
    data = msgspec.msgpack.encode(frame)
    return _LENGTH.pack(len(data)) + data


def restore(series: Series, stream: BinaryIO, now: int) -> None:
    """Put a snapshot back into an empty store. It is read twice: first to know that all of it is whole.

    Raises BadSnapshot (the store is empty then), OSError.
    """
    _check(stream)
    stream.seek(len(_MAGIC))
    try:
        held = _decoded(stream, Held)
        if held is None:
            raise BadSnapshot("it says nothing of itself")
        series.resume(held, now)
        left_out = set[str]()
        while (piece := _decoded(stream, _Piece)) is not None:
            series.put_back(piece.name, piece.labels, _samples(piece))
            if not piece.labels:
                left_out.add(piece.name)
        series.leave_out(left_out)
    except (ValueError, struct.error, msgspec.DecodeError) as error:
        series.forget()
        raise BadSnapshot(str(error)) from error


def _check(stream: BinaryIO) -> None:
    """That it is a snapshot of this version and whole, to the last byte."""
    size = stream.seek(0, 2) - _DIGEST
    stream.seek(0)
    if size > MAX_BYTES:
        raise BadSnapshot(f"it has {size} bytes, more than one ever has")
    begin = stream.read(len(_MAGIC))
    if begin != _MAGIC:
        raise BadSnapshot(f"it begins with {begin!r} and not with {_MAGIC!r}")
    digest, left = hashlib.blake2b(begin, digest_size=_DIGEST), size - len(_MAGIC)
    while left > 0 and (data := stream.read(min(left, _AT_ONCE))):
        digest.update(data)
        left -= len(data)
    if left or stream.read(_DIGEST) != digest.digest():
        raise BadSnapshot("its checksum does not fit: it is damaged, or was not written to its end")


def _decoded(stream: BinaryIO, kind: type[_Frame]) -> _Frame | None:
    """The next frame; None at the end."""
    (length,) = _LENGTH.unpack(stream.read(_LENGTH.size))
    if length > MAX_BYTES:
        raise BadSnapshot(f"a frame of {length} bytes")
    return msgspec.msgpack.decode(stream.read(length), type=kind) if length else None


def _samples(piece: _Piece) -> Samples:
    counts = np.array(piece.counts, np.intp)
    times, values = np.frombuffer(piece.times, "<i8"), np.frombuffer(piece.values, "<f8")
    if (
        len(counts) != len(piece.labels)
        or counts.min(initial=0) < 0
        or not (counts.sum() == len(times) == len(values))
    ):
        raise BadSnapshot(f"{piece.name} does not have as many samples as it says")
    shape = len(counts), int(counts.max(initial=0))
    inside = np.arange(shape[1]) < counts[:, None]
    wide_times, wide_values = np.zeros(shape, np.int64), np.zeros(shape)
    wide_times[inside], wide_values.view(np.int64)[inside] = times, values.view(np.int64)
    return Samples(NO_ROWS, wide_times, wide_values, counts)
