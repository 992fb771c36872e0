"""What the kernel says of this very host, and of hosts that are stranger."""

from __future__ import annotations

import errno
import os
import socket
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from loop_disks import mounted

from agent.sources import clock_offset, disk_stats, kernel_file, memory_pressure, network_counters
from agent.sources.clock_offset import ClockOffset
from agent.sources.disk_stats import DiskStats
from agent.sources.kernel import Kernel, Part
from agent.sources.memory_pressure import MemoryPressure
from agent.sources.network_counters import NetworkCounters
from agent.sources.process_limits import rlimit
from agent.sources.process_stat import parse_stat


def readings(part: Part, *wanted: str) -> dict[str, float]:
    """By name without `host_`, of everything that is declared or only of what is wanted."""
    asked = frozenset(wanted or (metric.name for metric in part.metrics))
    found = list(part.read(asked))
    assert {name for name, _, _ in found} <= {metric.name for metric in part.metrics}, "all are declared"
    return {name.removeprefix("host_"): value for name, _, value in found}


def failing(part: Part, *wanted: str) -> tuple[dict[str, float], str]:
    """What it gives before it fails, and why it does."""
    found = {}
    try:
        for name, _, value in part.read(frozenset(wanted)):
            found[name.removeprefix("host_")] = value
    except (OSError, ValueError) as error:
        return found, str(error)
    raise AssertionError("it did not fail")


def test_what_is_written_to_a_log_dir_is_counted_at_its_device(tmp_path: Path) -> None:
    """A loop here, a partition or a volume elsewhere."""
    with mounted(tmp_path) as disk:
        part = DiskStats([str(disk)])
        before = readings(part)
        after = _written(part, disk / "file")
        (labels,) = {labels for _, labels, _ in part.read(frozenset())}
        device = Path(f"/sys/dev/block/{_number(disk)}").resolve().name

    assert dict(labels) == {"device": device, "path": str(disk)}
    assert after["disk_written_bytes_total"] - before["disk_written_bytes_total"] >= 4 << 20
    assert after["disk_writes_completed_total"] > before["disk_writes_completed_total"]
    assert "disk_utilisation_ratio" not in before, "a rate needs two readings"
    assert 0 < after["disk_utilisation_ratio"] <= 1
    assert after["disk_write_await_seconds"] > 0
    assert after["disk_queue_length"] > 0


def _written(part: Part, path: Path) -> dict[str, float]:
    """After a write that took the disk long enough to show: the kernel counts in ticks of up to 10 ms, and a
    fast disk is done between two of them."""
    end = time.monotonic() + 30
    with path.open("wb") as file:
        while time.monotonic() < end:
            file.write(os.urandom(4 << 20))
            os.fsync(file.fileno())
            after = readings(part)
            if after["disk_utilisation_ratio"] and after["disk_write_await_seconds"]:
                return after
            file.seek(0)
    raise AssertionError(f"no write has shown within 30 s: {after}")


def _number(path: Path) -> str:
    number = path.stat().st_dev
    return f"{os.major(number)}:{os.minor(number)}"


def test_a_log_dir_without_a_device_is_named_and_hides_no_other(tmp_path: Path) -> None:
    """tmpfs has none, nor have NFS and ZFS."""
    with mounted(tmp_path) as disk:
        found, why = failing(DiskStats(["/dev/shm", str(disk)]))
    assert "has no device for /dev/shm" in why
    assert found["disk_writes_completed_total"] > 0


@pytest.mark.parametrize(("which", "kind"), [("gone", FileNotFoundError), ("file/errs", NotADirectoryError)])
def test_a_log_dir_that_cannot_be_looked_at_hides_no_other(
    which: str, kind: type[OSError], tmp_path: Path
) -> None:
    """Its mount point is gone, or its file system shut down: those behind it are read, and it is said."""
    (tmp_path / "file").touch()
    with pytest.raises(kind):
        disk_stats.device_of(str(tmp_path / which))
    with mounted(tmp_path) as disk:
        found, why = failing(DiskStats([str(tmp_path / which), str(disk)]))
    assert which in why
    assert found["disk_writes_completed_total"] > 0


def test_what_is_gone_is_known_not_to_be_there_and_what_errs_is_not(tmp_path: Path) -> None:
    """So a reading of it says, by the kind of its error."""
    (tmp_path / "file").touch()
    gone, errs = (DiskStats([str(tmp_path / which)]) for which in ("gone", "file/errs"))
    with pytest.raises(FileNotFoundError):
        list(gone.read(frozenset()))
    with pytest.raises(OSError, match="errs") as caught:
        list(errs.read(frozenset()))
    assert not isinstance(caught.value, FileNotFoundError)


