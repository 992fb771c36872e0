"""Log patterns: which lines of which file count, and under which labels."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import re2

from agent.model import LogPattern
from agent.rulebook.alert_files import LABEL_NAME
from agent.yaml_marks import Complaints, Form, Node, Scalar, Wrong, shape_of, shaped
from agent.yaml_marks.readers import positive, text

MAX_LABELS = 5  # each is a dimension of a counter
MAX_SERIES = 1_000  # of one pattern, whatever its max_series says
_NAME = re.compile(r"[a-z][a-z0-9_]{0,80}")


def read_logs(trees: Iterable[Node], complaints: Complaints) -> tuple[LogPattern, ...]:
    """Every pattern of these files; a name may stand once, as it names the counter."""
    patterns: dict[str, LogPattern] = {}
    metrics: dict[str, LogPattern] = {}
    for tree in trees:
        for form, pattern in read_patterns(Form(tree, "a log pattern file", complaints)):
            first = patterns.setdefault(pattern.name, pattern)
            if first is not pattern and pattern.name:
                message = f"duplicate pattern {pattern.name!r}: the first is at {first.place}"
                form.complain(message, key="name")
                continue
            for metric in filter(None, (pattern.lines_metric, pattern.value_metric)):
                if (other := metrics.setdefault(metric, pattern)) is not pattern:
                    form.complain(
                        f"its metric {metric} is also that of {other.name!r}", "rename it", key="name"
                    )
    return tuple(patterns.values())


def read_patterns(file: Form) -> Iterator[tuple[Form, LogPattern]]:
    """The patterns of one file, each with where it stands."""
    for form in file.forms("patterns", "a pattern"):
        yield form, _pattern(form)
    file.close()


def _pattern(form: Form) -> LogPattern:
    pattern = LogPattern(
        name=form.get("name", _name, "", required=True),
        file=form.get("file", _file, "", required=True),
        regex=form.get("regex", _regex, "", required=True),
        help=form.get("help", text, ""),
        place=form.place,
        counts=form.get("counts", text, ""),
        sets=form.get("sets", text, ""),
        max_series=form.get("max_series", _max_series, 100),
    )
    if pattern.regex:
        _check_groups(form, pattern)
    form.close()
    return pattern


def _check_groups(form: Form, pattern: LogPattern) -> None:
    groups = groups_of(pattern.regex)
    for key, group in (("counts", pattern.counts), ("sets", pattern.sets)):
        if group and group not in groups:
            known = ", ".join(sorted(groups)) or "none"
            form.complain(f"{key}: {group!r} is no named group of the regex", f"its groups: {known}", key=key)
    if pattern.counts and pattern.sets:
        form.complain("a pattern counts or sets, not both", "make it two patterns", key="sets")
    number = pattern.counts or pattern.sets
    if len(groups) > MAX_LABELS + (number in groups):
        message = f"{len(groups)} named groups; at most {MAX_LABELS} labels"
        form.complain(message, "use (?:...) for the others", key="regex")


@shaped({"type": "integer", "minimum": 1, "maximum": MAX_SERIES})
def _max_series(node: Node) -> int:
    number = positive(node)
    if number > MAX_SERIES:
        raise Wrong(
            f"{number:,} series of one pattern; at most {MAX_SERIES:,}", "leave out the label that varies"
        )
    return number


@shaped({"type": "string", "pattern": f"^(?!.*_total$){_NAME.pattern}$"})
def _name(node: Node) -> str:
    name = text(node)
    if not _NAME.fullmatch(name) or name.endswith("_total"):
        raise Wrong(
            f"{name!r} cannot be part of a metric's name", "like log_dir_failed: log_ and _total are added"
        )
    return name


@shaped({"type": "string", "pattern": "^(?=.*\\S)[^/]*$"})
def _file(node: Node) -> str:
    name = text(node)
    if "/" in name:
        raise Wrong(f"{name!r} has a folder in it", "the base name only, as in server.log or *gc*.log")
    return name


@shaped({**shape_of(text), "description": "RE2; named groups become labels"})
def _regex(node: Node) -> str:
    """RE2: a rule file must not be able to make the agent backtrack."""
    pattern = text(node)
    try:
        groups = groups_of(pattern)
    except re2.error as e:
        message = e.args[0].decode(errors="replace") if isinstance(e.args[0], bytes) else str(e)
        part = message.rpartition(": ")[2]  # RE2 names the part that it does not know
        at = pattern.find(part) if part and isinstance(node, Scalar) else -1
        place = node.place_of(at) if at >= 0 and isinstance(node, Scalar) else None
        raise Wrong(f"not RE2: {message}", None, place, len(part)) from None
    bad = [name for name in groups if not LABEL_NAME.fullmatch(name) or name.startswith("__")]
    if bad:
        raise Wrong(f"the group {bad[0]!r} is no label name", "letters, digits and _ only")
    return pattern


def groups_of(regex: str) -> frozenset[str]:
    """Its named groups; re2.error where it is not RE2."""
    options = re2.Options()
    options.log_errors = False
    options.max_mem = 1 << 20
    return frozenset(re2.compile(regex, options).groupindex)
