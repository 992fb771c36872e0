"""The deadman: a timer of the kernel that kills this very process, also while it is stopped, swapped out or
starved (coordination.md section 4, rule 4). It needs nobody's cooperation, least of all our own."""

from __future__ import annotations

import ctypes
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from agent.model import Boot

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_SIGEV_SIGNAL, _TIMER_ABSTIME = 0, 1  # asm-generic/siginfo.h, linux/time.h


class NoDeadman(OSError):
    """A timer of the kernel would not kill this process; the text says why and what to do."""


class _Event(ctypes.Structure):
    """struct sigevent: 64 bytes, of which a signal needs the first three fields."""

    _fields_ = (
        ("value", ctypes.c_void_p),
        ("signo", ctypes.c_int),
        ("notify", ctypes.c_int),
        ("pad", ctypes.c_char * 48),
    )


class _Spec(ctypes.Structure):
    """struct itimerspec: interval and first instant, seconds and nanoseconds each."""

    _fields_ = tuple((name, ctypes.c_long) for name in ("interval_s", "interval_ns", "value_s", "value_ns"))


class Deadman:
    """One timer of the kernel for each arming, since several effects may be under way. Not inherited by
    children: an effect made by a child needs one in the child."""

    def __init__(self) -> None:
        """Raises NoDeadman where a timer would not kill: as process 1 of a PID namespace, whom no signal of
        its own namespace kills, or on a kernel without timers by CLOCK_BOOTTIME."""
        if os.getpid() == 1:
            raise NoDeadman("process 1 of a container is not killed by its own timer: run it under an init")
        self._c = ctypes.CDLL(None, use_errno=True)
        if not hasattr(self._c, "timer_create"):  # glibc before 2.34 keeps timers beside itself
            self._c = ctypes.CDLL("librt.so.1", use_errno=True)
        self.arm(now() + 3_600_000)()  # a kernel that cannot is found at the start

    def arm(self, at: int) -> Callable[[], None]:
        """SIGKILL at boot time `at` (ms, CLOCK_BOOTTIME), at once where that has passed; what is returned
        calls it off. Raises NoDeadman."""
        event, timer = _Event(None, signal.SIGKILL, _SIGEV_SIGNAL), ctypes.c_void_p()
        self._check(
            self._c.timer_create(time.CLOCK_BOOTTIME, ctypes.byref(event), ctypes.byref(timer)),
            "timer_create",
        )
        when = _Spec(0, 0, at // 1_000, at % 1_000 * 1_000_000)

        def disarm() -> None:
            self._check(self._c.timer_delete(timer), "timer_delete")

        try:
            self._check(
                self._c.timer_settime(timer, _TIMER_ABSTIME, ctypes.byref(when), None), "timer_settime"
            )
        except OSError:
            disarm()
            raise
        return disarm

    @staticmethod
    def _check(code: int, call: str) -> None:
        if code != 0:
            number = ctypes.get_errno()
            raise NoDeadman(number, f"the deadman's timer: {call}: {os.strerror(number)}")


def now() -> int:
    """Milliseconds since boot, suspends included."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000


def boot() -> Boot:
    """This instant, of this boot of the machine; nothing is known of it where the kernel does not tell."""
    try:
        return Boot(_BOOT.read_text(encoding="ascii").strip(), now())
    except OSError:
        return Boot()
