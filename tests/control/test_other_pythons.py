"""I4 on every Python (coordination.md, invariants and section 2): each CPython that is found here folds the
same records, real ones, mutated ones and arbitrary bytes, to the same digests, states and verdicts."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections import Counter
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import pytest
from agents import World
from folded_elsewhere import answers

ROOT = Path(__file__).parent.parent.parent
OLDEST = int(
    tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"].removeprefix(">=3.")
)
OWN = sys.version_info[1]
OTHERS = [f"3.{minor}" for minor in range(OLDEST, max(OLDEST, OWN) + 4) if minor != OWN]
CACHE = Path(sys.prefix) / "other-pythons"  # it goes with the virtual environment when the lock changes
SHOWN = "import sys; print(sys.implementation.name, *sys.version_info[:2], getattr(sys, 'abiflags', ''))"
LOGS = int(os.environ.get("OTTLA_PYTHONS_LOGS", "2"))
STEPS = 1_500
ASIDE = 500
JSON_THAT_TEMPTS = [
    b"[" * 9 + b"]" * 9,
    b"[" * 100_000,
    b'{"x":' * 2_000 + b"1" + b"}" * 2_000,
    b'"' * 60_001,
    b"9" * 5_000,
    b"-" + b"9" * 19,
    b"-0",
    b"1e5",
    b"NaN",
    b"-Infinity",
    b'"\\ud800"',
    b'"\\ud83d\\ude00"',
    b'"\\u00e9"',
    "é".encode(),
    "٣".encode(),
    b'{"a":1,"a":1}',
    b"[1,]",
    b"\x00",
    b"",
    b"\xff\xfe",
    b"true",
]


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Seeded ones, as files."""
    folder = tmp_path_factory.mktemp("logs")
    files = []
    for seed in range(LOGS):
        world = World(seed)
        world.run(STEPS, lambda _: None)
        file = folder / f"{seed}.log"
        file.write_text("\n".join(json.dumps(line) for line in lines(world, Random(seed))))
        files.append(file)
    return files


@pytest.fixture(scope="module")
def ours(logs: list[Path]) -> list[str]:
    """What this Python makes of them."""
    return [line for file in logs for line in answers(file.read_text())]


def lines(world: World, random: Random) -> list[list[Any]]:
    """The whole log, then what stands beside it."""
    log = [[None, w.leader_epoch, w.at, w.value.hex()] for w in world.scribe.log]
    bodies = [json.loads(w.value) for w in world.scribe.log]
    aside = []
    for _ in range(ASIDE):
        at = random.randrange(1, len(world.states))
        kind = random.choice(["mixed", "mixed", "mixed", "byte", "bytes", "tempting"])
        raw = _beside(kind, world, bodies, at, random)
        aside.append([at, random.randrange(9), random.choice([0, 2**62, world.scribe.now]), raw.hex()])
    return log + aside


def _beside(kind: str, world: World, bodies: list[dict[str, Any]], at: int, random: Random) -> bytes:
    if kind == "bytes":
        return random.randbytes(random.randrange(60))
    if kind == "tempting":
        return random.choice(JSON_THAT_TEMPTS)
    if kind == "byte":
        raw = bytearray(random.choice(world.scribe.log).value)
        raw[random.randrange(len(raw))] = random.randrange(256)
        return bytes(raw)
    return _mixed(world, bodies, at, random)


def _mixed(world: World, bodies: list[dict[str, Any]], at: int, random: Random) -> bytes:
    """A real record, stamped for this place, some values of which are another's or gone."""
    value, other, state = *(json.loads(json.dumps(random.choice(bodies))) for _ in range(2)), world.states[at]
    value |= {"b": state.offset, "d": state.digest}
    if value["t"] not in ("genesis", "join") and state.sessions:
        session = random.choice(list(state.sessions.values()))
        value |= {"s": session.id, "a": session.agent, "n": session.n + 1}
    if value["t"] == "join":
        value["x"]["incarnation"] = state.incarnations.get(value["a"], 0) + 1
    if "id" in value["x"] and state.claims:
        claim = random.choice(list(state.claims.values()))
        value["x"] |= {"id": claim.id, "token": claim.token}
    if random.random() < 0.5 and (keys := [*value["x"], *other["x"]]):
        key = random.choice(keys)
        value["x"][key] = other["x"].get(key, random.choice([None, True, 1.5, -1, 10**30, "é\ud800", [], {}]))
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def python_of(version: str) -> str:
    """The interpreter of this minor version; skips where there is none."""
    name = f"python{version}"
    installed = sorted(Path.home().glob(f".pyenv/versions/*/bin/{name}"))
    for candidate in (shutil.which(name), *installed):
        if candidate is not None and _run([candidate, "-c", SHOWN]) == f"cpython 3 {version[2:]} \n":
            return str(candidate)
    pytest.skip(f"no CPython {version} here")


def _run(command: list[str | Path], **env: str) -> str:
    shown = subprocess.run(command, env={**os.environ, **env}, capture_output=True, text=True, check=False)
    return shown.stdout if shown.returncode == 0 else ""


def libraries_of(version: str) -> Path:
    """A folder with what agent/control needs, as it is locked; skips where this Python cannot have it."""
    locked = re.search(
        r"^(msgspec==(\S+) \\\n(?: .*\n)+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE
    )
    assert locked, "agent/control needs msgspec, and the lock does not have it"
    folder = CACHE / f"{version}-msgspec-{locked[2]}"
    if folder.exists():
        return folder
    work = CACHE / f"{folder.name}.{os.getpid()}"
    work.mkdir(parents=True)
    (work / "lock").write_text(locked[1])
    pip = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--require-hashes",
        "--retries",
        "1",
    ]
    wanted = ["--only-binary", ":all:", "--implementation", "cp", "--python-version", version]
    place = ["--target", str(work / "libraries"), "-r", str(work / "lock"), "--timeout", "10"]
    had = subprocess.run([*pip, *wanted, *place], capture_output=True, text=True, check=False)
    if had.returncode != 0:
        shutil.rmtree(work)
        pytest.skip(f"no msgspec for CPython {version} can be had: {had.stderr.strip().splitlines()[-1]}")
    with suppress(OSError):  # another run has made it meanwhile
        (work / "libraries").rename(folder)
    shutil.rmtree(work)
    assert folder.is_dir()
    return folder


@pytest.mark.parametrize("version", OTHERS)
def test_i4_every_cpython_comes_to_the_same_digests_states_and_verdicts(
    logs: list[Path], ours: list[str], version: str
) -> None:
    python, libraries = python_of(version), libraries_of(version)
    here = Path(__file__).parent
    path = os.pathsep.join(map(str, [libraries, here, ROOT]))
    env = {**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
    command: list[str | Path] = [python, here / "folded_elsewhere.py", *logs]
    shown = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=300)
    assert shown.returncode == 0, shown.stderr
    theirs = shown.stdout.splitlines()
    assert len(theirs) == len(ours)
    assert [(a, b) for a, b in zip(ours, theirs, strict=True) if a != b] == []


def test_the_records_that_are_compared_are_of_all_sorts(ours: list[str]) -> None:
    seen = Counter(line.split(" ", 2)[2].partition(":")[0] for line in ours)
    for what in (
        "None",
        "not JSON",
        "not canonical",
        "not printable ASCII",
        "too deep",
        "not an integer",
        "integer out of range",
        "not Unicode",
        "not a body of type claim",
        "stale, or from a history that was lost",
        "problem was handled",
        "not the token",
    ):
        assert seen[what] >= 3, f"{what}: {seen[what]}, of {seen}"
    assert seen["None"] > 300
