"""Pids that a pid file or a control group tells, and that are hard to judge."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from played_brokers import until

from agent.sources import control_groups, kafka_processes
from agent.sources.broker_pid import BrokerAt, find


def test_a_jvm_of_another_main_class_in_a_pid_file_is_not_dead(tmp_path: Path) -> None:
    """It may be a distribution's broker, or since a crash another one: neither up nor gone."""
    java, file = tmp_path / "java", tmp_path / "kafka.pid"
    java.symlink_to(shutil.which("sleep") or "")
    with subprocess.Popen([java, "99"]) as jvm:
        try:
            until("its command line", lambda: kafka_processes.command(jvm.pid)[0] == os.fsencode(java))
            file.write_text(f"{jvm.pid}\n")
            with pytest.raises(
                OSError,
                match=rf"process {jvm.pid} of .* is a JVM of another main .*host\.process\.port",
            ):
                find(BrokerAt(pid_file=str(file)))
        finally:
            jvm.kill()
    assert find(BrokerAt(pid_file=str(file))) is None


THREAD = "import threading, time; threading.Thread(target=time.sleep, args=(99,), daemon=True).start()"


@pytest.mark.parametrize("more", [(), ("kafka.Kafka", "controller.properties")])
def test_a_thread_whose_number_is_in_a_pid_file_is_no_broker(more: tuple[str, ...], tmp_path: Path) -> None:
    """After a crash, or a new start of the host, it may be one of another JVM or another Kafka."""
    java, file = tmp_path / "java", tmp_path / "kafka.pid"
    java.symlink_to(sys.executable)
    with subprocess.Popen([java, "-c", f"{THREAD}; time.sleep(99)", *more]) as jvm:
        try:
            threads = Path(f"/proc/{jvm.pid}/task")
            until("its second thread", lambda: len(list(threads.iterdir())) == 2)
            (thread,) = (each.name for each in threads.iterdir() if each.name != str(jvm.pid))
            file.write_text(thread)
            assert find(BrokerAt(pid_file=str(file))) is None
        finally:
            jvm.kill()


@pytest.mark.parametrize("words", [("kafka.Kafka",), ("kafka.Kafka", "--line-buffered")])
def test_who_searches_for_kafkas_main_class_is_no_broker(words: tuple[str, ...], tmp_path: Path) -> None:
    """grep, say: Kafka itself ends at once where its first word is no file of properties."""
    file = tmp_path / "kafka.pid"
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(99)", *words]) as grep:
        try:
            until("its command line", lambda: kafka_processes.command(grep.pid)[3:-1] == encoded(words))
            file.write_text(str(grep.pid))
            assert find(BrokerAt(pid_file=str(file))) is None
            assert grep.pid not in [pid for pid, _ in kafka_processes.brokers()]
        finally:
            grep.kill()


def encoded(words: tuple[str, ...]) -> list[bytes]:
    """As command lines have them."""
    return list(map(os.fsencode, words))


def test_a_pid_file_of_more_digits_than_are_read_as_a_number_holds_no_pid(tmp_path: Path) -> None:
    """That is an error in words, too."""
    file = tmp_path / "kafka.pid"
    file.write_text("9" * 5_000)
    with pytest.raises(OSError, match="holds no pid: '9999"):
        find(BrokerAt(pid_file=str(file)))


def test_a_native_image_that_formats_the_storage_is_no_broker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kafka's own container runs it so before the broker."""
    monkeypatch.setattr(kafka_processes, "MAIN_CLASS", b"kafka.Kafka.storage")
    image = tmp_path / "kafka.Kafka.storage"
    image.symlink_to(sys.executable)
    (tmp_path / "setup").write_text("import time; time.sleep(99)")
    with subprocess.Popen([image, "setup", "--default-configs-dir", "/etc"], cwd=tmp_path) as tool:
        try:
            until("its command line", lambda: kafka_processes.command(tool.pid)[0] == os.fsencode(image))
            assert not kafka_processes.names_kafka(tool.pid)
            assert kafka_processes.likeliest([tool.pid]) == []
            assert tool.pid not in [pid for pid, _ in kafka_processes.brokers()]
        finally:
            tool.kill()


@pytest.mark.parametrize("code", [errno.ENODEV, errno.EOPNOTSUPP, errno.ENOENT])
def test_a_control_group_that_ends_or_is_of_threads_has_no_processes(
    code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others of the unit have."""
    monkeypatch.setattr(control_groups, "_ROOTS", (tmp_path,))
    for name in ("kafka", "kafka/threads"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "cgroup.procs").write_text("7\n")
    read_text = Path.read_text

    def read(file: Path) -> str:
        if file.parent.name == "threads":
            raise OSError(code, os.strerror(code))
        return read_text(file)

    monkeypatch.setattr(Path, "read_text", read)
    assert list(control_groups.of_group("/kafka")) == [7]


def test_a_control_group_that_ended_hides_none_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was listed, and is gone when it is looked into."""
    monkeypatch.setattr(control_groups, "_ROOTS", (tmp_path,))
    for number, name in enumerate(("kafka", "kafka/a", "kafka/b", "kafka/c")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "cgroup.procs").write_text(f"{number}\n")
    scandir, gone = os.scandir, list[str]()

    def look(folder: str | Path) -> Iterator[os.DirEntry[str]]:
        if not gone and Path(folder).parent.name == "kafka":
            gone.append(Path(folder).name)
            shutil.rmtree(folder)
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", look)
    found = {*control_groups.of_group("/kafka")}
    assert len(gone) == 1
    assert found == {0, 1, 2, 3} - {"abc".index(gone[0]) + 1}
