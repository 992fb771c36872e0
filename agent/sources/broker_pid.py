"""Which process the broker is: by its systemd unit, its pid file, or the port that it listens on, or will."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from agent.server_properties import parse

_PROC = Path("/proc")
_LISTENING = "0A"
_SYSTEMCTL_DEADLINE = 1.5  # seconds
_MAIN_CLASS = b"kafka.Kafka"
_LISTENERS = ("PLAINTEXT://:9092",)  # Kafka's default
_MOST_BYTES = 1 << 20  # of a properties file


class BrokerAt(Struct, frozen=True):
    """Where to look for the broker: exactly one of these."""

    unit: str | None = None
    pid_file: str | None = None
    port: int | None = None

    def __str__(self) -> str:
        if self.unit:
            return f"unit {self.unit}"
        return f"pid file {self.pid_file}" if self.pid_file else f"port {self.port}"


def find(at: BrokerAt) -> int | None:
    """The broker's pid, None where it does not run. OSError says why it cannot be known."""
    if at.unit:
        return _of_unit(at.unit)
    if at.pid_file:
        return _of_file(Path(at.pid_file))
    return _of_port(at.port) if at.port else None


def _of_unit(unit: str) -> int | None:
    command = ["systemctl", "show", "--property", "MainPID,LoadState", "--", unit]
    try:
        done = subprocess.run(  # noqa: S603 a fixed command, the unit behind `--`
            command, capture_output=True, text=True, timeout=_SYSTEMCTL_DEADLINE, check=False
        )
    except subprocess.TimeoutExpired:
        raise TimeoutError(f"systemctl has not answered for {_SYSTEMCTL_DEADLINE:g} s") from None
    told = dict(line.partition("=")[::2] for line in done.stdout.split())
    pid = told.get("MainPID", "")
    if done.returncode or not pid.isdecimal():
        raise OSError(
            f"systemctl does not tell the main pid of {unit}: {done.stderr.strip() or done.stdout!r}"
        )
    if pid == "0" and told.get("LoadState") == "not-found":  # it would be a broker that is down for ever
        raise OSError(f"systemd knows no unit {unit}")
    return int(pid) or None


def _of_file(file: Path) -> int | None:
    try:
        text = file.read_text(errors="replace").strip()
    except FileNotFoundError:
        return None
    if not text.isdecimal():
        raise OSError(f"{file} holds no pid: {text[:40]!r}")
    try:  # a crash may have left the file, and its pid be another's
        return int(text) if _runs_kafka(_PROC / text) else None
    except (FileNotFoundError, ProcessLookupError):
        return None


def _of_port(port: int) -> int | None:
    """Whose socket it is; where descriptors may not be read, the one broker that its owner runs. Where nobody
    listens, the one that will: Kafka binds its listeners only when its logs are recovered."""
    sockets = dict(listening(port))
    if not sockets:
        return _not_yet_listening(port)
    forbidden = 0
    for pid in _pids():
        try:
            with os.scandir(_PROC / str(pid) / "fd") as descriptors:
                if any(_socket(each) in sockets for each in descriptors):
                    return pid
        except PermissionError:
            forbidden += 1
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended meanwhile
    return _by_owner(port, set(sockets.values()), forbidden)


def listening(port: int) -> Iterator[tuple[str, int]]:
    """Inode and user id of each socket that listens on the port, by IPv4 and IPv6."""
    for name in ("tcp", "tcp6"):
        try:
            lines = (_PROC / "net" / name).read_text().splitlines()[1:]
        except FileNotFoundError:
            continue
        for line in lines:
            fields = line.split()
            if fields[3] == _LISTENING and int(fields[1].rpartition(":")[2], 16) == port:
                yield f"socket:[{fields[9]}]", int(fields[7])


def _not_yet_listening(port: int) -> int | None:
    try:
        found = [pid for pid, _ in _brokers() if _will_listen(_PROC / str(pid), port)]
    except OSError as error:
        raise OSError(
            f"nobody listens on port {port}, and whether a Kafka process will cannot be seen: {error};"
            " name host.process.unit or pid_file"
        ) from None
    if len(found) > 1:
        raise OSError(
            f"nobody listens on port {port}, and which of {len(found)} Kafka processes will cannot be seen:"
            " name host.process.unit or pid_file"
        )
    return found[0] if found else None


def _by_owner(port: int, owners: set[int], forbidden: int) -> int:
    """Command lines and owners are for everybody to see, descriptors are not."""
    found = [pid for pid, owner in _brokers() if owner in owners]
    if len(found) == 1:
        return found[0]
    raise PermissionError(
        f"who listens on port {port} cannot be seen: the descriptors of {forbidden} processes are another"
        f" user's, and that user runs {len(found)} brokers; run the agent as the broker's user, or name"
        " host.process.unit or pid_file"
    )


def _brokers() -> Iterator[tuple[int, int]]:
    """Pid and owner of each process of Kafka's main class."""
    for pid in _pids():
        folder = _PROC / str(pid)
        try:
            if _runs_kafka(folder):
                yield pid, folder.stat().st_uid
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended meanwhile


def _runs_kafka(folder: Path) -> bool:
    return _MAIN_CLASS in (folder / "cmdline").read_bytes().split(b"\0")


def _will_listen(folder: Path, port: int) -> bool:
    """Whether it is a broker, and on this port, by its properties and the `--override`s of its command line.
    OSError where these cannot be read, or leave the port to a ConfigProvider."""
    _, _, arguments = (folder / "cmdline").read_bytes().partition(b"\0" + _MAIN_CLASS + b"\0")
    file, *overrides = os.fsdecode(arguments).split("\0")
    with (folder / "cwd" / file).open("rb") as properties:
        text = properties.read(_MOST_BYTES).decode("latin-1")
    said = parse("\n".join((text, *(each.removeprefix("--override=") for each in overrides))))
    if said.roles == ("controller",):
        return False
    listeners = said.listeners or _LISTENERS
    named = any(each.endswith(f":{port}") for each in listeners)
    if not named and any("$" in each for each in listeners):
        raise OSError(f"{file} names no port: {', '.join(listeners)}")
    return named


def _pids() -> Iterator[int]:
    return (int(entry.name) for entry in _PROC.iterdir() if entry.name.isdecimal())


def _socket(descriptor: os.DirEntry[str]) -> str:
    try:
        return os.readlink(descriptor.path)  # noqa: PTH115 one call of thousands
    except FileNotFoundError:
        return ""
