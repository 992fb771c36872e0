"""The space of log dirs, measured on real ones."""

from __future__ import annotations

import math
import os
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from agent.model import Sample
from agent.sources import SourceFailed, disk_stats, kernel_file
from agent.sources.host import METRICS, LogDirPath, LogDirs
from agent.sources.schedule import Polling


def values(samples: list[Sample], path: Path) -> dict[str, float]:
    return {s.name: s.value for s in samples if s.labels == (("path", str(path)),)}


async def test_a_volume_is_measured_as_a_process_that_is_not_root_sees_it(tmp_path: Path) -> None:
    """f_bavail, not f_bfree: the blocks that ext4 keeps for root are full for the broker."""
    seen = values(await LogDirs([LogDirPath(str(tmp_path))], 1000).read(5), tmp_path)

    stats = os.statvfs(tmp_path)
    assert seen["host_log_dir_total_bytes"] == stats.f_blocks * stats.f_frsize
    assert seen["host_log_dir_used_ratio"] == pytest.approx(1 - stats.f_bavail / stats.f_blocks, abs=0.01)
    assert seen["host_log_dir_usable_bytes"] == pytest.approx(stats.f_bavail * stats.f_frsize, rel=0.05)
    assert seen["host_log_dir_unread_total"] == 0


async def test_a_folder_with_a_capacity_is_a_disk_of_that_size(tmp_path: Path) -> None:
    """What lies below it counts, folders in folders too; more than the capacity is simply full."""
    dirs = LogDirs([LogDirPath(str(tmp_path), 1 << 20)], 1000)
    (tmp_path / "orders-0").mkdir()
    (tmp_path / "orders-0" / "0.log").write_bytes(os.urandom(512 << 10))

    half = values(await dirs.read(5), tmp_path)
    assert half["host_log_dir_used_ratio"] == pytest.approx(0.5, abs=0.02)
    assert half["host_log_dir_total_bytes"] == 1 << 20
    assert await dirs.free_bytes(str(tmp_path)) == (half["host_log_dir_usable_bytes"], 1 << 20)

    (tmp_path / "1.log").write_bytes(os.urandom(2 << 20))
    full = values(await dirs.read(6), tmp_path)
    assert full["host_log_dir_used_ratio"] == 1.0
    assert full["host_log_dir_usable_bytes"] == 0


