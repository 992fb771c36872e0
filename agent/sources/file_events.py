"""inotify: whether files that are open here grew, and whether names came or went beside them."""

from __future__ import annotations

import logging
import os
import weakref
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from inotify_simple import INotify, flags

from agent.sources.log_open import Plain

_log = logging.getLogger(__name__)
_GROWS = flags.MODIFY
_NAMES = flags.CREATE | flags.DELETE | flags.MOVED_FROM | flags.MOVED_TO
# Of these, a write by another host is told to nobody here.
_REMOTE = frozenset({"nfs", "nfs4", "cifs", "smb3", "9p", "afs", "ceph", "glusterfs", "lustre", "gpfs"})
_MOUNTS = Path("/proc/self/mountinfo")

Identity = tuple[int, int]  # device and inode


class FileEvents:
    """Watches exactly the files and folders that it is told to; what it cannot watch must be `polled`.

    Every method may block, but for `descriptors`.
    """

    def __init__(self) -> None:
        self.polled = 0  # files of which nothing is told here, or not all
        self._inotify: INotify | None = None
        self._watches: dict[Identity, int] = {}
        self._remote: dict[int, bool] = {}  # by device
        self._why = ""

    @property
    def descriptors(self) -> tuple[int, ...]:
        """Readable when something happened."""
        return () if self._inotify is None else (self._inotify.fileno(),)

    def follow(self, files: Iterable[Plain], folders: Iterable[str]) -> None:
        """Watch these, and no others any more."""
        every = list(files)
        wanted: dict[Identity, tuple[str, int]] = {}
        for folder in folders:
            with suppress(OSError):
                stat = os.stat(folder)  # noqa: PTH116 it is a string all along
                wanted[stat.st_dev, stat.st_ino] = (folder, _NAMES)
        for file in every:
            wanted[file.device, file.inode] = (f"/proc/self/fd/{file.fd}", _GROWS)
        for gone in self._watches.keys() - wanted.keys():
            self._unwatch(self._watches.pop(gone))
        for identity, (path, mask) in wanted.items():
            if identity not in self._watches:
                self._watch(identity, path, mask)
        self.polled = sum(
            (f.device, f.inode) not in self._watches or self._is_remote(f.device) for f in every
        )

    def drain(self) -> bool:
        """Whether names came or went since; what grew is no news to who reads all."""
        names = False
        for event in self._inotify.read(timeout=0) if self._inotify else ():
            if event.mask & flags.IGNORED:  # the file is gone; its inode may be another's soon
                self._watches = {i: wd for i, wd in self._watches.items() if wd != event.wd}
            names = names or not event.mask & _GROWS
        return names

    def close(self) -> None:
        """Watch nothing any more."""
        if self._inotify is not None:
            self._end()
            self._inotify, self._watches = None, {}

    def _watch(self, identity: Identity, path: str, mask: int) -> None:
        try:
            if self._inotify is None:
                self._inotify = INotify(closefd=False)
                self._end = weakref.finalize(self, os.close, self._inotify.fileno())
            self._watches[identity] = self._inotify.add_watch(path, mask)
        except (OSError, AttributeError) as error:  # no watches or instances left; a libc without inotify
            why = str(error) if isinstance(error, OSError) else "this system has none"
            if why != self._why:
                _log.warning("inotify cannot watch %s (%s): such files are read each second", path, why)
            self._why = why

    def _unwatch(self, wd: int) -> None:
        with suppress(OSError):  # it went with its file
            assert self._inotify is not None
            self._inotify.rm_watch(wd)

    def _is_remote(self, device: int) -> bool:
        if device not in self._remote:
            self._remote[device] = _file_system(device) in _REMOTE
        return self._remote[device]


def _file_system(device: int) -> str:
    """The type of the file system with this device number, as mountinfo(5) names it; empty where unknown."""
    number = f"{os.major(device)}:{os.minor(device)}"
    with suppress(OSError):
        for line in _MOUNTS.read_text(encoding="utf-8", errors="replace").splitlines():
            before, _, after = line.partition(" - ")
            if before.split()[2:3] == [number]:
                return after.split()[0]
    return ""
