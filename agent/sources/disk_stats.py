"""/proc/diskstats of the log dirs' devices: what node_exporter calls node_disk_*, and rates of it."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

from agent.model import Labels
from agent.sources import MetricInfo, kernel_file
from agent.sources.kernel import Reading

_SECTOR = 512  # bytes, whatever the device's own
_FEWEST = 11  # fields after the device's name; newer kernels have discards and flushes behind them

# Name, field of /proc/diskstats after the device's name, divisor, unit, meaning.
_COUNTERS = (
    ("reads_completed_total", 0, 1, "", "Reads completed"),
    ("read_bytes_total", 2, 1 / _SECTOR, "bytes", "Bytes read"),
    ("read_time_seconds_total", 3, 1000, "seconds", "Time spent by all reads"),
    ("writes_completed_total", 4, 1, "", "Writes completed"),
    ("written_bytes_total", 6, 1 / _SECTOR, "bytes", "Bytes written"),
    ("write_time_seconds_total", 7, 1000, "seconds", "Time spent by all writes"),
    ("io_time_seconds_total", 9, 1000, "seconds", "Time with anything in flight"),
    ("io_time_weighted_seconds_total", 10, 1000, "seconds", "Time spent by everything in flight"),
    ("flush_requests_total", 15, 1, "", "Flushes completed; absent before Linux 5.5"),
    ("flush_requests_time_seconds_total", 16, 1000, "seconds", "Time spent by all flushes"),
)
_IN_FLIGHT = 8
_MS_END = 1 << 32
_ESCAPE = re.compile(r"\\([0-7]{3})")
METRICS = (
    *(MetricInfo(f"host_disk_{n}", "counter", unit, help_) for n, _, _, unit, help_ in _COUNTERS),
    MetricInfo("host_disk_io_now", "gauge", "", "Reads and writes in flight"),
    MetricInfo(
        "host_disk_read_await_seconds",
        "gauge",
        "seconds",
        "Mean time of the reads since the reading before; absent while some wait and none completes",
    ),
    MetricInfo("host_disk_write_await_seconds", "gauge", "seconds", "The same of writes"),
    MetricInfo(
        "host_disk_utilisation_ratio",
        "gauge",
        "ratio",
        "Share of the time with anything in flight; 1 is not yet full where a device works in parallel",
    ),
    MetricInfo(
        "host_disk_queue_length",
        "gauge",
        "",
        "Mean number of reads and writes in flight since the one before",
    ),
)


class DeviceLine(Struct, frozen=True):
    """One line: the device's name and its numbers, in the kernel's order."""

    device: str
    fields: tuple[int, ...]


class DiskStats:
    """Reads the line of each log dir's device: of its partition, volume or loop, as the file system sees it.

    Two log dirs on one device give two series each, apart by `path`.
    """

    name = "disk_stats"
    metrics = METRICS

    def __init__(self, paths: Sequence[str], table: str = "/proc/diskstats") -> None:
        self._paths = paths
        self._table = table
        self._before: dict[str, tuple[float, DeviceLine]] = {}

    def read(self, wanted: frozenset[str]) -> Iterator[Reading]:  # noqa: ARG002 all of it is one line
        """See Part. OSError says which log dirs could not be looked at, after the others were;
        FileNotFoundError where all of these are gone, or their device has no line: ZFS has none."""
        lines, at = parse(kernel_file.read(self._table)), time.monotonic()
        failed: list[OSError] = []
        for path in self._paths:
            try:
                line = _line_of(path, lines)
            except OSError as error:  # one that is gone, or whose file system shut down, hides no other
                failed.append(error)
                continue
            labels = (("device", line.device), ("path", path))
            yield from _counters(line, labels)
            before = self._before.get(path)
            if before is not None and before[1].device == line.device and at > before[0]:
                yield from derived(before[1].fields, line.fields, at - before[0], labels)
            self._before[path] = at, line
        if failed:
            absent = all(isinstance(error, FileNotFoundError) for error in failed)
            raise (FileNotFoundError if absent else OSError)("; ".join(map(str, failed)))


def _line_of(path: str, lines: Mapping[tuple[int, int], DeviceLine]) -> DeviceLine:
    line = lines.get(device_of(path))
    if line is None:
        raise FileNotFoundError(f"/proc/diskstats has no device for {path}")
    return line


def device_of(path: str) -> tuple[int, int]:
    """Major and minor number of the device that a path is on.

    btrfs and overlays have numbers of their own; the device is then the one that is mounted there.
    """
    number = os.stat(path).st_dev  # noqa: PTH116 one call
    if os.major(number):
        return os.major(number), os.minor(number)
    _, source = _mounted_at(path)
    if not source.startswith("/dev/"):
        return 0, 0
    device = os.stat(source).st_rdev  # noqa: PTH116
    return os.major(device), os.minor(device)


def volume_of(path: str) -> str:
    """What has the room of the file system there: paths with the same share it. The device, which subvolumes
    of btrfs have in common, by its name where the /dev of a container lacks it, or it is several; of a
    dataset of ZFS its pool."""
    number = os.stat(path).st_dev  # noqa: PTH116
    device: tuple[int, int] | None = None
    with suppress(OSError):  # of what is mounted there: the path itself was looked at
        device = device_of(path)
    if device is not None and any(device):
        return "{}:{}".format(*device)
    kind, source = _mounted_at(path)
    if kind == "zfs":
        return f"{kind} {source.partition('/')[0]}"
    return f"{kind} {source if device is None else number}"


def _mounted_at(path: str) -> tuple[str, str]:
    """The type of the file system there, and its source, as mountinfo(5) names them."""
    best, kind, source = "", "", ""
    for line in kernel_file.read("/proc/self/mountinfo").splitlines():
        left, _, right = line.partition(" - ")
        point = _plain(left.split()[4])
        if Path(path).resolve().is_relative_to(point) and len(point) >= len(best):
            best, (kind, source) = point, map(_plain, right.split()[:2])
    return kind, source


def _plain(escaped: str) -> str:
    """Without mountinfo's escapes, of spaces and the like."""
    return _ESCAPE.sub(lambda match: chr(int(match[1], 8)), escaped)


