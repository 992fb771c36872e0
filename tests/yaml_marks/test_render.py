"""Complaints as people, programs and GitHub read them."""

from __future__ import annotations

import json
import re

from agent.model import Place
from agent.yaml_marks import Complaint, Complaints, Severity, as_github, as_json, as_text
from agent.yaml_marks.complaints import MAX_COMPLAINTS

BAD = Complaint(Place("d/f.yml", 2, 7), "unknown key 'stesp'", "did you mean 'steps'?", "  x: {stesp: 1}", 5)


def test_text_shows_the_line_and_underlines_what_is_meant() -> None:
    """The first line is what editors and grep understand."""
    assert as_text([BAD]) == (
        "d/f.yml:2:7: unknown key 'stesp'; did you mean 'steps'?\n      x: {stesp: 1}\n          ^^^^^"
    )


def test_tabs_keep_the_underline_in_place_and_control_characters_do_not_reach_the_terminal() -> None:
    """A rule file must not be able to clear a screen."""
    bad = Complaint(Place("f", 1, 3), "m", None, "\t\x1bx", 1)
    assert as_text([bad]) == "f:1:3: m\n    \t·x\n    \t ^"


def test_a_very_long_line_is_shown_around_the_column() -> None:
    """A minified file has one line."""
    bad = Complaint(Place("f", 1, 5001), "m", None, "a" * 5000 + "!" + "b" * 5000, 1)
    _, line, underline = as_text([bad]).split("\n")
    assert len(line) < 130
    assert line[underline.index("^")] == "!"


def test_json_names_every_field() -> None:
    """For programs."""
    assert json.loads(as_json([BAD])) == [
        {
            "file": "d/f.yml",
            "line": 2,
            "column": 7,
            "width": 5,
            "severity": "error",
            "lint": None,
            "message": "unknown key 'stesp'",
            "hint": "did you mean 'steps'?",
        }
    ]


def test_github_annotations_escape_what_would_end_them() -> None:
    """Workflow commands: commas and colons in properties, percent and line ends everywhere."""
    bad = Complaint(Place("a,b:c.yml", 3, 4), "50% of\nit: bad")
    assert as_github([bad]) == "::error file=a%2Cb%3Ac.yml,line=3,col=4::50%25 of%0Ait: bad"


WARNED = Complaint(Place("f", 1, 1), "m", "h", "abc", 2, Severity.WARNING, "blind-here")


def test_what_is_no_error_says_so_and_a_lint_its_id() -> None:
    """The id is what docs/rules/ and `# ottla: allow` go by."""
    assert as_text([WARNED]) == "f:1:1: warning: m; h [blind-here]\n    abc\n    ^^"
    assert as_github([WARNED]) == "::warning file=f,line=1,col=1,title=blind-here::m; h"
    assert json.loads(as_json([WARNED]))[0]["severity"] == "warning"


def test_colours_are_there_when_asked_for_and_change_nothing_else() -> None:
    """Whoever prints takes them off where there is no terminal."""
    text = as_text([BAD, WARNED], colours=True)
    assert "\x1b[33m" in text
    assert re.sub(r"\x1b\[\d*m", "", text) == as_text([BAD, WARNED])


def test_no_control_character_of_a_file_reaches_the_terminal() -> None:
    """Neither by the message nor by the file's name."""
    assert "\x1b" not in as_text([Complaint(Place("a\x1bb", 1, 1), "no \x1b[2J", "\x07")])


def test_warnings_are_no_errors_and_never_crowd_them_out() -> None:
    """The limit is one of each severity."""
    complaints = Complaints()
    for line in range(MAX_COMPLAINTS + 9):
        complaints.take(Complaint(Place("f", line + 1, 1), "w", severity=Severity.NOTE))
    assert not complaints
    complaints.add(Place("g", 1, 1), "wrong")
    assert complaints
    assert [c.message for c in complaints.sorted()][-2:] == ["wrong", "and 9 more notes, not shown"]


def test_the_same_complaint_counts_once_and_too_many_are_counted() -> None:
    """An alias that is used twice is wrong once; a wrong file must not drown its reader."""
    complaints = Complaints()
    for _ in range(2):
        complaints.add(Place("f", 1, 1), "first")
    for line in range(MAX_COMPLAINTS + 9):
        complaints.add(Place("f", line + 2, 1), "more")
    found = complaints.sorted()
    assert len(found) == MAX_COMPLAINTS + 1
    assert found[-1].message == "and 10 more problems, not shown"
