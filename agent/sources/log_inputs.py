"""Everything that lines come from, read in turn: log files and their rotations, the journal, the kernel."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import copy
from fnmatch import fnmatch
from glob import glob, has_magic

import msgspec

from agent.sources.file_events import FileEvents
from agent.sources.log_feed import Feed
from agent.sources.log_marks import Mark, Tally
from agent.sources.log_trail import Trail

_log = logging.getLogger(__name__)

_FILES = 200


class Places(msgspec.Struct):
    """Up to where all was read."""

    watched: list[str] = []
    marks: dict[str, list[Mark]] = {}
    feeds: dict[str, str] = {}


class Inputs:
    """Tails `files` (paths or globs) and `feeds`. Every method but the properties may block."""

    def __init__(
        self, files: Sequence[str], feeds: Sequence[Feed], tally: Tally, window_ms: int | None
    ) -> None:
        self.failed: dict[str, str] = {}  # path or feed → why it could not be read last time
        self.at = "their folders"  # what is being read
        self.left_out = 0  # files beyond those that are watched at most
        self._files = tuple(files)
        self._feeds = tuple(feeds)
        self._tally = tally
        self._window_ms = window_ms
        self._places = Places()
        self._trails: dict[str, Trail] = {}
        self._events = FileEvents()

    def go_on(self, places: Places) -> Places:
        """From there, as far as it is of these."""
        for feed in self._feeds:
            feed.place = places.feeds.get(feed.key, "")
        feeds = {feed.key: feed.place for feed in self._feeds}
        self._places = Places(places.watched, places.marks, feeds) if self._files else Places([], {}, feeds)
        return self._places

    def places(self) -> Places:
        """Up to where all is read now; it does not change when more is."""
        self._trails = {p: trail for p, trail in self._trails.items() if trail.alive or p in self._files}
        marks = {path: [copy(mark) for mark in trail.marks] for path, trail in self._trails.items()}
        self._places = Places(list(self._files), marks, {feed.key: feed.place for feed in self._feeds})
        return self._places

    @property
    def descriptors(self) -> tuple[int, ...]:
        """One of them is readable when there is something new, but where files are polled."""
        return (*self._events.descriptors, *(fd for feed in self._feeds for fd in feed.descriptors))

    @property
    def polled(self) -> int:
        """Open files of which nobody tells when they grow."""
        return self._events.polled

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
        return len(self._trails) + len(self._feeds)

    def behind(self) -> int:
        """Bytes of files not yet read."""
        return sum(trail.behind() for trail in self._trails.values())

    def look(self, now: int) -> None:
        """Find the files, and what happened to each."""
        self.failed, self.at = {}, "their folders"
        self._events.drain()
        found = list(find(self._files, self._places.marks))
        for path, file in found[:_FILES]:
            if path not in self._trails:
                marks = self._places.marks.get(path, [] if file in self._places.watched else None)
                known = marks if marks is None else [copy(mark) for mark in marks]
                self._trails[path] = Trail(path, known, self._tally, self._window_ms)
        self._tell_left_out([path for path, _ in found[_FILES:] if path not in self._trails])
        self._look_at(self._trails, now)

    def _tell_left_out(self, paths: Sequence[str]) -> None:
        if paths and not self.left_out:
            words = "%d log files beyond the %d that are watched at most are left out, first %s"
            _log.warning(words, len(paths), _FILES, paths[0])
        self.left_out = len(paths)

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
                self.failed.pop(key, None)
            except OSError as error:
                self.failed[key] = str(error)
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
                self.failed[key] = str(error)
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


def find(files: Iterable[str], known: Iterable[str]) -> Iterator[tuple[str, str]]:
    """(path, which of `files` names it) of each file to tail, those in `known` even where they are gone.

    Rotated files belong to their live one's trail. Looks into folders.
    """
    found = {path: file for file in files for path in known if fnmatch(path, file)}
    for file in files:
        found |= dict.fromkeys(glob(file) if has_magic(file) else [file], file)  # noqa: PTH207 of any root
    for path, file in sorted(found.items()):
        if not any(path[:at] in found for at, letter in enumerate(path) if letter in ".-"):
            yield path, file
