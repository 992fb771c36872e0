"""Size-limited file systems for the log dirs, and how to be rid of them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from contextlib import suppress
from pathlib import Path

from agent.lab.errors import LabError
from agent.lab.plan import DISK_BYTES, DiskKind, Node
from agent.lab.processes import LAB_UID

_MOUNTS = Path("/proc/self/mounts")
_BUSY_SECONDS = 5.0  # how long a killed broker's files may keep a file system busy


def kind_here() -> DiskKind:
    """The best that this machine lets us do."""
    if os.geteuid() != 0:
        return DiskKind.FOLDER
    return (
        DiskKind.LOOP if Path("/dev/loop-control").exists() and shutil.which("mkfs.ext4") else DiskKind.TMPFS
    )


def make(node: Node, kind: DiskKind) -> None:
    """Mount the node's disks, and give it the log dirs in them."""
    mounted = set(mounts_below(Path(node.folder)))
    for disk, log_dir in zip(node.disks, node.log_dirs, strict=True):
        disk.mkdir(exist_ok=True)
        if disk not in mounted:
            _mount(disk, kind)
        log_dir.mkdir(exist_ok=True)
        own(log_dir)


def own(path: Path) -> None:
    """Give the path to the user whom the lab's processes run as."""
    if os.geteuid() == 0:
        os.chown(path, LAB_UID, LAB_UID)


def used_ratio(path: Path, kind: DiskKind) -> float:
    """How full a log dir is for a user who is not root; 0 where it does not exist."""
    try:
        if kind is DiskKind.FOLDER:
            return min(1.0, _bytes_below(path) / DISK_BYTES)
        seen = os.statvfs(path)
    except FileNotFoundError:
        return 0.0
    return 1 - seen.f_bavail / seen.f_blocks


def _bytes_below(path: Path) -> int:
    """What the files take on the disk: Kafka's indexes are sparse."""
    total = 0
    for folder, _, names in os.walk(path):
        for name in names:
            with suppress(FileNotFoundError):  # deleted while we look
                total += Path(folder, name).lstat().st_blocks * 512
    return total


def mounts_below(folder: Path) -> list[Path]:
    """What is mounted in the folder, innermost and latest first."""
    points = [_unescape(line.split()[1]) for line in _MOUNTS.read_text().splitlines()]
    return [Path(point) for point in reversed(points) if Path(point).is_relative_to(folder)]


def freeze(disk: Path) -> bool:
    """Let every write to this file system wait until it is thawed; False if it was frozen already."""
    done = subprocess.run(["fsfreeze", "--freeze", str(disk)], capture_output=True, text=True, check=False)  # noqa: S603, S607
    if done.returncode and "busy" not in done.stderr:
        raise LabError(f"{disk} cannot be frozen: {done.stderr.strip() or done.returncode}")
    return done.returncode == 0


def thaw(disk: Path) -> bool:
    """Let the writes go on; False if it was not frozen."""
    done = subprocess.run(["fsfreeze", "--unfreeze", str(disk)], capture_output=True, check=False)  # noqa: S603, S607
    return done.returncode == 0


def thaw_below(folder: Path) -> None:
    """Thaw every file system that is mounted in the folder."""
    for point in mounts_below(folder):
        thaw(point)


def unmount_below(folder: Path) -> None:
    """Unmount everything in the folder and free the loop devices. LabError names what stays busy."""
    for point in mounts_below(folder):
        _unmount(point)
    for device in loops_below(folder):
        _run("losetup", "--detach", device)


def loops_below(folder: Path) -> list[str]:
    """The loop devices whose images lie in the folder."""
    if os.geteuid() != 0 or not shutil.which("losetup"):
        return []
    listing = _run("losetup", "--list", "--noheadings", "--raw", "--output", "NAME,BACK-FILE")
    pairs = (line.split(" ", 1) for line in listing.splitlines())
    return [pair[0] for pair in pairs if len(pair) == 2 and Path(_unhex(pair[1])).is_relative_to(folder)]


def _mount(disk: Path, kind: DiskKind) -> None:
    if kind is DiskKind.LOOP:
        image = disk.with_suffix(".img")
        with image.open("wb") as file:
            file.truncate(DISK_BYTES)  # sparse: it takes room as it fills
        _run("mkfs.ext4", "-q", "-F", str(image))
        _run("mount", "-o", "loop,noatime", str(image), str(disk))
    elif kind is DiskKind.TMPFS:
        _run("mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "ottla-lab", str(disk))


def _unmount(point: Path) -> None:
    until = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            _run("umount", str(point))
        except LabError as error:
            if time.monotonic() > until:
                raise LabError(
                    str(error), f"fuser -vm {point} shows who uses it; then ottla lab down again"
                ) from error
            time.sleep(0.1)
        else:
            return


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own commands
    if done.returncode != 0:
        raise LabError(f"{' '.join(command)} failed: {done.stderr.strip() or done.returncode}")
    return done.stdout


def _unescape(text: str) -> str:
    """The kernel writes blanks and backslashes in paths as three octal digits."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), text)


def _unhex(text: str) -> str:
    """losetup writes them as `\\x20`, and `(deleted)` behind an image that is gone."""
    return re.sub(r"\\x([0-9a-f]{2})", lambda match: chr(int(match[1], 16)), text).removesuffix(" (deleted)")
