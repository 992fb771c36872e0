"""Rule files for tests: written to a folder, and the complaints that they cause."""

from __future__ import annotations

from pathlib import Path

from agent.actions import load as load_actions
from agent.actions import spec
from agent.rulebook import BadRules, load

SPECS = {name: spec(cls) for name, cls in load_actions().items()}

ALERTS = """\
groups:
  - name: disk
    rules:
      - alert: LogDirFillingUp
        expr: host_log_dir_used_ratio > 0.85
        for: 1m
"""

REMEDIES = """\
owner: sre
remedies:
  LogDirFillingUp:
    mode: act
    target: path
    steps:
      - do: drain_disk
        with: {log_dir: $path, until_used_ratio: 0.75, rate: 50MiB/s}
        verify: {expr: 'host_log_dir_used_ratio{path="$path"} < 0.80', within: 2h}
      - do: escalate
"""


def write(folder: Path, **files: str) -> Path:
    """`alerts=`, `remedies=` and `logs=` as a folder of rules."""
    domain = folder / "disk"
    domain.mkdir(exist_ok=True)
    for name, text in files.items():
        (domain / f"{name}.yml").write_bytes(text.encode(errors="surrogatepass"))
    return folder


def complaints(folder: Path) -> list[str]:
    """What is wrong, with places relative to the folder; nothing where all is well."""
    try:
        load([folder], SPECS)
    except BadRules as bad:
        return [str(c).replace(f"{folder}/", "") for c in bad.complaints]
    return []
