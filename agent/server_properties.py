"""The broker's own server.properties: what an agent needs of it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from msgspec import Struct

_PAIR = re.compile(r"((?:\\.|[^\\ \t\f:=])*)[ \t\f]*[:=]?[ \t\f]*(.*)", re.DOTALL)
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)")
_HALVES = re.compile("[\\ud800-\\udbff][\\udc00-\\udfff]|[\\ud800-\\udfff]")  # of a letter in UTF-16
_CONTROL = {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}


class ServerProperties(Struct, frozen=True):
    """`node_id` None where neither node.id nor broker.id stands there; no `roles` with ZooKeeper."""

    node_id: int | None
    log_dirs: tuple[str, ...]
    listeners: tuple[str, ...]
    roles: tuple[str, ...] = ()


def parse(text: str) -> ServerProperties:
    """Read a Java properties file as Kafka does: log.dirs before log.dir, the last of equal keys wins."""
    found = properties(text)
    node_id = found.get("node.id", found.get("broker.id", "")).strip()
    return ServerProperties(
        node_id=int(node_id) if re.fullmatch("[0-9]{1,10}", node_id, re.ASCII) else None,
        log_dirs=_listed(found.get("log.dirs") or found.get("log.dir", "")),
        listeners=_listed(found.get("listeners", "")),
        roles=_listed(found.get("process.roles", "")),
    )


def properties(text: str) -> Mapping[str, str]:
    """Keys and values of java.util.Properties' format: comments, continued lines, escapes."""
    pairs = (_PAIR.fullmatch(line) for line in _logical_lines(text) if line)
    return {_plain(match[1]): _plain(match[2]) for match in pairs if match}


def _logical_lines(text: str) -> Iterator[str]:
    """Each with what continues it, behind an odd number of backslashes; a comment begins where one does, and
    never within one."""
    line = ""
    for written in re.split(r"\r\n|\r|\n", text):
        part = written.lstrip(" \t\f")
        if not line and part.startswith(("#", "!")):
            continue
        line += part
        if (len(part) - len(part.rstrip("\\"))) % 2:
            line = line[:-1]
        else:
            yield line
            line = ""
    yield line


def _plain(text: str) -> str:
    def letter(match: re.Match[str]) -> str:
        code = match[1]
        return chr(int(code[1:], 16)) if len(code) > 1 else _CONTROL.get(code, code)

    def joined(match: re.Match[str]) -> str:
        alone = len(match[0]) == 1  # which Java writes so, where it is in a path
        return "?" if alone else match[0].encode("utf-16", "surrogatepass").decode("utf-16")

    return _HALVES.sub(joined, _ESCAPE.sub(letter, text))


def _listed(text: str) -> tuple[str, ...]:
    return tuple(entry.strip() for entry in text.split(",") if entry.strip())
