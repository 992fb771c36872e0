"""The schema of remedies.yml: each action's own signature says what its `with:` takes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from agent.model import ActionSpec
from agent.rulebook.remedy_files import Known, read_file
from agent.rulebook.steps import ESCALATE
from agent.yaml_marks import Outline

Schema = dict[str, Any]
_ARGUMENT = re.compile(r"^\* `(\w+)`: (.*(?:\n  .*)*)", re.MULTILINE)


def remedies(actions: Mapping[str, ActionSpec]) -> Schema:
    """Of these actions."""
    schema = _outline(actions, {})
    step = _steps(schema)
    step["items"] = {
        "type": "object",
        "required": ["do"],
        "properties": {"do": step["items"]["properties"]["do"]},
        "allOf": [_if(name, _step(actions, name)) for name in (*actions, ESCALATE)],
    }
    return schema


def _outline(actions: Mapping[str, ActionSpec], answers: Mapping[str, Any]) -> Schema:
    outline = Outline("a remedy file", answers)
    list(read_file(outline, Known(actions, None)))
    return outline.schema()


def _steps(schema: Schema) -> Schema:
    steps: Schema = schema["properties"]["remedies"]["additionalProperties"]["properties"]["steps"]
    return steps


def _step(actions: Mapping[str, ActionSpec], name: str) -> Schema:
    """What the loader asks for in a step that does this, and what it says of leases."""
    step: Schema = _steps(_outline(actions, {"do": name}))["items"]
    spec = actions.get(name)
    if spec is None:
        return step
    if not spec.reversible:
        step["properties"]["lease"] = {"type": "null", "description": f"{name} cannot be undone"}
    elif not spec.keeps:
        step["required"] = [*step["required"], "lease"]
    step["description"] = spec.manual.split("\n\n", 1)[0]
    arguments = step["properties"]["with"]
    for argument in (arguments, *arguments.get("anyOf", ())):
        for key, words in _ARGUMENT.findall(spec.manual):
            if key in argument.get("properties", {}):
                argument["properties"][key]["description"] = " ".join(words.split())
    return step


def _if(name: str, then: Schema) -> Schema:
    return {"if": {"required": ["do"], "properties": {"do": {"const": name}}}, "then": then}
