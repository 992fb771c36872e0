"""A real journal without room for one entry more; the configuration of an agent that no broker answers."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent import journal
from agent.config import Config, load
from agent.journal import Journal, JournalFailed
from agent.model import Entry, Kind

CONFIG = """\
bootstrap_servers: ["127.0.0.1:1"]
jolokia: {{url: "http://127.0.0.1:1/jolokia"}}
rules: rules
broker: {{node_id: 1, log_dirs: ["{folder}"]}}
state: state
socket: s
stop_file: stop
http: {{listen: "127.0.0.1:0"}}
"""


async def agent_without_room(folder: Path, monkeypatch: pytest.MonkeyPatch, *entries: Entry) -> Config:
    """Of an agent whose journal holds these, and others of itself until it is full. No broker answers it."""
    (folder / "rules").mkdir()
    (folder / "rules" / "alerts.yml").write_text("groups: []\n")
    (folder / "ottla.yml").write_text(CONFIG.format(folder=folder))
    monkeypatch.setattr(journal, "MAX_PAGES", 8)
    full = Journal(folder / "state")
    await full.open()
    await full.append(*entries)
    for size in (1_000, 0):
        with pytest.raises(JournalFailed, match="full"):
            await _fill(full, size)
    await full.close()
    return load(folder / "ottla.yml")


async def _fill(one: Journal, size: int) -> None:
    while True:
        await one.append(Entry(0, Kind.AGENT, size * "x"))
