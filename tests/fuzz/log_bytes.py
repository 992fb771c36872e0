"""Any bytes of log files, searched for any patterns."""

from __future__ import annotations

import re2
from hypothesis import given
from hypothesis import strategies as st
from log_lines import LINES, regexes

from agent.model import LogPattern, Place
from agent.sources.log_counters import Counters
from agent.sources.log_evidence import Evidence
from agent.sources.log_patterns import Scanner

_QUIET = re2.Options()
_QUIET.log_errors = False


@given(st.lists(regexes(), min_size=1, max_size=5), st.binary(max_size=6000) | LINES.map(b"\n".join))
def log_bytes(texts: list[str], data: bytes) -> None:
    """Each pattern counts the lines in which RE2 finds it, and every kept line can be shown."""
    patterns = [LogPattern(f"p{n}", "*", text, "", Place("logs.yml", n, 1)) for n, text in enumerate(texts)]
    counters, evidence = Counters(patterns, {}), Evidence()
    Scanner(patterns).count(data, counters, evidence, "server.log")
    lines = data.removesuffix(b"\n").split(b"\n") if data else []
    for pattern in patterns:
        compiled = re2.compile(pattern.regex, _QUIET)
        counted = sum(count for (name, _), count in counters.values.items() if name == pattern.lines_metric)
        assert counted == sum(compiled.search(line.lstrip(b"\0")) is not None for line in lines), (
            pattern.regex
        )
        assert bool(evidence.of({pattern.lines_metric})) == (counted > 0)
