"""`# ottla: allow <id>: <reason>`: a comment that switches a lint off for one rule; Prometheus ignores it."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from agent.model import Place
from agent.rulebook import Marks, Rulebook
from agent.rulebook.marks import Entry
from agent.yaml_marks import Complaint, Severity, closest

_COMMENT = re.compile(r"(?:^|\s)(#\s*ottla:.*)$")
_ALLOW = re.compile(r"#\s*ottla:\s*allow\s+(?P<id>[\w-]+)\s*(?::\s*(?P<reason>.*))?")
_UNREADABLE = ("this says nothing to ottla", "write it like `# ottla: allow blind-here: <why>`")
_LINT = "allow"  # the id of what is said about these comments themselves


@dataclass(frozen=True, slots=True)
class Allow:
    """One comment: the lint that it switches off, and the lines of the rule that it stands at, if any."""

    place: Place
    id: str
    width: int
    entry: Entry | None

    def covers(self, complaint: Complaint) -> bool:
        """Whether it is meant for this one."""
        place = complaint.place
        return (
            self.entry is not None
            and complaint.lint == self.id
            and place.file == self.place.file
            and self.entry.first <= place.line <= self.entry.last
        )


def allowed(
    book: Rulebook, marks: Marks, complaints: Iterable[Complaint], known: Collection[str]
) -> Iterator[Complaint]:
    """The complaints that no comment allows, and what is wrong with the comments."""
    read = tuple(_read(book, marks, known))
    allows = [each for each in read if isinstance(each, Allow)]
    used: set[Allow] = set()
    for complaint in complaints:
        covering = [allow for allow in allows if allow.covers(complaint)]
        used.update(covering)
        if not covering:
            yield complaint
    yield from (each for each in read if isinstance(each, Complaint))
    for allow in allows:
        if allow not in used:
            why = "nothing here is found by it" if allow.entry else "it stands at no rule"
            hint = "remove it" if allow.entry else "write it on the rule, or in the lines right above it"
            message = f"this allows {allow.id}, and {why}"
            yield Complaint(allow.place, message, hint, "", allow.width, Severity.NOTE, _LINT)


def _read(book: Rulebook, marks: Marks, known: Collection[str]) -> Iterator[Allow | Complaint]:
    places = [rule.place for rule in (*book.rules, *book.remedies.values(), *book.logs)]
    entries: dict[str, list[Entry]] = {}
    for place, width, text in _comments(marks):
        match = _ALLOW.fullmatch(text)
        problem = _problem(match, known)
        if match is None or problem is not None:
            message, hint = problem or _UNREADABLE
            yield Complaint(place, message, hint, "", width, Severity.ERROR, _LINT)
            continue
        if place.file not in entries:
            entries[place.file] = [marks.entry(p) for p in places if p.file == place.file]
        yield Allow(place, match["id"], width, _entry(place, entries[place.file], marks.lines[place.file]))


def _problem(match: re.Match[str] | None, known: Collection[str]) -> tuple[str, str] | None:
    if match is None:
        return _UNREADABLE
    if match["id"] not in known:
        hint = closest(match["id"], known) or f"lints: {', '.join(sorted(known))}"
        return f"there is no lint {match['id']!r}", hint
    if not match["reason"]:
        return "an allow needs a reason", f"write it like `# ottla: allow {match['id']}: <why>`"
    return None


def _comments(marks: Marks) -> Iterator[tuple[Place, int, str]]:
    for file, lines in marks.lines.items():
        for number, line in enumerate(lines, 1):
            match = _COMMENT.search(line) if "ottla:" in line else None
            if match:
                place = Place(file, number, match.start(1) + 1)
                if not marks.within_text(place):
                    yield place, len(match[1].rstrip()), match[1].rstrip()


def _entry(place: Place, entries: Iterable[Entry], lines: list[str]) -> Entry | None:
    """The rule on whose lines the comment stands, or which begins right below it and other comments."""
    below = place.line
    if lines[below - 1].lstrip().startswith("#"):
        while below < len(lines) and lines[below - 1].lstrip().startswith("#"):
            below += 1
    for entry in entries:
        if entry.first <= place.line <= entry.last or entry.first == below:
            return entry
    return None
