"""Which process the broker is: by its systemd unit, its pid file, or the port that it listens on, or will."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from agent.server_properties import parse
from agent.sources import kafka_processes
from agent.sources.kafka_processes import PROC, Hidden

_LISTENING = "0A"
_SYSTEMCTL_DEADLINE = 1.5  # seconds
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
    """The broker's pid, None where it does not run. OSError says why it cannot be known; Hidden is one."""
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
    except FileNotFoundError as error:  # would be read as: there is no broker here
        raise OSError(f"there is no systemctl in PATH to ask for the main pid of {unit}") from error
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
    pid = int(text)
    try:  # a crash may have left the file, and its pid be another's
        return pid if kafka_processes.MAIN_CLASS in kafka_processes.command(pid) else None
    except ProcessLookupError:
        return None


def _of_port(port: int) -> int | None:
    """Whose socket it is; where descriptors may not be read, the one broker that its owner runs. Where nobody
    listens, the one that will: Kafka binds its listeners only when its logs are recovered."""
    sockets = dict(listening(port))
    if not sockets:
        return _not_yet_listening(port)
    forbidden = 0
    for pid in kafka_processes.pids():
        try:
            with os.scandir(PROC / str(pid) / "fd") as descriptors:
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
            lines = (PROC / "net" / name).read_text().splitlines()[1:]
        except FileNotFoundError:
            continue
        for line in lines:
            fields = line.split()
            if fields[3] == _LISTENING and int(fields[1].rpartition(":")[2], 16) == port:
                yield f"socket:[{fields[9]}]", int(fields[7])


def _not_yet_listening(port: int) -> int | None:
    try:
        found = [pid for pid, _ in kafka_processes.brokers() if _will_listen(PROC / str(pid), port)]
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
    if not found and kafka_processes.hides():
        raise Hidden(f"nobody listens on port {port}, and whether a Kafka process will cannot be seen")
    return found[0] if found else None


def _by_owner(port: int, owners: set[int], forbidden: int) -> int:
    """Command lines and owners are for everybody to see, descriptors are not."""
    found = [pid for pid, owner in kafka_processes.brokers() if owner in owners]
    if len(found) == 1:
        return found[0]
    shown = ", as far as /proc (hidepid, ProtectProc=) shows any" if kafka_processes.hides() else ""
    raise PermissionError(
        f"who listens on port {port} cannot be seen: the descriptors of {forbidden} processes are another"
        f" user's, and that user runs {len(found)} brokers{shown}; run the agent as the broker's user, or"
        " name host.process.unit or pid_file"
    )


def _will_listen(folder: Path, port: int) -> bool:
    """Whether it is a broker, and on this port, by its properties and the `--override`s of its command line.
    OSError where these cannot be read, or leave the port to a ConfigProvider."""
    main = b"\0" + kafka_processes.MAIN_CLASS + b"\0"
    _, _, arguments = (folder / "cmdline").read_bytes().partition(main)
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


def _socket(descriptor: os.DirEntry[str]) -> str:
    try:
        return os.readlink(descriptor.path)  # noqa: PTH115 one call of thousands
    except FileNotFoundError:
        return ""