Fields = st.lists(st.integers(0, 1 << 40), min_size=17, max_size=17)
More = st.lists(st.integers(0, (1 << 31) - 1), min_size=17, max_size=17)  # of 32 bits it may be up to half


@given(before=Fields, more=More, seconds=st.floats(0.1, 3600))
def test_rates_are_never_negative_and_no_more_than_busy(
    before: list[int], more: list[int], seconds: float
) -> None:
    """Whatever rose by how much; and of a counter that went back there is none."""
    after = [old + new for old, new in zip(before, more, strict=True)]
    found = {name: value for name, _, value in disk_stats.derived(before, after, seconds, ())}
    assert all(value >= 0 for value in found.values())
    assert found["host_disk_utilisation_ratio"] <= 1
    if more[0]:
        assert found["host_disk_read_await_seconds"] == more[3] / 1000 / more[0]
    if more[0] or more[4] or more[10]:
        assert not list(disk_stats.derived(after, before, seconds, ()))
    milliseconds = {3, 7, 9, 10, 14, 16}
    was, became = (
        [n % 2**32 if i in milliseconds else n for i, n in enumerate(line)] for line in (before, after)
    )
    assert {name: value for name, _, value in disk_stats.derived(was, became, seconds, ())} == found


def test_waiting_writes_of_which_none_completes_have_no_await() -> None:
    """0 would say that they are fast."""
    before, after = [0] * 17, [0] * 17
    after[8] = 4  # in flight
    assert "host_disk_write_await_seconds" not in {
        n for n, _, _ in disk_stats.derived(before, after, 1.0, ())
    }
    assert "host_disk_write_await_seconds" in {n for n, _, _ in disk_stats.derived(before, before, 1.0, ())}


def test_bytes_of_a_named_interface_are_counted() -> None:
    """Over loopback, which no default route leads through."""
    part = NetworkCounters(["lo"])
    before = readings(part)
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as client,
    ):
        client.sendall(bytes(100_000))
    after = readings(part)

    assert after["network_receive_bytes_total"] - before["network_receive_bytes_total"] > 10_000
    assert after["network_receive_drop_total"] >= before["network_receive_drop_total"]
    assert "network_speed_bytes" not in after, "loopback has no speed"
    assert after["netstat_Tcp_OutSegs"] > before["netstat_Tcp_OutSegs"]


def test_a_full_accept_queue_is_counted() -> None:
    """As of a broker whose acceptor hangs."""
    part = NetworkCounters()
    before = readings(part)["netstat_TcpExt_ListenOverflows"]
    with socket.create_server(("127.0.0.1", 0), backlog=1) as server:
        clients = [socket.socket() for _ in range(12)]
        for client in clients:
            client.setblocking(False)
            client.connect_ex(server.getsockname())
        until = time.monotonic() + 20
        while readings(part)["netstat_TcpExt_ListenOverflows"] == before:
            assert time.monotonic() < until, "waited 20 s for the overflow to be counted"
            time.sleep(0.05)
        for client in clients:
            client.close()


def test_an_interface_that_is_named_and_missing_is_told_with_those_there_are() -> None:
    """After all that can be read."""
    found, why = failing(NetworkCounters(["lo", "bond7"]), "host_network_receive_bytes_total")
    assert why.startswith("there is no interface bond7; there are ")
    assert "lo" in why
    assert found["network_receive_bytes_total"] > 0


def test_default_routes_name_the_interfaces() -> None:
    """IPv4 and IPv6, each interface once; loopback's unreachable route is none."""
    head = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n"
    route = head + "eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
    route += "eth1\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n"
    zero = "0" * 32
    six = f"{zero} 00 {zero} 00 {zero} 00000400 00000002 00000000 00000003     eth0\n"
    six += f"{zero} 00 {zero} 00 {zero} 00000400 00000002 00000000 00000003     eth2\n"
    six += f"{zero} 00 {zero} 00 {zero} ffffffff 00000001 00000000 00200200       lo\n"

    assert network_counters.default_interfaces(route, six) == ("eth0", "eth2")


def test_memory_is_what_sysconf_says() -> None:
    """And swap, pages and pressure are there where this kernel has them."""
    seen = readings(MemoryPressure())

    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert seen["memory_MemTotal_bytes"] == pytest.approx(total, rel=0.01)
    assert 0 < seen["memory_MemAvailable_bytes"] < total
    assert seen["vmstat_pgmajfault"] > 0
    assert {"vmstat_oom_kill", "memory_SwapTotal_bytes", "memory_Writeback_bytes"} <= seen.keys()
    if Path("/proc/pressure/io").exists():
        assert seen["pressure_io_waiting_seconds_total"] >= seen["pressure_io_stalled_seconds_total"] > 0
        up = float(Path("/proc/uptime").read_text().split()[0])
        assert seen["pressure_cpu_waiting_seconds_total"] <= up, "the kernel counts microseconds"


