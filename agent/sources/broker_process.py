"""The broker's process as /proc has it: descriptors, maps, threads, memory, CPU; whether it is stopped."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator

from agent.sources import MetricInfo, kafka_processes, kernel_file
from agent.sources.broker_pid import BrokerAt, find, look
from agent.sources.broker_port import Found
from agent.sources.kafka_processes import Hidden
from agent.sources.kernel import Reading
from agent.sources.process_limits import max_threads, open_file_limit
from agent.sources.process_stat import TICK, Stat, boot_time, stat_of, ticks, uninterruptible
from agent.sources.started_alike import Start, start_of, started_by

# /proc/PID/maps takes 12 ms of processor time beside 4,000 partitions, and the broker maps no file meanwhile:
# at most a 10,000th of the time goes there. The count grows with the segments, over hours.
_MAPS_SHARE = 10_000
# A look for another process while one lives takes some 0.05 s beside 1,000 processes, or as long as no
# resolver answers: once in so many seconds, or where it took more than one, a 60th of the time.
_AGAIN_S = 60.0


def _gauge(name: str, meaning: str, unit: str = "") -> MetricInfo:
    return MetricInfo(f"host_broker_{name}", "gauge", unit, meaning)


METRICS = (
    _gauge("up", "1 if the broker's process was found, else 0"),
    _gauge("pid", "Its pid"),
    MetricInfo(
        "host_broker_pid_changes_total", "counter", "", "Times that another process was found than before"
    ),
    _gauge("start_time_seconds", "When it was started, since the epoch", "seconds"),
    MetricInfo("host_broker_cpu_seconds_total", "counter", "seconds", "CPU time, of user and system"),
    _gauge("resident_memory_bytes", "Memory that it holds", "bytes"),
    _gauge("threads", "Its threads"),
    _gauge("max_threads", "The least of its limits on threads: RLIMIT_NPROC, pids.max, threads-max, pid_max"),
    _gauge("stopped", "1 if it is stopped, by SIGSTOP or a debugger, else 0"),
    _gauge("threads_uninterruptible", "Threads that wait in the kernel for a disk (state D), as of now"),
    _gauge("open_fds", "Open file descriptors"),
    _gauge("max_fds", "Open file descriptors that it may have"),
    _gauge(
        "maps", "Memory maps, of which each segment takes two or more; counted now and then, since it is dear"
    ),
    _gauge("max_maps", "Memory maps that a process may have: vm.max_map_count"),
)


class BrokerProcess:
    """Finds the process again when it is gone or another one has its pid, and now and then where another one
    may turn out to be it."""

    name = "broker_process"
    metrics = METRICS

    def __init__(self, at: BrokerAt) -> None:
        self._at = at
        self._pid: int | None = None
        self._started = -1
        self._seen = 0  # before it was last seen to live, in ticks since the boot
        self._again = math.inf  # when it is looked for again while it lives (monotonic seconds)
        self._guess = False  # whether it was only the likeliest
        self._start = Start()  # how it was, where no word of Kafka's tells it
        self._booted = 0.0  # read once a process: /proc/stat is dear on many CPUs
        self._changes = 0
        self._maps: tuple[float, int] | None = None  # due again (monotonic seconds), count

    def read(self, wanted: frozenset[str]) -> Iterator[Reading]:
        """See Part."""
        stat = self._stat()
        yield "host_broker_up", (), float(stat is not None)
        yield "host_broker_pid_changes_total", (), float(self._changes)
        if stat is not None and self._pid is not None:
            yield from ((name, (), value) for name, value in self._of(self._pid, stat, wanted))

    def _stat(self) -> Stat | None:
        now, stat = ticks(), stat_of(self._pid)
        if stat is None or stat.started != self._started:
            stat = self._take(self._find())
        elif time.monotonic() >= self._again:
            stat = self._take(self._find_again())
        if stat is not None:
            self._seen = now
        return stat

    def _take(self, found: Found) -> Stat | None:
        stat = stat_of(found.pid)
        if stat is not None and (found.pid, stat.started) != (self._pid, self._started):
            self._changes += self._started not in (-1, stat.started)
            self._started, self._maps, self._booted = stat.started, None, boot_time()
            self._start = Start() if found.pid is None else start_of(found.pid)
        self._pid, self._guess = found.pid, found.is_guess
        if found.pid is not None and not found.is_guess and kafka_processes.is_likeliest(found.pid):
            self._again = math.inf
        return stat

    def _find(self) -> Found:
        """Raises as `look` does."""
        began = time.monotonic()
        try:
            return self._look()
        finally:
            now = time.monotonic()
            self._again = now + _AGAIN_S * max(1.0, now - began)

    def _look(self) -> Found:
        """One that was seen by its port and is not is gone, whatever /proc hides: the next will be seen."""
        try:
            found = look(self._at)
        except Hidden:
            if self._at.port is None or self._started == -1:
                raise
            return Found(None)
        if found.pid is None and self._at.port is not None and self._start.words:
            self._check_is_gone()
        return found

    def _find_again(self) -> Found:
        """Who is found now, while who was lives: it may have started the broker, or be another one. That
        nobody is seen, or guessed, ends only a guess: a broker that stops closes its port long before that,
        its pid file may be gone by then, and systemd may not answer."""
        try:
            found = self._find()
        except OSError:
            if self._guess:
                self._again = -math.inf  # unread until it is known, and not once a minute
                raise
            found = Found(None)
        is_known = found.pid is not None and not found.is_guess
        return found if is_known or self._guess else Found(self._pid)

    def _check_is_gone(self) -> None:
        """OSError where one that no word of Kafka's tells may have been started again and not listen yet:
        since the one before it was last seen."""
        for pid in started_by(self._start):
            stat = stat_of(pid)
            if stat is not None and stat.started >= self._seen:
                raise OSError(
                    f"nobody listens on port {self._at.port}, and whether process {pid}, which was started"
                    " like the broker before it, will cannot be seen: name host.process.unit"
                )

    def _of(self, pid: int, stat: Stat, wanted: frozenset[str]) -> Iterator[tuple[str, float]]:
        folder = f"/proc/{pid}"
        yield "host_broker_pid", float(pid)
        yield "host_broker_start_time_seconds", self._booted + stat.started / TICK
        yield "host_broker_cpu_seconds_total", stat.cpu
        yield "host_broker_resident_memory_bytes", float(stat.resident)
        yield "host_broker_threads", float(stat.threads)
        yield "host_broker_stopped", float(stat.state in "Tt")
        if "host_broker_max_threads" in wanted:
            yield "host_broker_max_threads", float(max_threads(folder))
        if "host_broker_threads_uninterruptible" in wanted:
            yield "host_broker_threads_uninterruptible", float(uninterruptible(folder))
        if wanted & {"host_broker_open_fds", "host_broker_max_fds"}:
            yield "host_broker_max_fds", open_file_limit(folder)
            yield "host_broker_open_fds", float(open_files(folder))
        if wanted & {"host_broker_maps", "host_broker_max_maps"}:
            yield "host_broker_max_maps", float(kernel_file.read("/proc/sys/vm/max_map_count"))
            yield "host_broker_maps", float(self._count_maps(folder))

    def _count_maps(self, folder: str) -> int:
        now = time.monotonic()
        if self._maps is None or now >= self._maps[0]:
            began = time.thread_time()
            count = kernel_file.read(f"{folder}/maps").count("\n")
            self._maps = now + _MAPS_SHARE * (time.thread_time() - began), count
        return self._maps[1]


def open_files(folder: str) -> int:
    """How many descriptors are open. Since Linux 6.2 the folder's size says it, to everybody."""
    known = os.stat(f"{folder}/fd").st_size  # noqa: PTH116 one call
    return known or len(os.listdir(f"{folder}/fd"))  # noqa: PTH208 names only


def which_process(at: BrokerAt) -> str | None:
    """What tells one process of the broker from its next; None where none runs, or nobody can tell."""
    try:
        pid = find(at)
        stat = stat_of(pid)
    except (OSError, ValueError):
        return None
    return None if stat is None else f"pid {pid} started at {stat.started}"
