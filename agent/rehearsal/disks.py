"""A rehearsed broker's log dirs: replicas that grow, copies that progress, volumes that fill up."""

from __future__ import annotations

from dataclasses import dataclass, field

from agent.kafka.log_dirs import LogDir, LogDirReplica

Replica = tuple[str, int]  # topic, partition
KAFKA_STORAGE_ERROR = 56


@dataclass
class Volume:
    """One log dir on a volume of its own, in bytes. `other` is what files take that are not Kafka's."""

    total: int
    other: int = 0
    offline: bool = False
    cordoned: bool = False


@dataclass
class Future:
    """A copy under way into another log dir."""

    path: str
    copied: int = 0


@dataclass
class Disks:
    """`replicas` are this broker's, each with its log dir and size. A volume without room goes offline."""

    volumes: dict[str, Volume] = field(default_factory=dict)
    replicas: dict[Replica, tuple[str, int]] = field(default_factory=dict)
    futures: dict[Replica, Future] = field(default_factory=dict)
    produced: dict[Replica, int] = field(default_factory=dict)  # bytes a second
    no_controller: bool = False  # copies go on, swaps wait

    def used(self, path: str) -> int:
        """Bytes of a volume that are taken."""
        sizes = [size for at, size in self.replicas.values() if at == path]
        copies = [future.copied for future in self.futures.values() if future.path == path]
        return self.volumes[path].other + sum(sizes) + sum(copies)

    def free(self, path: str) -> tuple[int, int]:
        """Usable and total bytes; OSError for a path that is none."""
        if path not in self.volumes:
            raise FileNotFoundError(f"{path} is no log dir here")
        total = self.volumes[path].total
        return max(0, total - self.used(path)), total

    def pass_time(self, seconds: float, rate: int) -> None:
        """Producers write, copies go on at `rate` bytes a second altogether, full volumes go offline."""
        for key, grown in self.produced.items():
            if key in self.replicas:
                path, size = self.replicas[key]
                self.replicas[key] = path, size + int(grown * seconds)
        self._copy(int(rate * seconds))
        for path, volume in self.volumes.items():
            volume.offline = volume.offline or self.used(path) > volume.total

    def _copy(self, budget: int) -> None:
        for key in sorted(self.futures):
            future, (path, size) = self.futures[key], self.replicas[key]
            if self.volumes[future.path].offline or self.volumes[path].offline:
                continue
            step = max(0, min(budget, size - future.copied))
            future.copied += step
            budget -= step
            if future.copied >= size and not self.no_controller:
                del self.futures[key]
                self.replicas[key] = future.path, size

    def move(self, key: Replica, path: str) -> str | None:
        """Begin to move a replica, or cancel that by moving it to where it is; Kafka's error, or None."""
        if path not in self.volumes:
            return "LOG_DIR_NOT_FOUND"
        if any(volume.offline for volume in self.volumes.values()):
            return "KAFKA_STORAGE_ERROR"
        if key not in self.replicas:
            return "UNKNOWN_TOPIC_OR_PARTITION"
        if self.replicas[key][0] == path:
            self.futures.pop(key, None)
        elif key not in self.futures or self.futures[key].path != path:
            self.futures[key] = Future(path)
        return None

    def described(self) -> tuple[LogDir, ...]:
        """As DescribeLogDirs tells it: nothing of what is in an offline dir."""
        return tuple(self._described(path, volume) for path, volume in self.volumes.items())

    def _described(self, path: str, volume: Volume) -> LogDir:
        if volume.offline:
            return LogDir(path, KAFKA_STORAGE_ERROR, -1, -1, ())
        here = [
            LogDirReplica(t, p, size, 0, False) for (t, p), (at, size) in self.replicas.items() if at == path
        ]
        coming = [
            LogDirReplica(t, p, f.copied, 1, True) for (t, p), f in self.futures.items() if f.path == path
        ]
        usable = volume.total - self.used(path)
        return LogDir(path, 0, volume.total, usable, (*here, *coming), volume.cordoned)
