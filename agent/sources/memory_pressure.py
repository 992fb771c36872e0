"""Pressure stall information, memory and swap, named as node_exporter does."""

from __future__ import annotations

import errno
from collections.abc import Collection, Iterator, Mapping

from agent.sources import MetricInfo, kernel_file
from agent.sources.kernel import Reading

# Resource, line of /proc/pressure/<resource>, name, meaning. What waits is "some", what stands still "full".
_PRESSURE = (
    ("cpu", "some", "cpu_waiting", "at least one task waited for a CPU"),
    ("io", "some", "io_waiting", "at least one task waited for a disk"),
    ("io", "full", "io_stalled", "no task got on, for waiting for disks"),
    ("memory", "some", "memory_waiting", "at least one task waited for memory"),
    ("memory", "full", "memory_stalled", "no task got on, for waiting for memory"),
)
_MEMORY = {
    "MemTotal": "Memory of the host",
    "MemAvailable": "Memory that can be had without swapping",
    "SwapTotal": "Swap space",
    "SwapFree": "Swap space that is free",
    "Dirty": "Memory that waits to be written to disks",
    "Writeback": "Memory that is being written to disks",
}
_PAGES = {
    "oom_kill": "Processes that the kernel killed for want of memory",
    "pswpin": "Pages read from swap",
    "pswpout": "Pages written to swap",
    "pgmajfault": "Page faults that had to read",
}
METRICS = (
    *(
        MetricInfo(f"host_pressure_{n}_seconds_total", "counter", "seconds", f"Time in which {help_}")
        for _, _, n, help_ in _PRESSURE
    ),
    *(MetricInfo(f"host_memory_{n}_bytes", "gauge", "bytes", help_) for n, help_ in _MEMORY.items()),
    *(MetricInfo(f"host_vmstat_{n}", "counter", "", help_) for n, help_ in _PAGES.items()),
)
_OF_MEMORY = frozenset(f"host_memory_{n}_bytes" for n in _MEMORY)
_OF_PAGES = frozenset(f"host_vmstat_{n}" for n in _PAGES)


class MemoryPressure:
    """Pressure of CPU, disks and memory; meminfo; vmstat."""

    name = "memory"
    metrics = METRICS

    def read(self, wanted: frozenset[str]) -> Iterator[Reading]:
        """See Part. FileNotFoundError where the kernel tells no pressure, after all else."""
        if wanted & _OF_MEMORY:
            for name, kilobytes in table(kernel_file.read("/proc/meminfo"), _MEMORY).items():
                yield f"host_memory_{name}_bytes", (), kilobytes * 1024.0
        if wanted & _OF_PAGES:
            for name, count in table(kernel_file.read("/proc/vmstat"), _PAGES).items():
                yield f"host_vmstat_{name}", (), float(count)
        for resource, kind, name, _ in _PRESSURE:
            if f"host_pressure_{name}_seconds_total" in wanted:
                totals = stalls(_pressure(resource))
                if kind in totals:  # the CPU's "full" is of no use, and old kernels have none
                    yield f"host_pressure_{name}_seconds_total", (), totals[kind] / 1e6


def _pressure(resource: str) -> str:
    """Its file. FileNotFoundError also where the kernel has it and does not count (psi=0, RHEL's default)."""
    path = f"/proc/pressure/{resource}"
    try:
        return kernel_file.read(path)
    except OSError as error:
        if error.errno != errno.EOPNOTSUPP:
            raise
        raise FileNotFoundError(error.errno, error.strerror, path) from None


def table(text: str, wanted: Collection[str]) -> Mapping[str, int]:
    """Some lines of /proc/meminfo or /proc/vmstat: a name and a number each."""
    found = {}
    for line in text.splitlines():
        name, _, rest = line.partition(" ")
        name = name.rstrip(":")
        if name in wanted:
            found[name] = int(rest.removesuffix("kB"))
    return found


def stalls(text: str) -> Mapping[str, int]:
    """/proc/pressure/*: microseconds by kind, some and full."""
    found = {}
    for line in text.splitlines():
        kind, *pairs = line.split()
        values = dict(pair.split("=", 1) for pair in pairs)
        if "total" not in values:
            raise ValueError(f"/proc/pressure: {line!r} has no total")
        found[kind] = int(values["total"])
    return found
