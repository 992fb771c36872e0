"""The structure is a promise: layers, purity, names, imports."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.version import VERSION

ROOT = Path(__file__).parent.parent
AGENT = ROOT / "agent"
LAYERS = {
    "model": 1,
    "version": 1,
    "lone_thread": 1,
    "early_hang_up": 1,
    "server_properties": 1,
    "families": 2,
    "quantities": 1,
    "regex_parts": 1,
    "name_lookups": 2,
    "promql": 2,
    "proposal": 2,
    "wire": 2,
    "yaml_marks": 2,
    "templates": 3,
    "series": 3,
    "rulebook": 3,
    "history": 3,
    "alerts": 4,
    "decide": 4,
    "gate": 4,
    "verify": 4,
    "control": 4,
    "report": 4,
    "lints": 4,
    "explain": 5,
    "surface": 4,
    "stop_file": 5,
    "deadman": 5,
    "kafka": 5,
    "control_topic": 6,
    "journal": 6,
    "sources": 6,
    "actions": 6,
    "web": 6,
    "lab": 6,
    "recording": 7,
    "daemon": 7,
    "backtest": 8,
    "config": 8,
    "demo": 8,
    "rehearsal": 8,
    "assembly": 9,
    "schemas": 9,
    "recovery": 10,
    "commands": 11,
    "cli": 12,
    "__main__": 13,
}
PURE = (
    "model",
    "quantities",
    "regex_parts",
    "promql",
    "proposal",
    "templates",
    "wire",
    "series",
    "history",
    "alerts",
    "decide",
    "gate",
    "verify",
    "control",
    "report",
    "lints",
)
LOCKS = {"series": {"threading"}}  # queries read it from other threads: a lock is neither clock nor I/O
IMPURE = {
    "asyncio",
    "socket",
    "time",
    "random",
    "os",
    "pathlib",
    "logging",
    "subprocess",
    "threading",
    "sqlite3",
    "aiohttp",
}
BANNED = {"utils", "util", "manager", "core", "base", "types", "signal", "http", "common", "helpers", "misc"}
LAZY = {"boto3", "temporalio", "jinja2", "pydantic", "rich"}


def files() -> list[Path]:
    """Every module of the package."""
    return sorted(AGENT.rglob("*.py"))


def part(path: Path) -> str:
    """The layer's name that a file belongs to."""
    inner = path.relative_to(AGENT)
    return inner.parts[0] if len(inner.parts) > 1 else inner.stem


def imports(path: Path) -> Iterator[tuple[str, bool]]:
    """Modules named by a file's imports, and whether the import stands at the top."""
    tree = ast.parse(path.read_text())
    top = set(map(id, tree.body))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, id(node) in top
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: absolute imports only"
            inner = [f"{node.module}.{alias.name}" for alias in node.names]
            modules = [name for name in inner if is_module(name)]
            for name in modules if len(modules) == len(inner) else [node.module, *modules]:
                yield name, id(node) in top


@pytest.mark.parametrize("path", files(), ids=lambda p: str(p.relative_to(AGENT)))
def test_imports_point_down(path: Path) -> None:
    """A module imports its own part and lower layers only; parts of one layer are strangers."""
    own = part(path)
    if own == "__init__":
        return
    for name, _ in imports(path):
        pieces = name.split(".")
        if pieces[0] != "agent" or len(pieces) < 2 or pieces[1] == own:
            continue
        assert pieces[1] in LAYERS, f"{pieces[1]} has no layer"
        assert LAYERS[pieces[1]] < LAYERS[own], f"{own} (layer {LAYERS[own]}) imports {name}"


@pytest.mark.parametrize("name", PURE)
def test_the_core_is_pure(name: str) -> None:
    """No clock, no I/O, no logging in the core: time is an argument."""
    for path in [AGENT / f"{name}.py", *(AGENT / name).rglob("*.py")]:
        if path.exists():
            found = {module.split(".")[0] for module, _ in imports(path)} & IMPURE - LOCKS.get(name, set())
            assert not found, f"{path} imports {found}"


def test_no_module_has_a_name_that_says_nothing() -> None:
    """Nor one that shadows the standard library."""
    assert not {p.stem for p in files()} & BANNED


def test_imports_stand_at_the_top() -> None:
    """But for the heavy ones that most hosts never need."""
    inner = [
        (str(path), name)
        for path in files()
        for name, top in imports(path)
        if not top and name.split(".")[0] not in LAZY
    ]
    # TYPE_CHECKING blocks and the command table's import_module are no function-level imports
    assert inner == []


