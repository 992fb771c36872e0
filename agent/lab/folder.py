"""The state folder of a lab: who may use it, who is at work on it, and how it is cleared."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from agent.lab import disks, processes
from agent.lab.errors import LabError
from agent.lab.plan import DISK_BYTES, PLAN_FILE, DiskKind, Size

_LOCK = "lock"
_END_SECONDS = 20.0
_LOCK_SECONDS = 1.0  # a child that a killed `up` was just starting holds its lock until it runs its program


def default_folder() -> Path:
    """OTTLA_LAB if that is set; else a place that fits the user."""
    if override := os.environ.get("OTTLA_LAB"):
        return Path(override).absolute()
    if os.geteuid() == 0:
        return Path("/var/lib/ottla-lab/default")
    return Path.home() / ".local/state/ottla-lab/default"


def is_lab(folder: Path) -> bool:
    """Whether this is a lab's folder, or holds no more than the beginning of one: it may be removed."""
    with suppress(FileNotFoundError, NotADirectoryError):
        names = {path.name for path in folder.iterdir()}
        return PLAN_FILE in names or names <= {_LOCK, f"{PLAN_FILE}.new"}
    return False


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """One `up` or `down` at a time; the lock dies with its holder.

    The folder is made if need be, and removed at the end if no lab is in it.
    """
    until = time.monotonic() + _LOCK_SECONDS
    while True:
        with _lock_file(folder) as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() < until:
                    time.sleep(0.05)
                    continue
                message = f"another ottla lab command is at work on {folder}"
                raise LabError(message, "wait until it has ended") from None
            if not _same(file.fileno(), folder / _LOCK):
                continue  # the one before us removed the folder, and the lock with it
            try:
                yield
            finally:
                _remove_empty(folder)
            return


def clear(folder: Path) -> None:
    """End every process, unmount every disk and remove every file, but for the folder and its lock."""
    disks.thaw_below(folder)  # no signal ends what waits for a frozen disk
    stubborn = processes.end(processes.find_below(folder), signal.SIGKILL, _END_SECONDS)
    if stubborn:
        pids = " ".join(str(process.pid) for process in stubborn)
        raise LabError(
            f"process {pids} does not end on SIGKILL", "thaw its disk with fsfreeze -u, then try again"
        )
    until = time.monotonic() + _END_SECONDS
    while True:
        disks.unmount_below(folder)
        try:
            _remove_all(folder)
        except OSError as error:
            # A `mount` that a killed `up` had begun may come through after we looked.
            if error.errno != errno.EBUSY or time.monotonic() > until:
                raise
        else:
            return


def _remove_all(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name not in (_LOCK, PLAN_FILE):
            path.unlink()
    (folder / PLAN_FILE).unlink(missing_ok=True)  # last: it says that all of this is ours to remove


def _remove_empty(folder: Path) -> None:
    """Remove a folder in which no lab is left, and the one that by default holds nothing but labs."""
    if {path.name for path in folder.iterdir()} != {_LOCK}:
        return
    shutil.rmtree(folder)
    if folder.parent == default_folder().parent:
        with suppress(OSError):  # another lab is in it
            folder.parent.rmdir()


def check_room(folder: Path, size: Size, kind: DiskKind) -> None:
    """LabError where the log dirs could not be filled, or the brokers' user could not reach them."""
    need = size.brokers * 2 * DISK_BYTES
    free = shutil.disk_usage(folder).free
    if kind is not DiskKind.TMPFS and free < need:
        message = f"{folder} has {free >> 20} MiB free, and the brokers' disks may take {need >> 20} MiB"
        raise LabError(message, "free some, or name a folder on a larger disk with --state DIR")
    closed = [path for path in (folder, *folder.parents) if not path.stat().st_mode & 0o001]
    if os.geteuid() == 0 and closed:
        message = f"the brokers run as user {processes.LAB_UID}, who may not enter {closed[-1]}"
        raise LabError(message, "name a folder that everybody may enter with --state DIR")


def _lock_file(folder: Path) -> IO[str]:
    while True:
        _make(folder)
        with suppress(FileNotFoundError):  # the one before us removed the folder again
            return (folder / _LOCK).open("w")


def _make(folder: Path) -> None:
    if folder.exists() and not is_lab(folder):
        raise LabError(f"{folder} exists and is not a lab's folder", "name another one with --state DIR")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LabError(f"{folder} cannot be made: {error}", "name another one with --state DIR") from error


def _same(opened: int, path: Path) -> bool:
    try:
        return os.fstat(opened).st_ino == path.stat().st_ino
    except FileNotFoundError:
        return False
