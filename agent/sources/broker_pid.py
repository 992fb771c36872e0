"""Which process the broker is: by its systemd unit, its pid file, or the port that it listens on, or will."""

from __future__ import annotations

import subprocess
from pathlib import Path

from msgspec import Struct

from agent.sources import broker_port, kafka_processes
from agent.sources.broker_port import Found
from agent.sources.control_groups import of_group

_SYSTEMCTL_DEADLINE = 1.5  # seconds
_MOST_DIGITS = 100  # of a pid; int() takes no more than some thousands


class BrokerAt(Struct, frozen=True):
    """Where to look for the broker: exactly one of unit, pid_file and port.

    `hosts` are where it listens on that port, as its listeners say it; none: on all addresses, or unknown.
    """

    unit: str | None = None
    pid_file: str | None = None
    port: int | None = None
    hosts: tuple[str, ...] = ()

    def __str__(self) -> str:
        if self.unit:
            return f"unit {self.unit}"
        if self.pid_file:
            return f"pid file {self.pid_file}"
        return f"port {self.port}" + (f" of {' or '.join(self.hosts)}" if self.hosts else "")


def find(at: BrokerAt) -> int | None:
    """The broker's pid, None where it does not run. OSError says why it cannot be known; Hidden is one."""
    return look(at).pid


def look(at: BrokerAt) -> Found:
    """As `find`, and whether it is a guess."""
    if at.unit:
        return Found(_of_unit(at.unit))
    if at.pid_file:
        return Found(_of_file(Path(at.pid_file)))
    return broker_port.of_port(at.port, at.hosts) if at.port else Found(None)


def _of_unit(unit: str) -> int | None:
    """Its main process, or another one where that has only started the broker, as sudo or a script."""
    told = _shown(unit)
    main = int(told["MainPID"])
    if not main and told.get("LoadState") == "not-found":  # it would be a broker that is down for ever
        raise OSError(f"systemd knows no unit {unit}")
    if not main:
        return None
    found = kafka_processes.likeliest([main, *of_group(told.get("ControlGroup", ""))])
    if main in found:
        return main
    found = [pid for pid in found if kafka_processes.names_kafka(pid)]  # no kafka-storage of a script's
    if len(found) != 1:
        what = f"{len(found)} of its processes may be" if found else "no other of its processes is"
        instead = "port or pid_file" if found else "port"  # by a pid file it must name Kafka as well
        raise OSError(
            f"the main process of {unit}, {main}, is no broker, and {what}: name host.process.{instead}"
        )
    return found[0]


def _shown(unit: str) -> dict[str, str]:
    command = ["systemctl", "show", "--property", "MainPID,LoadState,ControlGroup", "--", unit]
    try:
        done = subprocess.run(  # noqa: S603 a fixed command, the unit behind `--`
            command, capture_output=True, text=True, timeout=_SYSTEMCTL_DEADLINE, check=False
        )
    except FileNotFoundError as error:  # would be read as: there is no broker here
        raise OSError(f"there is no systemctl in PATH to ask for the main pid of {unit}") from error
    except subprocess.TimeoutExpired:
        raise TimeoutError(f"systemctl has not answered for {_SYSTEMCTL_DEADLINE:g} s") from None
    told = dict(line.partition("=")[::2] for line in done.stdout.splitlines())
    if done.returncode or not told.get("MainPID", "").isdecimal():
        why = done.stderr.strip() or repr(done.stdout)
        raise OSError(f"systemctl does not tell the main pid of {unit}: {why}")
    return told


def _of_file(file: Path) -> int | None:
    try:
        text = file.read_text(errors="replace").strip()
    except FileNotFoundError:
        return None
    if not text.isdecimal() or len(text) > _MOST_DIGITS:
        raise OSError(f"{file} holds no pid: {text[:40]!r}")
    pid = int(text)  # of a crash's file it may be another's
    if kafka_processes.is_thread(pid):  # which a broker's file never names
        return None
    if kafka_processes.names_kafka(pid):
        return pid
    if kafka_processes.is_jvm(pid):  # of a distribution's main class, or another one since a crash
        raise OSError(
            f"process {pid} of {file} is a JVM of another main class than Kafka's, and whether that is the"
            " broker cannot be seen: name host.process.port"
        )
    return None
