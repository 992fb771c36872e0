"""HotSpot's attach protocol: a running JVM loads an agent, without a second JVM that asks it to.

JVMs listen on a unix socket of their own once they get SIGQUIT while a file `.attach_pid<pid>` stands
(JDK, src/hotspot/os/posix/attachListener_posix.cpp). Blocks: for a thread.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import stat
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

_PROC = Path("/proc")
_VERSION = b"1"
_ARGUMENTS = 3  # every command has as many
_POLL = 0.02
_LONGEST_ANSWER = 1 << 20
_PROPERTY = re.compile(r"^((?:[^=:\\\s]|\\.)+)=(.*)$", re.MULTILINE)
_DISABLED, _ENABLED = "-XX:+DisableAttachMechanism", "-XX:-DisableAttachMechanism"
_ESCAPED = re.compile(r"\\(.)")
_AS_BROKER = "run the agent as the broker's user, or give the broker -javaagent and `jolokia` its url"


class AttachFailed(Exception):
    """The JVM was not asked, or refused. The text says why and what to do."""


class NoListener(AttachFailed):
    """It does not listen. Where it got SIGQUIT, it printed its threads instead: do not repeat that soon."""


class Process(Struct, frozen=True):
    """A process, told from a later one with its pid by when it began (clock ticks since the boot)."""

    pid: int
    started: int


def process_of(pid: int) -> Process | None:
    """The process that has this pid now; None where none has."""
    try:
        text = (_PROC / str(pid) / "stat").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = text[text.rindex(")") + 2 :].split()  # the name before it may hold anything
    return None if fields[0] in "ZX" else Process(pid, int(fields[19]))


class Jvm:
    """A running JVM; all that is asked of it together may take `deadline` seconds. `wake`: whether it may get
    SIGQUIT where it does not listen."""

    def __init__(self, process: Process, deadline: float, *, wake: bool = True) -> None:
        self._process = process
        self._may_wake = wake
        self._deadline = deadline
        self._until = time.monotonic() + deadline
        self._folder = _PROC / str(process.pid)
        self._status = self._read_status()

    def properties(self) -> dict[str, str]:
        """Its system properties."""
        text = self._ask("properties")
        return {_bare(key): _bare(value) for key, value in _PROPERTY.findall(text)}

    def load(self, jar: str, options: str) -> None:
        """Have it load a Java agent. AttachFailed where it cannot, but not where the agent itself erred."""
        if not self.sees(jar):
            raise AttachFailed(f"process {self._process.pid} has no file {jar}")
        answer = self._ask("load", "instrument", "false", f"{jar}={options}")
        code = answer.rpartition("return code:")[2].strip()
        if code != "0":
            reason = answer.strip() or "no reason given; it is in what the broker printed"
            raise AttachFailed(f"process {self._process.pid} did not load {jar}: {reason}")

    def sees(self, path: str) -> bool:
        """Whether the file is there for this process, which may live in a container."""
        return (self._root / path.lstrip("/")).is_file()

    @property
    def _root(self) -> Path:
        return self._folder / "root" if os.access(self._folder / "root" / "tmp", os.X_OK) else Path("/")

    def _ask(self, command: str, *arguments: str) -> str:
        """The answer without the status in its first line."""
        padded = (command, *arguments, *[""] * (_ARGUMENTS - len(arguments)))
        message = b"".join(part.encode() + b"\0" for part in padded)
        try:
            with self._connected() as connection:
                connection.sendall(_VERSION + b"\0" + message)
                status, _, answer = self._all_of(connection).partition("\n")
        except TimeoutError as error:
            raise AttachFailed(
                f"process {self._process.pid} does not answer: it hangs or is stopped"
            ) from error
        except OSError as error:
            raise AttachFailed(f"process {self._process.pid}: {error.strerror or error}") from error
        if status.strip() != "0":
            raise AttachFailed(f"process {self._process.pid} refused {command}: {answer.strip() or status}")
        return answer

    def _all_of(self, connection: socket.socket) -> str:
        parts = bytearray()
        while len(parts) < _LONGEST_ANSWER:
            connection.settimeout(self._left())
            part = connection.recv(1 << 16)
            if not part:
                break
            parts += part
        return parts.decode("latin-1")

    def _connected(self) -> socket.socket:
        """A socket file of an earlier process with this pid may still lie there: then nobody accepts."""
        self._check_user()
        try:
            return self._connect()
        except (FileNotFoundError, ConnectionRefusedError):
            if not self._may_wake:
                raise NoListener(f"process {self._process.pid} does not listen") from None
            self._wake()
        while True:
            try:
                return self._connect()
            except (FileNotFoundError, ConnectionRefusedError):
                if self._left() <= _POLL:
                    raise NoListener(
                        f"process {self._process.pid} opened no attach socket within {self._deadline:g} s:"
                        f" was it paused (GC, swapping, SIGSTOP), or started with {_DISABLED}?"
                    ) from None
                time.sleep(_POLL)

    def _connect(self) -> socket.socket:
        path = self._tmp / f".java_pid{self._status['NSpid'][-1]}"
        found = path.lstat()
        if not stat.S_ISSOCK(found.st_mode) or found.st_uid != int(self._status["Uid"][1]):
            raise AttachFailed(f"{path} is not the JVM's: somebody else has put it there")
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.settimeout(self._left())
            connection.connect(str(path))
        except OSError:
            connection.close()
            raise
        return connection

    def _wake(self) -> None:
        """SIGQUIT, with the file that gives it this meaning. To whom does not catch it, it is the end."""
        pid = self._process.pid
        if not self._is_java():
            raise AttachFailed(f"process {pid} is no JVM")
        if self._is_disabled():
            raise AttachFailed(f"process {pid} was started with {_DISABLED}")
        if not int(self._status["SigCgt"][0], 16) >> (signal.SIGQUIT - 1) & 1:
            raise AttachFailed(f"process {pid} does not catch SIGQUIT, which would end it: it has just begun")
        trigger = self._tmp / f".attach_pid{self._status['NSpid'][-1]}"
        trigger.unlink(missing_ok=True)
        os.close(os.open(trigger, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW, 0o600))
        try:
            handle = os.pidfd_open(pid)
            try:
                if process_of(pid) != self._process:
                    raise AttachFailed(f"process {pid} is gone")
                signal.pidfd_send_signal(handle, signal.SIGQUIT)
            finally:
                os.close(handle)
            self._wait_for_socket()
        finally:
            trigger.unlink(missing_ok=True)

    def _wait_for_socket(self) -> None:
        """The file must stand until the JVM has looked for it."""
        path = self._tmp / f".java_pid{self._status['NSpid'][-1]}"
        while not path.exists() and self._left() > _POLL:
            time.sleep(_POLL)

    def _check_user(self) -> None:
        """JVMs answer their own user and group only, and root."""
        uid, gid = int(self._status["Uid"][1]), int(self._status["Gid"][1])
        if os.geteuid() != 0 and (os.geteuid(), os.getegid()) != (uid, gid):
            raise AttachFailed(
                f"process {self._process.pid} runs as user {uid}, group {gid}, and the agent as"
                f" {os.geteuid()}, {os.getegid()}: {_AS_BROKER}"
            )

    def _is_java(self) -> bool:
        with suppress(OSError):
            if (self._folder / "exe").readlink().name.startswith("java"):
                return True
            return "libjvm.so" in (self._folder / "maps").read_text(errors="replace")
        return False

    def _is_disabled(self) -> bool:
        """By its command line, whose last word counts; options may come from elsewhere, too."""
        said = (self._folder / "cmdline").read_text(errors="replace").split("\0")
        return next((word == _DISABLED for word in reversed(said) if word in (_DISABLED, _ENABLED)), False)

    @property
    def _tmp(self) -> Path:
        return self._root / "tmp"

    def _read_status(self) -> dict[str, Sequence[str]]:
        try:
            lines = (self._folder / "status").read_text(errors="replace").splitlines()
        except (FileNotFoundError, ProcessLookupError) as error:
            raise AttachFailed(f"process {self._process.pid} is gone") from error
        return {name: words.split() for name, _, words in (line.partition(":") for line in lines)}

    def _left(self) -> float:
        return max(self._until - time.monotonic(), 0.001)


def _bare(text: str) -> str:
    return _ESCAPED.sub(r"\1", text)