def test_no_import_cycle_within_a_part() -> None:
    """Files inside one package may know each other, but not in a circle."""
    graph = {
        module(path): {n for n, _ in imports(path) if n.startswith("agent.")} & {module(p) for p in files()}
        for path in files()
    }
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, " → ".join((*trail, name))
        if name not in done:
            for other in graph[name] - {name}:
                visit(other, (*trail, name))
            done.add(name)

    for name in graph:
        visit(name, ())


def is_module(name: str) -> bool:
    """Whether a dotted name is a file or a package of ours."""
    path = ROOT.joinpath(*name.split("."))
    return path.is_dir() or path.with_suffix(".py").exists()


def module(path: Path) -> str:
    """The dotted name of a file."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


# What an agent is made of, and what few commands need.
WEIGHTS = {"numpy", "aiohttp", "aiokafka", "kio", "promql_parser", "re2", "ahocorasick_rs"}
PARTS = {"agent.daemon", "agent.sources", "agent.promql", "agent.kafka", "agent.assembly", "agent.recovery"}
OTHERS = {"agent.lab", "agent.demo", "agent.rehearsal", "agent.backtest", "agent.lints", "agent.explain"}
# Frozen dataclasses that stay, although each costs a millisecond when it is loaded: a field must not be shown
# or compared, or they are yet to become Structs.
DATACLASSES = {
    "agent.config.rule_files",
    "agent.config.settings",
    "agent.control.gossip",
    "agent.control.rule",
    "agent.control.times",
    "agent.control_topic.follower",
    "agent.control_topic.ports",
    "agent.control_topic.reader",
    "agent.kafka.bridge",
    "agent.kafka.connection",
    "agent.promql.nodes",
    "agent.sources.exposition_body",
    "agent.sources.exposition_http",
    "agent.sources.jolokia",
    "agent.sources.jolokia_attach",
    "agent.sources.log_scan_copy",
}


def test_the_daemon_loads_nothing_heavy() -> None:
    """boto3 alone would double the memory of an idle agent; nor what only other commands need."""
    unwanted = LAZY | {"jsonschema", "importlib.metadata", "prometheus_client", "http.server"} | OTHERS
    assert _loaded("agent.commands.run") & unwanted == set()


@pytest.mark.parametrize("command", ["answer", "fleet", "order", "read", "rules", "undo"])
def test_what_only_asks_an_agent_loads_none(command: str) -> None:
    """`ottla undo` in a hurry must not wait a second for parts that it does not need."""
    assert _loaded(f"agent.commands.{command}") & (LAZY | WEIGHTS | PARTS | OTHERS) == set()


def test_the_version_is_that_of_the_package() -> None:
    """It stands twice, so that nobody has to read the package's metadata to tell it."""
    said = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert said == VERSION


def test_modules_are_loaded_by_name_in_one_place() -> None:
    """So that what may be loaded late is what a command is made of, and nothing else."""
    found = {module(path) for path in files() if "import_module" in path.read_text()}
    whole_folders = {"agent.actions", "agent.lab.faults"}  # each of their files is an action, a fault
    optional = {"agent.sources.log_finders"}  # aho-corasick, which is not built for every machine
    assert found - whole_folders - optional == {"agent.commands.loading"}


def test_the_daemon_makes_no_more_dataclasses() -> None:
    """A frozen dataclass writes and compiles six methods when it is loaded, a Struct none."""
    code = (
        "import agent.commands.run;"
        "ours = [m for n, m in sys.modules.items() if n.startswith('agent')];"
        "made = {c for m in ours for c in vars(m).values() if isinstance(c, type)};"
        "ways = [(c, vars(c).get('__dataclass_params__')) for c in made];"
        "print(*{c.__module__ for c, way in ways if way and way.frozen})"
    )
    assert set(_told(code).split()) - DATACLASSES == set(), "make them msgspec.Struct, frozen=True"


def _loaded(name: str) -> set[str]:
    """What is loaded with a module, by the first names and the first two."""
    code = f"import {name}; print(*{{'.'.join(m.split('.')[:n]) for m in sys.modules for n in (1, 2)}})"
    return set(_told(code).split())


def _told(code: str) -> str:
    """As installed: kio imports hypothesis where it is."""
    code = f"import sys; sys.modules['hypothesis'] = None; {code}"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout
