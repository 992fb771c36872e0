"""The process that writes into log dirs and syncs: `python write_probe.py DIR FILE DIR FILE ...`

It is a process and no thread of the agent: a thread that waits for a frozen file system cannot be killed, and
until it is thawed the kernel keeps the process that it belongs to, dead or not; systemd would wait for it.
So it imports little, knows nothing, and takes 3 MB. Each line on stdin is the number of a log dir to probe;
the answer on stdout is that number, the seconds it took and the errno's name or `-`. It ends with its stdin.
"""

from __future__ import annotations

import errno
import os
import sys
import time
from _thread import start_new_thread

READY = b"ready\n"
_BLOCK = b"Ottla writes this block again and again, to see whether the disk takes it.\n".ljust(4096, b"\0")


def write_and_sync(log_dir: str, file: str) -> None:
    """Overwrite the file's one block and sync it; blocks, perhaps for ever where the disk hangs.

    fsync and not fdatasync: Kafka forces metadata too, and a journal that is stuck is a fault as well. The
    file never grows. OSError is the file system's; EXDEV where the file is not on the log dir's.
    """
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        if os.fstat(handle).st_dev != os.stat(log_dir).st_dev:  # noqa: PTH116 no pathlib in here
            raise OSError(errno.EXDEV, "on another file system than the log dir")
        if os.pwrite(handle, _BLOCK, 0) < len(_BLOCK):
            raise OSError(errno.ENOSPC, "only a part of a block was taken")
        os.fsync(handle)
    finally:
        os.close(handle)


def _probe(number: int, log_dir: str, file: str) -> None:
    began, why = time.monotonic(), "-"
    try:
        write_and_sync(log_dir, file)
    except OSError as error:
        why = errno.errorcode.get(error.errno or 0, "other")
    os.write(1, b"%d %.6f %s\n" % (number, time.monotonic() - began, why.encode()))


def _serve(log_dirs: list[str]) -> None:
    """Until stdin ends. A dir is asked for again only when it has answered, so one thread a dir at most."""
    os.dup2(
        os.open(os.devnull, os.O_WRONLY), 2
    )  # who reads the agent's stderr to its end must not wait for us
    os.write(1, READY)
    rest = b""
    while asked := os.read(0, 4096):
        *lines, rest = (rest + asked).split(b"\n")
        for number in map(int, lines):
            start_new_thread(_probe, (number, log_dirs[2 * number], log_dirs[2 * number + 1]))


if __name__ == "__main__":
    _serve(sys.argv[1:])
    os._exit(0)  # threads that hang are not waited for
