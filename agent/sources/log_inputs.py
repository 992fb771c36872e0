"""Everything that lines come from, read in turn: log files and their rotations, the journal, the kernel."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from copy import copy
from glob import has_magic

import msgspec
from msgspec.structs import replace

from agent.sources.file_events import FileEvents
from agent.sources.log_choice import QUIET_MS, chosen, written
from agent.sources.log_feed import Feed
from agent.sources.log_globs import is_text, named, shown, to_tail, would_name
from agent.sources.log_left_out import LeftOut, Marks
from agent.sources.log_marks import Tally
from agent.sources.log_trail import Trail

_log = logging.getLogger(__name__)

_FILES = 200
_ABSENT_MS = 300_000  # so long a path may name nothing: a broker that starts makes its logs one by one


class Places(msgspec.Struct):
    """Up to where all was read; None: that is forgotten. Of what `watched` names, a file that is not among
    `marks` is new."""

    watched: list[str] = []
    marks: dict[str, Marks] = {}
    feeds: dict[str, str] = {}


class Inputs:
    """Tails `files` (paths or globs) and `feeds`. Every method but the properties may block."""

    def __init__(
        self, files: Sequence[str], feeds: Sequence[Feed], tally: Tally, window_ms: int | None
    ) -> None:
        self.failed: dict[str, str] = {}  # path, glob or feed → why it could not be read last time
        self.at = "their folders"  # what is being read
        self._files = tuple(files)
        self._feeds = tuple(feeds)
        self._tally = tally
        self._window_ms = window_ms
        self._places = Places()
        self._trails: dict[str, Trail] = {}
        self._left = LeftOut(_FILES, tally, window_ms)
        self._events = FileEvents()
        self._told: dict[str, str] = {}  # what had failed up to the look before
        self._empty: dict[str, int] = {}  # paths and globs that name no file, and since when
        self._unlisted: set[str] = set()  # globs of which it was never seen what they name

    def go_on(self, places: Places) -> Places:
        """From there, as far as it is of these."""
        for feed in self._feeds:
            feed.place = places.feeds.get(feed.key, "")
        feeds = {feed.key: feed.place for feed in self._feeds}
        self._places = Places(places.watched, places.marks, feeds) if self._files else Places([], {}, feeds)
        return self._places

    def places(self) -> Places:
        """Up to where all is read now; it does not change when more is."""
        kept = [path for path, trail in self._trails.items() if trail.may_return or self._is_watched(path)]
        self._trails = {path: self._trails[path] for path in kept}
        marks: dict[str, Marks] = {path: trail.kept for path, trail in self._trails.items()}
        marks |= self._left.saved
        watched = [file for file in self._files if file not in self._unlisted]
        self._places = Places(watched, marks, {feed.key: feed.place for feed in self._feeds})
        return replace(self._places, watched=[file for file in watched if file not in self._left.unsaved])

    @property
    def descriptors(self) -> tuple[int, ...]:
        """One of them is readable when there is something new, but where files are polled."""
        return (*self._events.descriptors, *(fd for feed in self._feeds for fd in feed.descriptors))

    @property
    def polled(self) -> int:
        """Open files of which nobody tells when they grow."""
        return self._events.polled

    @property
    def left_out(self) -> int:
        """Files beyond those that are watched at most, though they are written to."""
        return self._left.count

    @property
    def restless(self) -> bool:
        """Whether names are just changing, so that one may have been missed."""
        return any(trail.restless for path, trail in self._trails.items() if path not in self.failed)

    @property
    def names(self) -> tuple[str, ...]:
        """What patterns know each by."""
        return tuple(name for _, name, _ in self._each(self._trails))

    @property
    def count(self) -> int:
        """How many files and feeds there are."""
        return sum(map(self._is_watched, self._trails)) + len(self._feeds)

    def _is_watched(self, path: str) -> bool:
        return path in self._files or self._trails[path].alive

    def behind(self) -> int:
        """Bytes of files not yet read."""
        return sum(trail.behind() for trail in self._trails.values())

    def look(self, now: int) -> None:
        """Find the files, and what happened to each."""
        self._told, self.failed, self.at = self.failed, {}, "their folders"
        self._events.drain()
        found = dict(to_tail({file: self._named(file, now) for file in self._files}))
        new = {path: file for path, file in found.items() if path not in self._trails}
        for path in self._chosen(new, now):
            marks = self._marks(path, found[path])
            self._trails[path] = Trail(path, marks, self._tally, self._window_ms)
        self._look_at(self._trails, now)

    def _marks(self, path: str, file: str) -> Marks:
        """What is known of one that `file` names, as a Trail takes it."""
        marks = self._places.marks.get(path, [] if file in self._places.watched else None)
        marks = self._left.pop(path, marks)
        return marks and [copy(mark) for mark in marks]

    def _chosen(self, new: Mapping[str, str], now: int) -> Collection[str]:
        """Those of the `new` files for which there is room, or is made."""
        room = _FILES - len(self._trails)
        if len(new) <= room:
            self._left.unsaved = frozenset()
            self._left.tell([])
            return new
        at = written([*new, *self._trails])
        read = [path for path, trail in self._trails.items() if not trail.behind()]
        watched, quiet = chosen(new, read, room, at)
        soon = set(watched)
        there = (path for path in new.keys() - soon if at[path])
        left = {path: new[path] for path in sorted(there, key=lambda path: (at[path], path))}
        fresh = {path: self._marks(path, left[path]) for path in left if path not in self._left}
        missed = (path for path in new.keys() - soon - left.keys() if path not in self._left)
        away = {path: marks for path in missed if (marks := self._places.marks.get(path))}
        self._left.add(fresh | away, now)
        for path in quiet:
            self._left.retire(self._trails.pop(path), path)
        self._left.shorten(lambda path: bool(at.get(path, self.failed)), soon, left, now)
        self._left.tell(sorted(path for path in left if at[path] > now - QUIET_MS))
        return watched

    def _named(self, file: str, now: int) -> set[str]:
        """The paths that it names, those with marks even where they are gone or cannot be listed."""
        paths = {path for path in self._places.marks if would_name(file, path)}
        try:
            paths.update(path for path in named(file) if self._may_be_told(path))
            self._unlisted.discard(file)
        except FileNotFoundError:
            pass  # its folder may come, as a file may
        except OSError as error:
            self._fail(file, error)
            self._unlisted |= {file} - {*self._places.watched}
        if has_magic(file):
            self._note_empty(file, not paths and file not in self.failed, now)
        return paths

    def _may_be_told(self, path: str) -> bool:
        if not is_text(path):
            self._fail(shown(path), OSError("its name is not UTF-8"))
            return False
        return True

    def _fail(self, key: str, error: OSError) -> None:
        why = str(error)
        if why not in (self._told.get(key), self.failed.get(key)):
            _log.warning("%s cannot be read: %s", key, why)
        self.failed[key] = why

    def _note_empty(self, file: str, empty: bool, now: int) -> None:
        if not empty:
            self._empty.pop(file, None)
            return
        if file not in self._empty:
            _log.warning("%s names no file", file)
        self._empty[file] = min(self._empty.get(file, now), now)  # the clock may have been set back

    def _check_exists(self, key: str, each: Trail | Feed, now: int) -> None:
        """OSError where a path that is spelt out has named nothing for long, as a misspelt one does. What was
        renamed and not made again yet is known by its rotated files, and a glob may name none."""
        if not isinstance(each, Trail) or key not in self._files:
            return
        self._note_empty(key, not each.is_there, now)
        if now - self._empty.get(key, now) >= _ABSENT_MS:
            raise FileNotFoundError("there is no such file")

    def glance(self, now: int) -> None:
        """Notice what happened since to the files that are known, where anything tells that something did."""
        if self._events.drain():
            self._look_at(self._trails, now)
        else:
            self._look_at({p: trail for p, trail in self._trails.items() if not trail.settled}, now)

    def _look_at(self, trails: Mapping[str, Trail], now: int) -> None:
        for key, _, each in self._each(trails):
            self.at = key
            try:
                each.look(now)
                self._check_exists(key, each, now)
                self.failed.pop(key, None)
            except OSError as error:
                self._fail(key, error)
        every = self._trails.values()
        self._events.follow(
            (file for trail in every for file in trail.files), {f for trail in every for f in trail.folders}
        )

    def take(self) -> Iterator[tuple[str, bytes]]:
        """The next piece of each, with its name: whole lines, perhaps none. Nothing where all is read."""
        for key, name, each in list(self._each(self._trails)):
            self.at = key
            try:
                lines = each.take()
            except OSError as error:
                self._fail(key, error)
                continue
            if lines is not None:
                yield name, lines

    def close(self) -> None:
        """Close all; `places` stay."""
        for _, _, each in self._each(self._trails):
            each.close()
        self._events.close()

    def _each(self, trails: Mapping[str, Trail]) -> Iterator[tuple[str, str, Trail | Feed]]:
        """Each with its key, and the name that patterns know it by."""
        yield from ((path, path, trail) for path, trail in trails.items())
        yield from ((feed.key, feed.name, feed) for feed in self._feeds)