@pytest.mark.parametrize(("number", "in_doubt"), [(errno.EOPNOTSUPP, False), (errno.EIO, True)])
async def test_a_kernel_that_is_told_to_tell_no_pressure_has_none(
    number: int, in_doubt: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where psi=0, RHEL's has the files all the same, and no one may read them."""
    stalled = "host_pressure_memory_stalled_seconds_total"
    really = kernel_file.read

    def read(path: str) -> str:
        if path.startswith("/proc/pressure/"):
            raise OSError(number, os.strerror(number))
        return really(path)

    monkeypatch.setattr(kernel_file, "read", read)
    own = Kernel([MemoryPressure()], 10_000)
    own.wanted = frozenset({stalled, "host_vmstat_oom_kill"})
    seen = {sample.name: sample.value for sample in await own.read(1)}
    assert seen["host_unread_total"] == 1
    assert "host_vmstat_oom_kill" in seen
    assert own.unread == ({stalled} if in_doubt else frozenset())


def test_pressure_is_in_seconds() -> None:
    """The kernel counts microseconds; a line without a total is refused."""
    text = "some avg10=0.06 avg60=0.69 total=14534396\nfull avg10=0.05 avg60=0.64 total=11\n"
    assert memory_pressure.stalls(text) == {"some": 14_534_396, "full": 11}
    with pytest.raises(ValueError, match="no total"):
        memory_pressure.stalls("some avg10=0.06\n")


def test_the_kernels_clock() -> None:
    """adjtimex without rights; a possible error is at least the likely one."""
    own = tuple(metric.name for metric in ClockOffset.metrics if metric.name.startswith("host_timex"))
    seen = readings(ClockOffset(), *own)

    assert seen["timex_sync_status"] in (0, 1)
    assert abs(seen["timex_offset_seconds"]) <= 1
    assert 0 < seen["timex_maxerror_seconds"] <= 3600
    assert 0 < seen["timex_estimated_error_seconds"] <= 3600


TRACKING = (
    "A9FEA97B,169.254.169.123,4,1712345678.1,-0.000012345,0.1,0.2,-7.1,0,0.02,0.0003,0.0004,16.1,Normal\n"
)


class Adjtimex:
    """adjtimex(2) of another host."""

    def __init__(self, status: int, offset: int) -> None:
        self.status, self.offset = status, offset

    def adjtimex(self, clock: Any) -> int:
        """Fill it in, as the kernel does; TIME_OK."""
        clock._obj.status, clock._obj.offset = self.status, self.offset
        return 0


STA_PLL, STA_UNSYNC, STA_NANO = 0x0001, 0x0040, 0x2000


@pytest.fixture
def chronyc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """A stand-in for chronyc on the PATH, as a shell script, where chrony keeps the clock."""

    def make(script: str) -> None:
        file = tmp_path / "chronyc"
        file.write_text(f"#!/bin/sh\n{script}\n")
        file.chmod(file.stat().st_mode | stat.S_IXUSR)

    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(clock_offset, "_LIBC", Adjtimex(STA_NANO, 0))
    return make


@pytest.mark.parametrize(
    ("status", "offset", "known"),
    [
        (STA_PLL | STA_NANO, 390_000_000, 0.39),  # as systemd-timesyncd and ntpd leave it
        (STA_PLL, 120_000, 0.12),
        (STA_PLL | STA_NANO, -500_000_000, -0.5),  # all that the kernel keeps: it is off by so much or more
        (STA_PLL | STA_NANO, 0, 0.0),
        (STA_NANO, 0, None),  # chrony turns the kernel's loop off
        (STA_PLL | STA_NANO | STA_UNSYNC, 0, None),
    ],
)
@pytest.mark.parametrize("script", ["", "exec sleep 60"])
def test_the_kernels_offset_counts_where_its_own_loop_slews(
    status: int,
    offset: int,
    known: float | None,
    script: str,
    chronyc: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where chrony keeps the clock and chronyc is not here, or hangs, 0 would hide that it is off."""
    monkeypatch.setattr(clock_offset, "_LIBC", Adjtimex(status, offset))
    if script:
        chronyc(script)
        found, _ = failing(ClockOffset(), "host_clock_offset_seconds")
    else:
        monkeypatch.setenv("PATH", "/nonexistent")
        found = readings(ClockOffset())
    assert found.get("clock_offset_seconds") == known


def test_chrony_is_asked_once_a_minute(chronyc: Callable[[str], None], tmp_path: Path) -> None:
    """What it said last is told in between."""
    chronyc(f"echo asked >> {tmp_path}/asked; [ \"$*\" = '-c -n tracking' ] && printf '{TRACKING}'")
    part = ClockOffset()

    assert readings(part)["chrony_offset_seconds"] == readings(part)["chrony_offset_seconds"] == -0.000012345
    assert readings(part)["chrony_stratum"] == 4
    assert readings(part)["clock_offset_seconds"] == -0.000012345
    assert (tmp_path / "asked").read_text() == "asked\n"
    assert "chrony_stratum" not in readings(ClockOffset(), "host_timex_sync_status")
    assert (tmp_path / "asked").read_text() == "asked\n", "nor is it asked where no rule reads it"


def test_the_age_of_chronys_last_answer() -> None:
    """It keeps its stratum when its servers are gone: only this tells."""
    assert clock_offset.tracking(TRACKING, 1712345708.1)["reference_age_seconds"] == 30


def test_chrony_without_a_server_tells_no_offset(chronyc: Callable[[str], None]) -> None:
    """Its zeros are no times; what a real one says before its first answer."""
    chronyc("echo 00000000,,0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,1.0,1.0,0.0,Not synchronised")
    found = readings(ClockOffset())
    assert found["chrony_stratum"] == 0
    assert "chrony_offset_seconds" not in found
    assert "clock_offset_seconds" not in found


def test_chrony_that_serves_its_own_clock_tells_no_offset(chronyc: Callable[[str], None]) -> None:
    """`local stratum 10` without a server; what a real one says."""
    chronyc("echo 7F7F0101,,10,1795930645.0,0.000000000,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,Normal")
    found = readings(ClockOffset())
    assert found["chrony_stratum"] == 0
    assert not {"chrony_offset_seconds", "clock_offset_seconds"} & found.keys()


@pytest.mark.parametrize(
    ("script", "error"),
    [
        ("echo 506 Cannot talk to daemon; exit 1", "chronyc: 506 Cannot talk to daemon"),
        ("exec sleep 60", "chronyc has not answered for"),
        ("echo 1,2,3", "chronyc said '1,2,3"),
        ("echo a,b,c,d,e,f,g,h,i,j,k,l,m,n", "could not convert"),
    ],
)
def test_a_chrony_that_does_not_tell_is_an_error_after_the_kernels_word(
    chronyc: Callable[[str], None], script: str, error: str
) -> None:
    """Nor is it a good reading where it is not asked again for a minute: each minute would be news."""
    chronyc(script)
    part = ClockOffset()
    found, why = failing(part, "host_chrony_stratum")
    assert error in why
    assert "timex_sync_status" in found
    assert failing(part, "host_chrony_stratum")[1] == why


def test_what_chrony_said_ends_with_it(chronyc: Callable[[str], None], tmp_path: Path) -> None:
    """Its package may be removed while the agent runs."""
    chronyc(f"printf '{TRACKING}'")
    part = ClockOffset()
    assert readings(part)["chrony_stratum"] == 4
    (tmp_path / "chronyc").unlink()
    assert "chrony_stratum" not in readings(part)


PARSERS: list[Callable[[str], object]] = [
    disk_stats.parse,
    network_counters.devices,
    lambda text: network_counters.protocols(text, {"Tcp_OutSegs"}),
    lambda text: network_counters.default_interfaces(text, ""),
    lambda text: network_counters.default_interfaces("", text),
    lambda text: memory_pressure.table(text, {"MemTotal", "oom_kill"}),
    memory_pressure.stalls,
    lambda text: clock_offset.tracking(text, 0.0),
    parse_stat,
    lambda text: rlimit(text, "Max processes"),
]
NAMES = ["diskstats", "net/dev", "net/snmp", "net/route", "net/ipv6_route", "meminfo", "vmstat", "self/stat"]
REAL = [file.read_text() for file in (Path("/proc", name) for name in NAMES) if file.exists()]


@given(data=st.data())
def test_any_text_is_read_or_refused(data: st.DataObject) -> None:
    """A kernel of tomorrow, and what a container puts over /proc, must not end the agent."""
    text = data.draw(st.one_of(st.text(), st.sampled_from(REAL)))
    at = data.draw(st.integers(0, max(len(text) - 1, 0)))
    twisted = text[:at] + data.draw(st.text(max_size=4)) + text[at + data.draw(st.integers(0, 40)) :]
    for parse in PARSERS:
        try:
            parse(twisted)
        except (ValueError, IndexError):
            continue


@given(st.text())
@example("a) b")
@example(") Z (")
def test_a_process_may_have_any_name(name: str) -> None:
    """The fields begin behind the last parenthesis."""
    rest = " ".join(map(str, range(1, 60)))
    stat_ = parse_stat(f"77 ({name}) T {rest}")
    assert stat_ is not None
    assert (stat_.state, stat_.threads, stat_.started) == ("T", 17, 19)
