"""The processes that an agent starts are those that docs/security.md tells of."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "security.md").read_text()
STARTED = {  # where: what the page calls it
    "sources/probing_process.py": "Python (3 MB)",
    "sources/broker_pid.py": "`systemctl show`",
    "sources/clock_offset.py": "`chronyc tracking`",
    "sources/journald.py": "`journalctl --follow`",
    "sources/keystores.py": "`keytool -list`",
}
STARTS = {
    "Popen", "run", "call", "check_call", "check_output", "create_subprocess_exec", "create_subprocess_shell",
    "system", "popen", "fork", "forkpty", "posix_spawn", "posix_spawnp",
}  # fmt: skip


def starts(path: Path) -> bool:
    """Whether a file starts a process: it calls what does so by its module's name, as our files do."""
    calls = [n.func for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Call)]
    named = [
        (f.value.id, f.attr) for f in calls if isinstance(f, ast.Attribute) and isinstance(f.value, ast.Name)
    ]
    return any(
        (module == "subprocess" and name in STARTS)
        or (module in ("os", "asyncio") and name in STARTS - {"run"})
        or (module == "os" and name.startswith(("exec", "spawn")))
        for module, name in named
    )


def test_what_an_agent_starts_is_on_the_page() -> None:
    agent = ROOT / "agent"
    found = {str(p.relative_to(agent)) for p in agent.rglob("*.py") if starts(p)}
    assert {name for name in found if not name.startswith(("lab/", "demo/"))} == set(STARTED)
    rows = [line.split("|")[1].strip() for line in PAGE.splitlines() if line.startswith("| ")]
    assert [told for told in STARTED.values() if not any(row.startswith(told) for row in rows)] == []
    assert "It starts five kinds of processes" in PAGE
    assert len(STARTED) == 5
