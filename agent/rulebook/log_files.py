"""Log patterns: which lines of which file count, and under which labels."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import re2

from agent.model import LogPattern
from agent.rulebook.alert_files import LABEL_NAME
from agent.yaml_marks import Complaints, Form, Node, Scalar, Wrong, shape_of, shaped
from agent.yaml_marks.readers import text

MAX_LABELS = 5  # each is a dimension of a counter
_NAME = re.compile(r"[a-z][a-z0-9_]{0,80}")


def read_logs(trees: Iterable[Node], complaints: Complaints) -> tuple[LogPattern, ...]:
    """Every pattern of these files; a name may stand once, as it names the counter."""
    patterns: dict[str, LogPattern] = {}
    for tree in trees:
        for form, pattern in read_patterns(Form(tree, "a log pattern file", complaints)):
            first = patterns.setdefault(pattern.name, pattern)
            if first is not pattern and pattern.name:
                message = f"duplicate pattern {pattern.name!r}: the first is at {first.place}"
                form.complain(message, key="name")
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
    )
    form.close()
    return pattern


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
    options = re2.Options()
    options.log_errors = False
    options.max_mem = 1 << 20
    try:
        groups = re2.compile(pattern, options).groupindex
    except re2.error as e:
        message = e.args[0].decode(errors="replace") if isinstance(e.args[0], bytes) else str(e)
        part = message.rpartition(": ")[2]  # RE2 names the part that it does not know
        at = pattern.find(part) if part and isinstance(node, Scalar) else -1
        place = node.place_of(at) if at >= 0 and isinstance(node, Scalar) else None
        raise Wrong(f"not RE2: {message}", None, place, len(part)) from None
    bad = [name for name in groups if not LABEL_NAME.fullmatch(name) or name.startswith("__")]
    if bad:
        raise Wrong(f"the group {bad[0]!r} is no label name", "letters, digits and _ only")
    if len(groups) > MAX_LABELS:
        raise Wrong(f"{len(groups)} named groups; at most {MAX_LABELS} labels", "use (?:...) for the others")
    return pattern