async def test_a_missing_log_dir_is_counted_and_hides_no_other(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Its other series are left out, so that no old value is taken for a new one; why is told, once."""
    gone = tmp_path / "gone"
    dirs = LogDirs([LogDirPath(str(gone)), LogDirPath(str(tmp_path))], 1000)

    await dirs.read(5)
    samples = await dirs.read(6)

    assert values(samples, gone) == {"host_log_dir_unread_total": 2.0}
    assert values(samples, tmp_path)["host_log_dir_unread_total"] == 0
    with pytest.raises(FileNotFoundError):
        await dirs.free_bytes(str(gone))
    assert dirs.failed == {str(gone): f"[Errno 2] No such file or directory: '{gone}'"}
    assert [record.message for record in caplog.records] == [
        f"log dir {gone}: [Errno 2] No such file or directory: '{gone}'"
    ]
    gone.mkdir()
    await dirs.read(7)
    assert dirs.failed == {}


async def test_a_file_system_without_blocks_is_not_full() -> None:
    """As where an automount is gone, and some of FUSE; here /proc. An alert with a remedy reads the ratio."""
    for folder in (LogDirPath("/proc"), LogDirPath("/proc/sys", 1 << 20)):
        dirs = LogDirs([folder], 1000)
        assert values(await dirs.read(5), Path(folder.path)) == {"host_log_dir_unread_total": 1.0}
        assert dirs.unread == {metric.name for metric in METRICS} - {"host_log_dir_unread_total"}
        with pytest.raises(OSError, match=f"the file system of {folder.path} says that it has no blocks"):
            await dirs.free_bytes(folder.path)


async def test_what_a_file_system_does_not_have_is_not_unread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """btrfs has no limit of inodes, and says so."""
    real = os.statvfs(tmp_path)
    monkeypatch.setattr(os, "statvfs", lambda _: os.statvfs_result((*real[:5], 0, 0, 0, *real[8:])))
    dirs = LogDirs([LogDirPath(str(tmp_path))], 1000)
    assert "host_log_dir_inodes_used_ratio" not in values(await dirs.read(5), tmp_path)
    assert dirs.unread == frozenset()


async def test_log_dirs_of_one_file_system_have_one_volume_but_where_their_size_is_given(
    tmp_path: Path,
) -> None:
    """The lab's are folders that stand for disks."""
    one, other, small = (tmp_path / name for name in ("one", "other", "small"))
    for each in (one, other, small):
        each.mkdir()
    dirs = LogDirs([LogDirPath(str(one)), LogDirPath(str(other)), LogDirPath(str(small), 1 << 20)], 1000)
    assert await dirs.volume(str(one)) == await dirs.volume(str(other)) != str(one)
    assert await dirs.volume(str(small)) == str(small)
    other.rmdir()
    with pytest.raises(FileNotFoundError):
        await dirs.volume(str(other))


def test_the_volume_of_a_dataset_is_its_pool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each has a device number of its own, and its own size. Spaces in a path are escaped."""
    for name in ("a", "b", "c d"):
        (tmp_path / name).mkdir()
    mounts = [
        f"1 1 0:{n} / {tmp_path / n} rw - zfs {d} rw"
        for n, d in zip(("a", "b", r"c\040d"), ("p/1", "p/2/x", r"q\040r/2"), strict=True)
    ]
    text = "\n".join(["1 1 8:1 / / rw - ext4 /dev/sda1 rw", *mounts])
    monkeypatch.setattr(kernel_file, "read", lambda _: text)
    monkeypatch.setattr(disk_stats, "device_of", lambda _: (0, 0))
    found = [disk_stats.volume_of(str(tmp_path / name)) for name in ("a", "b", "c d")]
    assert found == ["zfs p", "zfs p", "zfs q r"]


@pytest.mark.parametrize("source", ["/dev/absent", "/dev/absent:/dev/absent2"], ids=["btrfs", "bcachefs"])
def test_a_volume_whose_device_cannot_be_looked_at_is_called_by_its_name(
    source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A container's /dev has none of the host's, and several devices are none; each mount has its number."""
    one, other, gone = (tmp_path / name for name in ("one", "other", "gone"))
    numbers, real = {str(one): os.makedev(0, 45), str(other): os.makedev(0, 46)}, os.stat

    def stat(path: str | Path, **more: bool) -> Any:
        number = numbers.get(str(path))
        return real(path, **more) if number is None else SimpleNamespace(st_dev=number, st_mode=0o40755)

    mounts = [f"1 1 0:{n} / {path} rw - btrfs {source} rw" for n, path in ((45, one), (46, other))]
    monkeypatch.setattr(os, "stat", stat)
    monkeypatch.setattr(kernel_file, "read", lambda _: "\n".join(mounts))
    assert disk_stats.volume_of(str(one)) == disk_stats.volume_of(str(other)) == f"btrfs {source}"
    with pytest.raises(FileNotFoundError):
        disk_stats.volume_of(str(gone))
    with pytest.raises(FileNotFoundError):
        disk_stats.device_of(str(one))


async def test_a_foreign_folder_is_refused(tmp_path: Path) -> None:
    """Actions ask only for this broker's own log dirs; the message names them."""
    with pytest.raises(SourceFailed, match=f"/d9 is not a log dir of this broker; it has {tmp_path}"):
        await LogDirs([LogDirPath(str(tmp_path))], 1000).free_bytes("/d9")


async def test_a_hung_disk_is_counted_and_hides_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """statvfs of one log dir never returns; the other is measured at the usual pace."""
    hung, release, real = tmp_path / "hung", threading.Event(), os.statvfs

    def statvfs(path: str) -> os.statvfs_result:
        if path == str(hung):
            release.wait(60)
        return real(tmp_path)

    monkeypatch.setattr(os, "statvfs", statvfs)
    dirs = LogDirs([LogDirPath(str(hung)), LogDirPath(str(tmp_path))], 1000, deadline=2.0)
    try:
        for reading in (1, 2, 3):
            samples = await dirs.read(5)
            assert values(samples, hung) == {"host_log_dir_unread_total": float(reading)}
            assert values(samples, tmp_path)["host_log_dir_total_bytes"] > 0
            assert "host_log_dir_used_ratio" not in dirs.unread
            dirs._deadline = 20.0  # that it hangs is known: nobody waits for it again
    finally:
        release.set()


async def test_the_series_of_a_log_dir_that_gives_nothing_end(tmp_path: Path) -> None:
    """Its last values must not pass for new ones for five minutes, beside those of the others."""
    gone = tmp_path / "gone"
    gone.mkdir()
    batches: list[list[Sample]] = []
    times = iter((1000, 2000))
    polling = Polling(LogDirs([LogDirPath(str(gone))], 1000), batches.append, lambda: next(times))
    await polling.once()
    gone.rmdir()
    await polling.once()
    ended = {s.name for s in batches[1] if math.isnan(s.value) and s.labels == (("path", str(gone)),)}
    assert ended == values(batches[0], gone).keys() - {"host_log_dir_unread_total"}
