"""The state folder: one at work on it, and nothing removed that is not a lab's."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from agent.lab import disks, folder
from agent.lab.cluster import Lab
from agent.lab.errors import LabError
from agent.lab.plan import DISK_BYTES, DiskKind, Size

root = pytest.mark.skipif(os.geteuid() != 0, reason="mounts need root")


def test_two_commands_do_not_work_on_one_lab(tmp_path: Path) -> None:
    """The second says so within a second or so."""
    with (
        folder.locked(tmp_path / "lab"),
        pytest.raises(LabError, match="at work"),
        folder.locked(tmp_path / "lab"),
    ):
        pass


def test_a_lock_that_a_child_of_a_killed_command_still_holds_is_waited_for(tmp_path: Path) -> None:
    """It has it from its fork until it runs another program, which a busy machine lets last."""
    code = "import os, time; os.fork() or (time.sleep(0.3), os._exit(0)); os.kill(os.getpid(), 9)"
    (tmp_path / "lab").mkdir()
    with (tmp_path / "lab/lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        killed = subprocess.run([sys.executable, "-c", code], pass_fds=[held.fileno()], check=False)
    assert killed.returncode == -signal.SIGKILL
    with folder.locked(tmp_path / "lab"):
        assert (tmp_path / "lab/lock").exists()


def test_a_crash_leaves_no_lock(tmp_path: Path) -> None:
    """The file stays; the lock was its holder's."""
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab/lock").touch()
    with folder.locked(tmp_path / "lab"):
        assert (tmp_path / "lab/lock").exists()


async def test_an_up_that_cannot_begin_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even its folder."""
    monkeypatch.setenv("KAFKA_HOME", str(tmp_path))
    with pytest.raises(LabError, match="holds no kafka_2"):
        await Lab.open(tmp_path / "lab").up()
    assert not (tmp_path / "lab").exists()


@pytest.mark.parametrize("command", ["up", "down"])
async def test_a_folder_of_somebody_else_is_left_alone(tmp_path: Path, command: str) -> None:
    """`--state $HOME` must not cost a home."""
    (tmp_path / "thesis.tex").write_text("ten years of work")
    lab = Lab.open(tmp_path)
    with pytest.raises(LabError, match="not a lab's folder"):
        await (lab.up() if command == "up" else lab.down())
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


async def test_down_without_a_lab_is_done_already(tmp_path: Path) -> None:
    """And makes no folder."""
    assert not await Lab.open(tmp_path / "none").down()
    assert not (tmp_path / "none").exists()


def test_a_lab_that_is_not_up_says_how_to_have_one(tmp_path: Path) -> None:
    """With the command."""
    with pytest.raises(LabError, match="no lab in") as caught:
        _ = Lab.open(tmp_path / "none").brokers
    assert caught.value.hint == f"ottla lab up --state {tmp_path / 'none'}"


def test_a_disk_too_small_is_told_before_anything_is_made(tmp_path: Path) -> None:
    """With both sizes."""
    with pytest.raises(LabError, match=r"MiB free, and the brokers' disks may take 512000000 MiB"):
        folder.check_room(tmp_path, Size(brokers=1_000_000), DiskKind.LOOP)


@root
def test_a_folder_that_the_brokers_cannot_enter_is_refused(tmp_path: Path) -> None:
    """Named is the one that is closed."""
    tmp_path.chmod(0o700)
    with pytest.raises(LabError, match="may not enter"):
        folder.check_room(tmp_path, Size(), DiskKind.LOOP)


def test_a_plain_folder_is_as_full_as_its_files_against_its_declared_size(tmp_path: Path) -> None:
    """Sparse files count for what they take."""
    (tmp_path / "segment").write_bytes(bytes(DISK_BYTES // 64))
    with (tmp_path / "index").open("wb") as index:
        index.truncate(DISK_BYTES)
    assert disks.used_ratio(tmp_path, DiskKind.FOLDER) == pytest.approx(1 / 64, rel=0.05)
    assert disks.used_ratio(tmp_path / "gone", DiskKind.FOLDER) == 0


@root
def test_everything_mounted_in_a_folder_is_unmounted(tmp_path: Path) -> None:
    """Blanks in a path are written as octal digits in the kernel's list, and hexadecimal ones by losetup."""
    lab = tmp_path / "my lab"
    disk = lab / "disk-a"
    disk.mkdir(parents=True)
    disks._mount(disk, disks.kind_here())
    assert disks.mounts_below(lab) == [disk]
    assert disks.mounts_below(tmp_path / "my") == []
    disks.unmount_below(lab)
    assert disks.mounts_below(lab) == []
    assert disks.loops_below(lab) == []
