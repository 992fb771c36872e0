"""Reads the single values that only the configuration has: addresses, paths, secrets."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from agent.config.settings import AUTO
from agent.server_properties import ServerProperties, parse
from agent.sources.broker_pid import BrokerAt
from agent.sources.http_asked import secret_in
from agent.yaml_marks import Form, Node, Scalar, Wrong
from agent.yaml_marks.readers import duration, positive, text, texts
from agent.yaml_marks.shapes import shaped

_ADDRESS = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):([0-9]{1,5})")
_UNIT = re.compile(r"[A-Za-z][A-Za-z0-9:_.@\\-]{0,254}\.service")
MAX_BYTES = 1 << 20


def address(node: Node) -> str:
    """host:port."""
    written = text(node)
    match = _ADDRESS.fullmatch(written)
    if not match or int(match[1]) > 65_535:
        raise Wrong(f"{written[:100]!r} is no address", "write it like 127.0.0.1:9092")
    return written


def url(node: Node) -> str:
    """An http or https URL without credentials, which logs and messages would show."""
    written = text(node)
    try:
        parts = urlsplit(written)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
        (parts.hostname or "").encode("idna")  # as it is looked up
    except ValueError:
        usable = False
    if not usable:
        raise Wrong(f"{written[:100]!r} is no URL", "write it like http://127.0.0.1:8778/jolokia")
    if parts.username or parts.password:
        raise Wrong("credentials in a URL are shown in logs", "use username and password_file")
    return written


def username(node: Node) -> str:
    """A user's name for basic authentication."""
    written = text(node)
    if ":" in written or not written.isprintable():
        raise Wrong(f"{written[:100]!r} is no user's name", "it has no colon and no control character")
    return written


@shaped({"anyOf": [{"type": "string"}, {"type": "integer", "minimum": 1}]})
def attach(node: Node) -> str | int | BrokerAt:
    """What a Jolokia agent is attached to: `auto`, a pid, the absolute path of a pid file, or a unit."""
    written = str(node.value) if isinstance(node, Scalar) and isinstance(node.value, int) else text(node)
    if written == AUTO:
        return AUTO
    if written.isdecimal() and 0 < int(written) < 1 << 22:
        return int(written)
    if written.startswith("/"):
        return BrokerAt(pid_file=written)
    if not _UNIT.fullmatch(written):
        raise Wrong(
            f"{written[:100]!r} is no process", "write auto, kafka.service, a pid file's path, or a pid"
        )
    return BrokerAt(unit=written)


@shaped({"type": "integer", "minimum": 1, "maximum": 65535})
def port(node: Node) -> int:
    """A TCP port."""
    written = positive(node)
    if written > 65_535:
        raise Wrong(f"{written} is no port", "write it like 8778")
    return written


def interval(node: Node) -> int:
    """How often sources are read: a tenth of a second to an hour."""
    written = duration(node)
    if not 100 <= written <= 3_600_000:
        raise Wrong("must lie between 100ms and 1h")
    return written


class Files:
    """Paths as the file writes them (relative ones start at `folder`), and what stands in them."""

    def __init__(self, folder: Path, environ: Mapping[str, str]) -> None:
        self._folder, self._environ = folder, environ

    def path(self, node: Node) -> Path:
        """One path, absolute."""
        return self._at(text(node))

    def name(self, node: Node) -> str:
        """One path as text."""
        return str(self.path(node))

    def paths(self, node: Node) -> tuple[Path, ...]:
        """One path or a list of them."""
        written = texts(node)
        if not written:
            raise Wrong("the list is empty")
        return tuple(map(self._at, written))

    def readable_name(self, node: Node) -> str:
        """The path of a file that can be read now."""
        path = self.path(node)
        self._content(path)
        return str(path)

    def secret_name(self, node: Node) -> str:
        """The path of a file whose first line is a secret; it is read again whenever that is needed."""
        path = self.path(node)
        self._first_line(path)
        return str(path)

    def properties(self, node: Node) -> ServerProperties:
        """The broker's own settings, each byte a letter to Java."""
        return parse(self._content(self.path(node), "latin-1"))

    def password(self, form: Form, variable: str) -> str | None:
        """The first line of `password_file`, or of the file that `variable` of the environment names."""
        override = self._environ.get(variable)
        if override is None:
            return form.get("password_file", self._secret, None)
        form.get("password_file", text, None)
        try:
            return self._first_line(Path(override))
        except Wrong as e:
            form.complain(f"{variable}: {e}")
            return None

    def _secret(self, node: Node) -> str:
        return self._first_line(self.path(node))

    def _first_line(self, path: Path) -> str:
        try:
            return secret_in(self._content(path), path)
        except ValueError as e:
            raise Wrong(str(e)) from None

    def _content(self, path: Path, encoding: str = "utf-8") -> str:
        try:
            with path.open("rb") as file:
                return file.read(MAX_BYTES).decode(encoding, "replace")
        except (OSError, ValueError) as e:  # ValueError: a NUL in the path
            raise Wrong(f"{path} cannot be read: {getattr(e, 'strerror', None) or e}") from None

    def _at(self, written: str) -> Path:
        return self._folder / written
