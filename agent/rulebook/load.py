"""Finds the rule files, reads them all and says everything that is wrong with them at once."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from stat import S_ISDIR, S_ISREG

from msgspec import Struct

from agent.model import ActionSpec, AlertRule, LogPattern, Place, RecordRule, Remedy, Rule
from agent.rulebook.alert_files import read_rules
from agent.rulebook.log_files import read_logs
from agent.rulebook.marks import Marks
from agent.rulebook.remedy_files import Known, read_remedies
from agent.yaml_marks import BadFiles, Complaints, Node, compose
from agent.yaml_marks.compose import MAX_BYTES

ALERTS, REMEDIES, LOGS = "alerts.yml", "remedies.yml", "logs.yml"
MAX_FILES = 500
MAX_DEPTH = 3  # folders below the one named
# What a folder of rules is hardly called: a link of this name that leads to nothing takes no rules along.
_NO_FOLDER: tuple[str, ...] = ("README", "LICENSE", "~", ".bak", ".new", ".old", ".orig", ".tmp")
_NO_FOLDER += (".json", ".md", ".py", ".rst", ".sh", ".toml", ".txt", ".yaml", ".yml")


class BadRules(BadFiles):
    """The rules cannot be used; `complaints` says why, sorted by place."""


class Rulebook(Struct, frozen=True):
    """All rules of a host. `digest` is the same wherever the same files stand, whatever the folder's name."""

    rules: tuple[Rule, ...]  # in the order of the files
    remedies: Mapping[str, Remedy]  # by the alert's name
    logs: tuple[LogPattern, ...]
    digest: str

    @property
    def alerts(self) -> tuple[AlertRule, ...]:
        """The alerting rules; a name may stand several times."""
        return tuple(rule for rule in self.rules if isinstance(rule, AlertRule))

    @property
    def records(self) -> tuple[RecordRule, ...]:
        """The recording rules."""
        return tuple(rule for rule in self.rules if isinstance(rule, RecordRule))

    def of_remedies(self) -> Iterator[str]:
        """The expressions of all remedies; `$label` stands in them where an alert fills it in."""
        for remedy in self.remedies.values():
            yield from remedy.unless
            yield from filter(None, (remedy.worse_if, *(s.verify.expr for s in remedy.steps if s.verify)))

    def expressions(self) -> Iterator[str]:
        """Every expression that may be evaluated: what they read is what the sources are asked for."""
        yield from (rule.expr for rule in self.rules)
        yield from self.of_remedies()


class Reading(Struct, frozen=True):
    """What could be read of some rule files, what is wrong with them, and where everything stands."""

    book: Rulebook
    complaints: Complaints
    marks: Marks


def load(paths: Sequence[Path], actions: Mapping[str, ActionSpec]) -> Rulebook:
    """Read every rule file in these folders (or these very files). Raises BadRules with all complaints."""
    reading = read(paths, actions)
    if reading.complaints:
        raise BadRules(reading.complaints.sorted())
    return reading.book


def read(paths: Sequence[Path], actions: Mapping[str, ActionSpec]) -> Reading:
    """As `load`, but what is wrong is left out of the book, for those who want to see the rest as well."""
    complaints = Complaints()
    digest = hashlib.sha256()
    trees: dict[str, list[Node]] = {ALERTS: [], REMEDIES: [], LOGS: []}
    unread = False
    for found, root in _files(paths, complaints):
        path = Path(found)
        kind = path.name if path.name in (REMEDIES, LOGS) else ALERTS  # a name of its own: for alerts
        name = path.name if path == root else path.relative_to(root).as_posix()
        data = _bytes(path, complaints)
        digest.update(f"{name}\0{len(data)}\0".encode() + data)
        node = compose(str(path), data, complaints)
        unread |= node is None and kind == ALERTS and bool(complaints)
        if node is not None:
            trees[kind].append(node)
    rules = read_rules(trees[ALERTS], complaints)
    known = Known(actions, None if unread else _by_name(rules))
    remedies = read_remedies(trees[REMEDIES], known, complaints)
    logs = read_logs(trees[LOGS], complaints)
    book = Rulebook(rules, remedies, logs, digest.hexdigest()[:16])
    return Reading(book, complaints, Marks(chain(*trees.values()), complaints.texts))


