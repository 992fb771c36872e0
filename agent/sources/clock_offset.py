"""How far the clock is off: as the kernel has it (adjtimex), and as chrony does where it runs."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from typing import ClassVar

from agent.sources import MetricInfo
from agent.sources.kernel import Reading

_LIBC = ctypes.CDLL(None, use_errno=True)
_PLL, _UNSYNC, _NANO, _ERROR = 0x0001, 0x0040, 0x2000, 5  # STA_... and TIME_ERROR of <sys/timex.h>
_OWN_CLOCK = "7F7F0101"  # the reference id with which chrony serves its own clock, for want of a server
_NOBODY = "506 "  # "Cannot talk to daemon": none runs, or not with a port for commands
_CHRONY_EVERY = 60.0  # seconds; it asks its servers once a minute or less
_CHRONY_DEADLINE = 1.5  # below the part's own
_REFERENCE = (
    3  # field of `tracking`: when it last corrected its clock by an answer, in seconds since the epoch
)
_CHRONY = {
    "stratum": (
        2,
        "",
        "Steps between chrony and a reference clock, kept without servers too; 0: none ever answered",
    ),
    "offset_seconds": (
        4,
        "seconds",
        "How far the system clock is from true time as chrony has it; + is slow",
    ),
    "root_delay_seconds": (10, "seconds", "Network delay to the reference clock"),
    "root_dispersion_seconds": (11, "seconds", "What the error may have grown to since the last answer"),
}
METRICS = (
    MetricInfo(
        "host_clock_offset_seconds",
        "gauge",
        "seconds",
        "How far the system clock is off: as chrony has it, else as the kernel does where ntpd or timesyncd"
        " has it slew, which is 0.5 at most whatever it was told; absent if neither knows",
    ),
    MetricInfo(
        "host_timex_sync_status", "gauge", "", "1 if the kernel counts the clock as synchronised, else 0"
    ),
    MetricInfo(
        "host_timex_offset_seconds",
        "gauge",
        "seconds",
        "What is still to be slewed, 0.5 at most: timesyncd steps the clock from 0.4 on, ntpd from 0.128 on;"
        " chrony slews otherwise and leaves 0 here",
    ),
    MetricInfo(
        "host_timex_maxerror_seconds",
        "gauge",
        "seconds",
        "The largest error that is possible; grows by 1.8 an hour without an answer of a server",
    ),
    MetricInfo("host_timex_estimated_error_seconds", "gauge", "seconds", "The error that is likely"),
    *(MetricInfo(f"host_chrony_{n}", "gauge", unit, help_) for n, (_, unit, help_) in _CHRONY.items()),
    MetricInfo(
        "host_chrony_reference_age_seconds",
        "gauge",
        "seconds",
        "Since chrony last had an answer by which it keeps the clock: without servers this grows, and its"
        " stratum stays",
    ),
)
_OF_CHRONY = frozenset(
    {"host_clock_offset_seconds", *(metric.name for metric in METRICS if "_chrony_" in metric.name)}
)


class ClockOffset:
    """The kernel's view each time, chrony's once a minute where `chronyc` is installed."""

    name = "clock"
    metrics = METRICS

    def __init__(self) -> None:
        self._chrony: Mapping[str, float] = {}
        self._why: tuple[type[OSError], str] | None = None  # chrony told nothing when it was last asked
        self._due = 0.0

    def read(self, wanted: frozenset[str]) -> Iterator[Reading]:
        """See Part. FileNotFoundError where chronyc is there and no chronyd listens to it, another OSError
        where one does not answer."""
        own, offset = kernel_clock()
        for name, value in own.items():
            yield f"host_timex_{name}", (), value
        if wanted & _OF_CHRONY and (chronyc := shutil.which("chronyc")):
            self._ask(chronyc)
        else:
            self._chrony, self._why = {}, None
        offset = self._chrony.get("offset_seconds", offset)
        if offset is not None:
            yield "host_clock_offset_seconds", (), offset
        for name, value in self._chrony.items():
            yield f"host_chrony_{name}", (), value
        if self._why:
            kind, why = self._why
            raise kind(why)

    def _ask(self, chronyc: str) -> None:
        if time.monotonic() < self._due:
            return
        self._chrony, self._why, self._due = {}, None, time.monotonic() + _CHRONY_EVERY
        try:
            self._chrony = tracking(_tracked(chronyc), time.time())
        except (OSError, ValueError) as error:
            self._why = FileNotFoundError if isinstance(error, FileNotFoundError) else OSError, str(error)


def _tracked(chronyc: str) -> str:
    command = [chronyc, "-c", "-n", "tracking"]
    try:
        done = subprocess.run(  # noqa: S603 a fixed command
            command, capture_output=True, text=True, timeout=_CHRONY_DEADLINE, check=False
        )
    except subprocess.TimeoutExpired:
        raise TimeoutError(f"chronyc has not answered for {_CHRONY_DEADLINE:g} s") from None
    if done.returncode:
        said = (done.stdout or done.stderr).strip()
        kind = FileNotFoundError if said.startswith(_NOBODY) else OSError
        raise kind(f"chronyc: {said or done.returncode}")
    return done.stdout


def tracking(text: str, now: float) -> Mapping[str, float]:
    """`chronyc -c tracking`: one line of comma-separated values. Before its first server has answered, chrony
    says 0 for all, of which only its stratum is meant; with `local stratum` it has one all the same, but what
    it is off from its own clock is 0 whatever the time. `now` is in seconds since the epoch."""
    fields = text.strip().split(",")
    if len(fields) < 14:
        raise ValueError(f"chronyc said {text[:200]!r}")
    found = {name: float(fields[field]) for name, (field, _, _) in _CHRONY.items()}
    found["reference_age_seconds"] = now - float(fields[_REFERENCE])
    return found if found["stratum"] and fields[0] != _OWN_CLOCK else {"stratum": 0.0}


class _Timex(ctypes.Structure):
    """struct timex of <sys/timex.h>, read with modes = 0, which needs no rights."""

    _fields_: ClassVar = [
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_long * 32),  # more than the kernel writes
    ]


def kernel_clock() -> tuple[Mapping[str, float], float | None]:
    """What adjtimex(2) says, by the metric's name without its prefix, and how far off the clock is.

    The kernel knows that only while its own loop slews the clock, as ntpd and systemd-timesyncd have it do
    (STA_PLL): chrony and others steer by the frequency and leave its offset at 0. Of what it is told to slew
    it keeps 0.5 s (MAXPHASE): of such a one that is the least that the clock is off. OSError where it may not
    be asked.
    """
    clock = _Timex()
    state = _LIBC.adjtimex(ctypes.byref(clock))
    if state < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"adjtimex: {os.strerror(number)}")
    synchronised = state != _ERROR and not clock.status & _UNSYNC
    offset = clock.offset / (1e9 if clock.status & _NANO else 1e6)
    found = {
        "sync_status": float(synchronised),
        "offset_seconds": offset,
        "maxerror_seconds": clock.maxerror / 1e6,
        "estimated_error_seconds": clock.esterror / 1e6,
    }
    return found, offset if synchronised and clock.status & _PLL else None
