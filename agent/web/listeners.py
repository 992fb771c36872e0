"""The two sockets that the API listens on: loopback TCP, and a unix socket that replaces only a dead one."""

from __future__ import annotations

import errno
import os
import socket
import stat
from pathlib import Path

from agent.web.door import is_loopback


class CannotListen(RuntimeError):
    """The address cannot be served; the text says why and what to change."""


def tcp_listener(listen: str) -> socket.socket:
    """A bound loopback socket; `localhost` means 127.0.0.1: no resolver is asked. Raises CannotListen."""
    host, _, port = listen.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not (port.isascii() and port.isdigit() and int(port) < 65_536):
        raise CannotListen(f"http.listen {listen!r}: write it like 127.0.0.1:9901 (port 0: a free one)")
    if not is_loopback(host):
        raise CannotListen(
            f"http.listen {listen!r}: only loopback is served, since anybody who can connect can read; "
            "listen on 127.0.0.1 and put your proxy or ssh -L in front"
        )
    host = "127.0.0.1" if host.lower() == "localhost" else host
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, int(port)))
    except OSError as error:
        listener.close()
        why = "another process has it" if error.errno == errno.EADDRINUSE else error.strerror
        raise CannotListen(
            f"http.listen {listen!r}: {why}; choose another port, or 0 for a free one"
        ) from error
    return listener


def unix_listener(path: Path) -> socket.socket:
    """A listening socket at `path`, mode 0660 from its first instant: bound aside, then renamed into place.

    Raises CannotListen.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _refuse_if_taken(path)
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    listener = socket.socket(socket.AF_UNIX)
    try:
        listener.bind(str(aside))
        aside.chmod(0o660)
        listener.listen(64)  # before it has its name: whoever finds it can connect
        aside.replace(path)
    except OSError as error:
        listener.close()
        aside.unlink(missing_ok=True)
        raise CannotListen(
            f"socket {path}: {error}; set `socket` to a path that the agent may make"
        ) from error
    return listener


def _refuse_if_taken(path: Path) -> None:
    """A file that nobody answers at is left over from a crash; anything else is not ours to replace."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise CannotListen(f"socket {path}: that is a file of another kind; move it away or set `socket`")
    with socket.socket(socket.AF_UNIX) as probe:
        probe.setblocking(False)  # a full backlog is an answer too: somebody is there
        code = probe.connect_ex(str(path))
    if code not in (errno.ECONNREFUSED, errno.ENOENT):
        raise CannotListen(
            f"socket {path}: another agent answers there; stop it (ottla stop) or set `socket`"
        )
