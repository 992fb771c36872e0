"""Writes a small file of its own into each log dir and syncs it: the only true test of a disk.

/proc/mounts may say `rw` after the kernel gave a file system up, and statvfs answers while all writes hang.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence

from agent.model import Sample
from agent.sources import MetricInfo, SourceFailed
from agent.sources.host import LogDirPath
from agent.sources.probing_process import ProbingProcess

PROBE_FILE = ".ottla-write-probe"  # Kafka leaves plain files in a log dir alone, at its start too
# Counted by name from 0 on, so that the first one is seen to rise; all others are "other".
ERRNOS = ("EACCES", "EDQUOT", "EIO", "ENOENT", "ENOSPC", "EROFS", "EXDEV", "other")

METRICS = (
    MetricInfo(
        "host_log_dir_probe_seconds",
        "gauge",
        "seconds",
        "How long the last write and fsync of one block took; while one hangs, how long it does so far",
    ),
    MetricInfo(
        "host_log_dir_probe_success", "gauge", "", "1 if the last probe wrote and synced within its deadline"
    ),
    MetricInfo(
        "host_log_dir_hung", "gauge", "", "1 while a probe has not returned since its deadline passed, else 0"
    ),
    MetricInfo(
        "host_log_dir_read_only", "gauge", "", "1 if the last probe that returned was refused with EROFS"
    ),
    MetricInfo(
        "host_log_dir_probe_errors_total",
        "counter",
        "",
        f"Probes that the file system refused, by `errno`: {', '.join(ERRNOS[:-1])} or other",
    ),
)
_NAMES = frozenset(metric.name for metric in METRICS)


class DiskProbe:
    """Probes every log dir each interval, by one process for all; nothing where no rule asks for it.

    A probe that hangs costs one thread of that process, which a disk that never answers keeps for ever: no
    second one is started into it, the other log dirs go on, and the agent ends without it. `deadline` is in
    seconds.
    """

    name = "disk_probe"
    partial = False
    metrics = METRICS

    def __init__(self, folders: Sequence[LogDirPath], interval_ms: int, deadline: float = 2.0) -> None:
        self.interval_ms = interval_ms
        self.wanted = frozenset[str]()
        self._deadline = deadline
        self._probes = [_Probe(folder.path) for folder in folders]
        files = [(f.path, f.probe_file or f"{f.path}/{PROBE_FILE}") for f in folders]
        self._process = ProbingProcess(files, self._answered, self._forget)

    async def read(self, now: int) -> list[Sample]:
        """One probe of each log dir, side by side. SourceFailed where the probing process does not work."""
        if not self.wanted & _NAMES:
            return []
        if not self._process.runs:
            await self._process.start()
        for number, probe in enumerate(self._probes):
            if probe.idle.is_set():
                self._process.ask(number)
                probe.asked()
        await self._until_the_deadline()
        if not self._process.runs:
            raise SourceFailed(
                "the process that probes the log dirs has ended; the next reading starts another"
            )
        return [sample for probe in self._probes for sample in probe.samples(now, self._deadline)]

    def close(self) -> None:
        """End the probing process, but for its threads that hang."""
        self._process.close()

    async def _until_the_deadline(self) -> None:
        """Or until all have answered that did not hang before."""
        fresh = [probe.idle for probe in self._probes if not probe.hangs]
        try:
            async with asyncio.timeout(self._deadline):
                for idle in fresh:  # one after the other, in the same time: no task for each
                    await idle.wait()
        except TimeoutError:
            for probe in self._probes:
                probe.hangs = not probe.idle.is_set()

    def _answered(self, number: int, seconds: float, why: str) -> None:
        self._probes[number].answered(seconds, why)

    def _forget(self) -> None:
        """What was asked of a process that has ended is not answered any more."""
        for probe in self._probes:
            probe.idle.set()
            probe.hangs = False


class _Probe:
    """One log dir's probes, and what became of them."""

    def __init__(self, path: str) -> None:
        self.idle = asyncio.Event()
        self.idle.set()
        self.hangs = False
        self._path = path
        self._asked_at = 0.0
        self._took = 0.0
        self._why = "-"  # the last one's errno
        self._errors = dict.fromkeys(ERRNOS, 0)

    def asked(self) -> None:
        """One has begun."""
        self.idle.clear()
        self._asked_at = time.monotonic()

    def answered(self, seconds: float, why: str) -> None:
        """It has ended, perhaps long after its deadline."""
        self._took, self._why, self.hangs = seconds, why, False
        if why != "-":
            self._errors[why if why in self._errors else "other"] += 1
        self.idle.set()

    def samples(self, now: int, deadline: float) -> Iterator[Sample]:
        """What is known now. One may have ended long after its deadline, while another was waited for."""
        labels = (("path", self._path),)
        values = {
            "probe_seconds": time.monotonic() - self._asked_at if self.hangs else self._took,
            "probe_success": not self.hangs and self._why == "-" and self._took <= deadline,
            "hung": self.hangs,
            "read_only": self._why == "EROFS",
        }
        for name, value in values.items():
            yield Sample(f"host_log_dir_{name}", labels, now, float(value))
        for errno, count in self._errors.items():
            counted = (("errno", errno), *labels)
            yield Sample("host_log_dir_probe_errors_total", counted, now, float(count))
