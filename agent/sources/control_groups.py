"""The processes of a unit, as its control group has them."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

_ROOTS = (Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/systemd"))  # of cgroup v2, and of v1
_ENDED = (errno.ENOENT, errno.ENODEV)


def of_group(group: str) -> Iterator[int]:
    """The processes of a control group, as systemd names it, and of those below it."""
    for root in _ROOTS if group.strip("/") else ():
        for folder, _, files in os.walk(root / group.strip("/"), onerror=_raise_unless_gone):
            if "cgroup.procs" in files:
                yield from _members(Path(folder) / "cgroup.procs")


def _raise_unless_gone(error: OSError) -> None:
    """One that ended meanwhile, or may not be listed, hides none beside it."""
    if error.errno not in (*_ENDED, errno.EACCES):
        raise error


def _members(file: Path) -> list[int]:
    """None of a group that ended meanwhile, or is of threads."""
    try:
        return [int(word) for word in file.read_text().split()]
    except OSError as error:
        if error.errno not in (*_ENDED, errno.EOPNOTSUPP):
            raise
        return []
