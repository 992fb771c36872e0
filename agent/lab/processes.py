"""The lab's processes: started under a tag, found again by it, and stopped without ever hitting another."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from agent.lab.errors import LabError

_TAG = "OTTLA_LAB_NODE"
_DEAD = "ZX"
_KERNEL_THREAD = 0x0020_0000  # PF_KTHREAD of include/linux/sched.h
_LOOKS = 20
_LEADS_SECONDS = 1.0
LAB_UID = 61_001  # an unprivileged user without a name; nothing on a Debian machine has it


@dataclass(frozen=True)
class Process:
    """One live process. A recycled pid has another start time, so both together name it."""

    pid: int
    started: int  # clock ticks since boot
    state: str  # ps's letter: R, S, D, T (stopped), ...
    leads: bool  # its session: it was started by `start`, and is no child of what was


@dataclass(frozen=True)
class Command:
    """What to run: the tag is how it is found again, and survives a crash of whoever started it."""

    arguments: Sequence[str]
    tag: str
    output: Path
    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    reads_everything: bool = False  # may read files that its user may not, such as code below /root
    as_ourselves: bool = False  # with our own user and rights


def start(command: Command) -> None:
    """Start it in the background, as the lab's unprivileged user where we are root.

    It is no child of ours: it outlives us, and nobody has to wait for it. When this returns it can be found,
    unless it has ended by then.
    """
    _launch(command, ["setsid", "--fork"])
    until = time.monotonic() + _LEADS_SECONDS
    while find(command.tag) is None and time.monotonic() < until:  # setsid forks first, and leads then
        time.sleep(0.001)


def run(command: Command) -> None:
    """Run it to its end, likewise. LabError with the last of its output if it fails."""
    _launch(command, [])


def last_lines(path: Path, count: int = 3) -> str:
    """The end of a text file, for people; empty where there is none."""
    try:
        lines = path.read_text(errors="replace").splitlines()
    except FileNotFoundError:
        return ""
    return " / ".join(line.strip() for line in lines[-count:] if line.strip())


def _launch(command: Command, prefix: list[str]) -> None:
    environment = {"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8", **command.environment}
    with command.output.open("ab") as output:
        try:
            subprocess.run(  # noqa: S603 - the arguments are our own
                [*prefix, *_as_lab_user(command), *command.arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=command.folder,
                env=environment | {_TAG: command.tag},
                check=True,
            )
        except (OSError, subprocess.CalledProcessError) as error:
            said = last_lines(command.output) or str(error)
            raise LabError(
                f"{command.arguments[0]} failed: {said}", f"its output is in {command.output}"
            ) from error


def find(tag: str) -> Process | None:
    """The live process that was started under this tag; its children, which may outlive it, are not it."""
    return next((process for process in _tagged(lambda own: own == tag) if process.leads), None)


def find_below(folder: Path) -> list[Process]:
    """All live processes whose tags are this folder or lie in it."""
    return list(_tagged(lambda own: Path(own).is_relative_to(folder)))


def send(process: Process, number: signal.Signals) -> bool:
    """Signal exactly this process; False when it is gone, whoever has its pid by now."""
    with _handle(process) as handle:
        if handle is None:
            return False
        signal.pidfd_send_signal(handle, number)
        return True


def end(processes: Sequence[Process], number: signal.Signals, deadline: float) -> list[Process]:
    """Signal them all and wait until they are gone; those which are not after `deadline` seconds."""
    until = time.monotonic() + deadline
    with contextlib.ExitStack() as stack:
        handles = {process: stack.enter_context(_handle(process)) for process in processes}
        for handle in handles.values():
            if handle is not None:
                with contextlib.suppress(ProcessLookupError):
                    signal.pidfd_send_signal(handle, number)
        return [
            process for process, handle in handles.items() if handle is not None and not _gone(handle, until)
        ]


def _gone(handle: int, until: float) -> bool:
    readable, _, _ = select.select([handle], [], [], max(0.0, until - time.monotonic()))
    return bool(readable)


@contextlib.contextmanager
def _handle(process: Process) -> Iterator[int | None]:
    """A pidfd: from its opening on the pid cannot come to mean another process."""
    try:
        handle = os.pidfd_open(process.pid)
    except ProcessLookupError:
        yield None
        return
    try:
        now = _look(process.pid)
        yield handle if now is not None and now.started == process.started else None
    finally:
        os.close(handle)


def _tagged(wanted: Callable[[str], bool]) -> Iterator[Process]:
    for pid in [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]:
        if (tag := _tag_of(pid)) and wanted(tag):
            process = _look(pid)
            if process is not None:
                yield process


def _tag_of(pid: int) -> str | None:
    prefix = f"{_TAG}=".encode()
    tags = [entry[len(prefix) :] for entry in _environment(pid).split(b"\0") if entry.startswith(prefix)]
    return tags[0].decode(errors="replace") if tags else None


def _environment(pid: int) -> bytes:
    """Empty for what is gone or another user's. In the middle of an exec there is none for an instant."""
    for _ in range(_LOOKS):
        try:
            environment = Path(f"/proc/{pid}/environ").read_bytes()
        except OSError:
            break
        if environment or not _has_environment(pid):
            return environment
        time.sleep(0.001)
    return b""


def _has_environment(pid: int) -> bool:
    """Neither dead nor a thread of the kernel."""
    fields = _stat(pid)
    return fields is not None and fields[0] not in _DEAD and not int(fields[6]) & _KERNEL_THREAD


def _look(pid: int) -> Process | None:
    """The process as it is now; None when it is gone, or dead and only not yet waited for."""
    fields = _stat(pid)
    if fields is None or fields[0] in _DEAD:
        return None
    return Process(pid, int(fields[19]), fields[0], leads=int(fields[3]) == pid)


def _stat(pid: int) -> list[str] | None:
    """The fields of /proc/PID/stat from the state on; None when it is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return None
    return text[text.rindex(")") + 2 :].split()  # the name before it may hold anything


def _as_lab_user(command: Command) -> list[str]:
    if os.geteuid() != 0 or command.as_ourselves:
        return []
    switch = ["setpriv", f"--reuid={LAB_UID}", f"--regid={LAB_UID}", "--clear-groups"]
    if command.reads_everything:
        switch += ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
    return switch
