"""Small ext4 file systems on loop devices, for tests as root; frozen ones are always thawed."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

THAWED_AFTER = 60  # seconds, whatever becomes of the test


@contextmanager
def mounted(folder: Path) -> Iterator[Path]:
    """A file system of 16 MiB at `folder`/disk."""
    if os.geteuid() != 0 or not shutil.which("mkfs.ext4"):
        pytest.skip("needs root and mkfs.ext4")
    image, point = folder / "disk.img", folder / "disk"
    with image.open("wb") as file:
        file.truncate(16 << 20)
    point.mkdir()
    run("mkfs.ext4", "-q", "-F", image)
    run("mount", "-o", "loop,noatime", image, point)
    try:
        yield point
    finally:
        run("umount", "--lazy", point)


@contextmanager
def frozen(point: Path) -> Iterator[None]:
    """Writes to the file system wait until the end of the block."""
    script = 'sleep "$1"; exec fsfreeze --unfreeze "$2"'
    timer = subprocess.Popen(
        ["sh", "-c", script, "thaw", str(THAWED_AFTER), str(point)], start_new_session=True
    )
    try:
        run("fsfreeze", "--freeze", point)
        yield
    finally:
        run("fsfreeze", "--unfreeze", point)
        os.killpg(timer.pid, 9)
        timer.wait()


def run(*command: str | Path) -> str:
    """What it says on stdout; it must succeed."""
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=30).stdout
