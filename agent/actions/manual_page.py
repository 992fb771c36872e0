"""docs/actions.md, in the actions' own words: `python -m agent.actions.manual_page > docs/actions.md`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import cast

from agent.actions import load, spec
from agent.model import ActionSpec, Argument, Blast, Parameter
from agent.quantities import Ratio, show_duration, show_size

_HEAD = """\
# Actions

What `do:` may name in a remedy, with the arguments that `with:` takes. Written from the actions' own
signatures and manuals by `python -m agent.actions.manual_page`; a test keeps the two the same.
"""
_SYNTAX = {
    "duration": "a duration, as `5m`",
    "size": "a size, as `50MiB`",
    "rate": "a rate, as `50MiB/s`",
    "ratio": "a ratio, as `0.75` or `75%`",
    "string": "text",
    "strings": "a list of texts",
    "integer": "a whole number",
    "boolean": "`true` or `false`",
}
_TAKES = {
    Blast.NOTHING: "nothing: no capacity goes to it",
    Blast.HOST: "capacity of its own host",
    Blast.CLUSTER: "something that the whole cluster sees",
    Blast.DISRUPTIVE: "a broker, or its leadership, away",
}
_SHOWN: dict[str, Callable[[Argument], str]] = {
    "duration": lambda value: show_duration(cast(int, value)),
    "size": lambda value: show_size(cast(int, value)),
    "rate": lambda value: f"{show_size(cast(int, value))}/s",
    "ratio": lambda value: f"{cast(Ratio, value):g}",
    "strings": lambda value: f"[{', '.join(cast('tuple[str, ...]', value))}]",
}


def page() -> str:
    """The whole page, in Markdown."""
    return "\n".join([_HEAD, *(section(spec(cls)) for cls in load().values())])


def section(one: ActionSpec) -> str:
    """One action: its manual, what the gate knows of it, and its arguments."""
    after = (
        "what it mended stays"
        if one.keeps
        else "it is undone at the end of its lease, or at once without one"
    )
    lines = [
        f"## {one.name}\n",
        one.manual + "\n",
        f"* takes {_TAKES[one.blast]}",
        f"* {'can be undone whole' if one.reversible else 'cannot be undone whole'}; after success {after}",
        f"* independent signals wanted: {one.corroborate}",
        *(
            [f"* proves nothing in `verify`, as it moves them itself: {_names(one.moves)}"]
            if one.moves
            else []
        ),
        "",
        "| argument | is | unless given |",
        "|---|---|---|",
        *(_row(p) for p in one.parameters),
    ]
    return "\n".join(lines) + "\n"


def _names(metrics: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in metrics)


def _row(parameter: Parameter) -> str:
    default = "must be given" if parameter.required else f"`{_show(parameter)}`"
    return f"| `{parameter.name}` | {_SYNTAX[parameter.kind]} | {default} |"


def _show(parameter: Parameter) -> str:
    value = parameter.default
    assert value is not None, "no action takes null"
    return _SHOWN.get(parameter.kind, str)(value)


if __name__ == "__main__":
    sys.stdout.write(page())
