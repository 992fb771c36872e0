"""Cores of other releases: copies of ours under another name, without what our fold version brought, or with
what the next one may bring."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import agent.control

Texts = Mapping[str, tuple[tuple[str, str], ...]]  # file → what stands there once, what stands in its place
OURS: Texts = MappingProxyType({})

BEFORE: Texts = {
    "bodies.py": (
        ("FOLD = 2 ", "FOLD = 1 "),
        ('{("claim", "plan"): 2}', "{}"),
        ('                "plan": array(fields({"resource": _WORDS, "key": _WORDS}), MAX_PLAN),\n', ""),
    ),
}
NEXT: Texts = {
    "bodies.py": (
        ("FOLD = 2 ", "FOLD = 3 "),
        ('{("claim", "plan"): 2}', '{("claim", "plan"): 2, ("beat", "mood"): 3, ("cede", ""): 3}'),
        (
            "array(_NAME, MAX_FIRING)}),\n",
            'array(_NAME, MAX_FIRING)}, {"mood": flag}),\n        "cede": fields({"to": _NAME}),\n',
        ),
    ),
    "table.py": (('        "leave": Rule(', '        "cede": Rule((), s.leave),\n        "leave": Rule('),),
}


class Core:
    """The fold of one release."""

    def __init__(self, name: str, folder: Path, texts: Texts = OURS) -> None:
        self._package = _copied(name, folder, texts) if texts else "agent.control"
        self.newest: int = self._module("bodies").FOLD
        self.state: Any = self._module("state").State()
        self.void: str | None = None

    def _module(self, name: str) -> Any:
        return importlib.import_module(f"{self._package}.{name}")

    def take(self, logged: object) -> None:
        """One record more."""
        self.state, verdict = self._module("fold").fold(self.state, logged)
        self.void = verdict.void


def _copied(name: str, folder: Path, texts: Texts) -> str:
    package = folder / name
    package.mkdir()
    for file in Path(agent.control.__file__).parent.glob("*.py"):
        text = file.read_text()
        for old, new in texts.get(file.name, ()):
            assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {file.name}"
            text = text.replace(old, new)
        (package / file.name).write_text(text.replace("agent.control", name))
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    return name