def parse(text: str) -> Mapping[tuple[int, int], DeviceLine]:
    """By major and minor number. ValueError where a line is not as documented."""
    found = {}
    for line in text.splitlines():
        major, minor, device, *fields = line.split()
        if len(fields) < _FEWEST:
            raise ValueError(f"/proc/diskstats: {line.strip()!r} has fewer than {_FEWEST} numbers")
        found[int(major), int(minor)] = DeviceLine(device, tuple(map(int, fields)))
    return found


def _counters(line: DeviceLine, labels: Labels) -> Iterator[Reading]:
    for name, field, divisor, _, _ in _COUNTERS:
        if field < len(line.fields):
            yield f"host_disk_{name}", labels, line.fields[field] / divisor
    yield "host_disk_io_now", labels, float(line.fields[_IN_FLIGHT])


def derived(before: Sequence[int], after: Sequence[int], seconds: float, labels: Labels) -> Iterator[Reading]:
    """The rates between two readings; nothing where a counter went back, as on a new device. Milliseconds
    are 32 bits of the kernel's: where reads and writes did not go back, these began anew at 0."""
    reads, writes = after[0] - before[0], after[4] - before[4]
    read_ms, write_ms, busy_ms, queued_ms = ((after[f] - before[f]) % _MS_END for f in (3, 7, 9, 10))
    if min(reads, writes) < 0 or max(read_ms, write_ms, busy_ms, queued_ms) >= _MS_END // 2:
        return
    for kind, count, spent in (("read", reads, read_ms), ("write", writes, write_ms)):
        if count or not after[_IN_FLIGHT]:
            yield f"host_disk_{kind}_await_seconds", labels, spent / 1000 / max(count, 1)
    yield "host_disk_utilisation_ratio", labels, min(1.0, busy_ms / 1000 / seconds)
    yield "host_disk_queue_length", labels, queued_ms / 1000 / seconds
