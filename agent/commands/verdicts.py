"""What tests came to: for people, for programs, and for the pages of a CI server (JUnit's XML)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any
from xml.etree import ElementTree as ET

from agent.model import Place
from agent.rehearsal.verdicts import Failure, Verdict

_SHOWN = 40  # lines of one difference
_NOT_XML = re.compile(r"[^\t\n\r\x20-\uD7FF\uE000-\uFFFD\U00010000-\U0010FFFF]")


def as_text(verdicts: Sequence[Verdict], seconds: float) -> str:
    """A line a file, what differs beneath it, and the sum."""
    lines = [line for file, own in groupby(verdicts, lambda v: v.file) for line in _file(file, list(own))]
    failed = sum(bool(verdict.failures) for verdict in verdicts)
    counts = f"{failed} failed, {len(verdicts) - failed} passed" if failed else "all passed"
    tests = "1 test" if len(verdicts) == 1 else f"{len(verdicts)} tests"
    return "\n".join([*lines, f"{tests}: {counts} in {seconds:.1f} s"])


def _file(file: str, verdicts: Sequence[Verdict]) -> Iterator[str]:
    failed = [verdict for verdict in verdicts if verdict.failures]
    yield f"FAIL {file}: {len(failed)} of {len(verdicts)}" if failed else f"ok   {file}: {len(verdicts)}"
    for verdict in failed:
        yield f"  {verdict.name}"
        for failure in verdict.failures:
            yield from (f"    {line}" for line in _failure(failure))


def _failure(failure: Failure) -> Iterator[str]:
    yield f"{failure.place}: {failure.what}{', expected (-) and got (+):' if failure.diff else ''}"
    yield from (f"  {line}" for line in failure.diff[:_SHOWN])
    if len(failure.diff) > _SHOWN:
        yield f"  and {len(failure.diff) - _SHOWN} more lines"


def as_plain(verdicts: Sequence[Verdict], seconds: float) -> dict[str, Any]:
    """Everything, as plain data."""
    failed = sum(bool(verdict.failures) for verdict in verdicts)
    return {
        "passed": len(verdicts) - failed,
        "failed": failed,
        "seconds": round(seconds, 3),
        "tests": [
            {
                "name": v.name,
                "kind": v.kind,
                **_place(v.place),
                "passed": not v.failures,
                "seconds": round(v.seconds, 3),
                "failures": [{**_place(f.place), "what": f.what, "diff": list(f.diff)} for f in v.failures],
            }
            for v in verdicts
        ],
    }


def as_junit(verdicts: Sequence[Verdict], seconds: float) -> str:
    """One suite a file, one case a test, as Jenkins, GitLab and GitHub's actions read it."""
    failed = sum(bool(verdict.failures) for verdict in verdicts)
    root = ET.Element("testsuites", tests=f"{len(verdicts)}", failures=f"{failed}", time=f"{seconds:.3f}")
    for file, group in groupby(verdicts, lambda v: v.file):
        own = list(group)
        count = sum(bool(v.failures) for v in own)
        suite = ET.SubElement(root, "testsuite", name=_clean(file), tests=f"{len(own)}", failures=f"{count}")
        for v in own:
            case = ET.SubElement(
                suite, "testcase", name=_clean(v.name), classname=v.kind, time=f"{v.seconds:.3f}"
            )
            for failure in v.failures:
                element = ET.SubElement(case, "failure", message=_clean(failure.what))
                element.text = _clean("\n".join(_failure(failure)))
    return ET.tostring(root, encoding="unicode", xml_declaration=True)


def _place(place: Place) -> dict[str, Any]:
    return {"file": place.file, "line": place.line, "column": place.column}


def _clean(text: str) -> str:
    return _NOT_XML.sub("·", text)
