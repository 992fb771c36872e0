"""The kernel's log, /dev/kmsg: disks that fail, file systems that go read-only, processes killed for memory.

Documentation/ABI/testing/dev-kmsg: a read gives one record, `priority,sequence,microseconds,flags;text`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

from agent.sources.log_marks import Tally

NAME = "kmsg"
_DEVICE = Path("/dev/kmsg")
_BOOT = Path("/proc/sys/kernel/random/boot_id")
_RECORD = 16 << 10  # the kernel cuts records long before
_AT_ONCE = 1000

Read = Callable[[int, int], bytes]  # of a descriptor, so many bytes at most


class Kmsg:
    """Follows the kernel's ring. `place` is the boot's id and the next record's number in it. Where there is
    none yet, what is there when it is opened is skipped; else what is older than `window_ms`, which is
    counted."""

    def __init__(
        self,
        tally: Tally,
        window_ms: int,
        device: Path = _DEVICE,
        read: Callable[[int, int], bytes] = os.read,
    ) -> None:
        self.key = self.name = NAME
        self.place = ""
        self._tally = tally
        self._window_ms = window_ms
        self._oldest_us = 0
        self._device, self._read = device, read
        self._boot = ""
        self._next: int | None = (
            None  # the record that is due; what is missing before the next one was overwritten
        )
        self._fd: int | None = None

    @property
    def descriptors(self) -> tuple[int, ...]:
        """The device."""
        return () if self._fd is None else (self._fd,)

    def look(self, now: int) -> None:  # noqa: ARG002 the ring knows no better
        """Open it: behind what was read in this boot, at the first record of another, or at the end."""
        if self._fd is not None:
            return
        fd = os.open(self._device, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        self._boot = _BOOT.read_text(encoding="ascii").strip()
        boot, _, number = self.place.partition(" ")
        self._next = int(number) if boot == self._boot else None
        self._oldest_us = 1000 * (time.monotonic_ns() // 1_000_000 - self._window_ms)
        self._fd = fd
        if not self.place:
            self._pass_all()

    def take(self) -> bytes | None:
        """The texts of the next records."""
        lines = []
        for _ in range(_AT_ONCE):
            record = self._record()
            if record is None:
                break
            lines.append(self._text(record))
        if not lines:
            return None
        text = b"".join(lines)
        self._tally.bytes += len(text)
        return text

    def close(self) -> None:
        """Close the device."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def _pass_all(self) -> None:
        """To the end, not by the records' times: printk's clock is not ours, and may lag. One by one,
        since SEEK_END would not tell the next one's number, which is the place."""
        while (record := self._record()) is not None:
            if (numbers := _numbers(record)) is not None:
                self._go_behind(numbers[0])

    def _go_behind(self, number: int) -> None:
        self._next = number + 1
        self.place = f"{self._boot} {self._next}"

    def _record(self) -> bytes | None:
        while self._fd is not None:
            try:
                return self._read(self._fd, _RECORD)
            except BlockingIOError:
                return None
            except (
                BrokenPipeError
            ):  # the ring overtook us: the next read gives its oldest, and its number the loss
                continue
        return None

    def _text(self, record: bytes) -> bytes:
        """The line of a record; nothing where it was read before, is too old, or is none."""
        numbers = _numbers(record)
        if numbers is None:
            self._tally.refused += 1
            return b""
        number, at_us = numbers
        if self._next is not None and number < self._next:
            return b""
        self._tally.lost += number - self._next if self._next is not None else 0
        self._go_behind(number)
        # What follows the line is KEY=value of the device.
        line = record.partition(b";")[2].partition(b"\n")[0] + b"\n"
        if at_us >= self._oldest_us:
            return line
        self._tally.skipped += len(line)
        return b""


def _numbers(record: bytes) -> tuple[int, int] | None:
    """A record's number and its microseconds; None where it is no record."""
    fields = record.partition(b";")[0].split(b",")
    if len(fields) < 3 or not (fields[1].isdigit() and fields[2].isdigit()):
        return None
    return int(fields[1]), int(fields[2])
