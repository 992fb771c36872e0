"""Prometheus' remote-write request, as few bytes of its protocol as samples need: protobuf in snappy."""

from __future__ import annotations

import struct
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from agent.model import Labels

Times = npt.NDArray[np.int64]  # milliseconds since the epoch
Floats = npt.NDArray[np.float64]

_TIME_BYTES = 6  # of a varint: any millisecond from February 1971 to 2109
_SAMPLE = np.dtype([("head", "V3"), ("value", "<f8"), ("tag", "u1"), ("time", "u1", _TIME_BYTES)])
_HEAD = bytes([0x12, _SAMPLE.itemsize - 2, 0x09])  # samples = 2, its length, value = 1


def request(series: Iterable[tuple[Labels, Times, Floats]]) -> bytes:
    """The body of a POST to /api/v1/write; labels with `__name__`, sorted; NaN keep their bits."""
    return _snappy(b"".join(_field(1, _series(*each)) for each in series))


def _series(labels: Labels, times: Times, values: Floats) -> bytes:
    pairs = (_field(1, name.encode()) + _field(2, value.encode()) for name, value in labels)
    return b"".join(_field(1, pair) for pair in pairs) + _samples(times, values)


def _samples(times: Times, values: Floats) -> bytes:
    rows = np.zeros(len(times), _SAMPLE)
    rows["head"] = np.frombuffer(_HEAD, "V3")[0]
    rows["value"].view(np.int64)[:] = values.view(np.int64)  # by its bits, for the stale marker
    rows["tag"] = 0x10  # timestamp = 2
    shifts = 7 * np.arange(_TIME_BYTES)
    rows["time"] = (times[:, None] >> shifts & 0x7F) | np.where(shifts < shifts[-1], 0x80, 0)
    return rows.tobytes()


def _field(number: int, payload: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(payload)) + payload


def _varint(number: int) -> bytes:
    parts = bytearray()
    while number > 0x7F:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*parts, number])


def _snappy(data: bytes) -> bytes:
    """One literal: nothing is compressed."""
    if not data:
        return _varint(0)
    return _varint(len(data)) + bytes([63 << 2]) + struct.pack("<I", len(data) - 1) + data