def rule_files(paths: Sequence[Path]) -> tuple[str, ...]:
    """The files that `load` would read, without reading them. No Paths: to make and to name one takes longer
    than to ask the disk for it, and a running agent asks all the time."""
    return tuple(path for path, _ in _files(paths, Complaints()))


def _by_name(rules: Iterable[Rule]) -> Mapping[str, Sequence[AlertRule]]:
    named: dict[str, list[AlertRule]] = {}
    for rule in rules:
        if isinstance(rule, AlertRule):
            named.setdefault(rule.name, []).append(rule)
    return named


def _files(paths: Sequence[Path], complaints: Complaints) -> Iterator[tuple[str, Path]]:
    """Each with the root that it is under, or is itself."""
    count = 0
    for root in paths:
        try:
            found = [str(root)] if root.is_file() else list(_below(str(root), 0, set()))
        except OSError as error:
            complaints.add(Place(str(error.filename or root), 1, 1), f"cannot be read: {error.strerror}")
            continue
        if not found:
            what = f"holds no {ALERTS}, {REMEDIES} or {LOGS}" if root.is_dir() else "is no file and no folder"
            complaints.add(Place(str(root), 1, 1), f"this {what}")
        for path in found:
            count += 1
            if count > MAX_FILES:
                complaints.add(Place(str(root), 1, 1), f"there are more than {MAX_FILES} rule files")
                return
            yield path, root


def _below(folder: str, depth: int, seen: set[tuple[int, int]]) -> Iterator[str]:
    """Rule files, by name in each folder. Dotted names are left out: a mounted ConfigMap keeps its old
    versions there.

    Asks the disk little: a running agent looks again all the time. `seen`: folders by device and inode.
    """
    if depth > MAX_DEPTH:
        return
    try:
        status = os.stat(folder)  # noqa: PTH116
    except FileNotFoundError:  # meanwhile
        return
    if not S_ISDIR(status.st_mode) or (status.st_dev, status.st_ino) in seen:
        return
    seen.add((status.st_dev, status.st_ino))
    with os.scandir(folder) as entries:
        children = sorted(entries, key=lambda entry: entry.name)
    for child in children:
        if child.name in (ALERTS, REMEDIES, LOGS):
            yield child.path  # whatever it is: nothing that is looked for is passed over
        elif child.name.startswith("."):
            continue
        elif child.is_dir():
            yield from _below(child.path, depth + 1, seen)
        elif depth < MAX_DEPTH and _lost_folder(child):
            yield child.path


def _lost_folder(child: os.DirEntry[str]) -> bool:
    """Whether it is a link that leads to nothing, and may have led to a folder of rules."""
    return (
        child.is_symlink() and not child.name.endswith(_NO_FOLDER) and not os.path.exists(child.path)  # noqa: PTH110
    )


def _bytes(path: Path, complaints: Complaints) -> bytes:
    try:
        with open(path, "rb", opener=_at_once) as file:
            if S_ISREG(os.fstat(file.fileno()).st_mode):
                return file.read(MAX_BYTES + 1)
            what = "this is no file"
    except IsADirectoryError:
        what = "this is a folder, and not a file"
    except FileNotFoundError as e:
        what = "this link leads to nothing" if path.is_symlink() else f"cannot be read: {e.strerror}"
    except OSError as e:
        what = f"cannot be read: {e.strerror}"
    complaints.add(Place(str(path), 1, 1), what)
    return b""


def _at_once(path: str, flags: int) -> int:
    """A pipe that nobody writes to would hang who opens it."""
    return os.open(path, flags | os.O_NONBLOCK)
