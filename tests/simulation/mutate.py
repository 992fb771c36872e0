"""Plays schedules on a mutant: a copy of our code with one rule taken out."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import json
import logging
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from simulation.daemon_mutants import MUTANTS
from simulation.mutants import Mutant
from simulation.schedules import seeds_of

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
OURS = ("agent", "simulation")
FEW = 16  # schedules in which a mutant is sought beside the kept one
SURVIVES = "**survives**"


class NotOnce(Exception):
    """A mutant's text does not stand exactly once in the file."""


def changed(mutant: Mutant) -> dict[str, str]:
    """The files that it changes, by name. Raises NotOnce."""
    texts: dict[str, str] = {}
    for path, old, new in (*mutant.release, *mutant.changes):
        text = texts.get(path) or _source(path).read_text()
        if text.count(old) != 1:
            raise NotOnce(f"{mutant.name}: {old!r} stands {text.count(old)} times in {path}")
        texts[path] = text.replace(old, new)
    return texts


def _source(path: str) -> Path:
    return (ROOT if path.startswith("agent/") else HERE.parent) / path


@contextlib.contextmanager
def copied(mutant: Mutant) -> Iterator[Path]:
    """A folder with the mutant's code."""
    texts = changed(mutant)
    with tempfile.TemporaryDirectory(prefix="ottla-mutant-") as name:
        folder = Path(name)
        whole = {path.rpartition("/")[0] for path in texts}
        (folder / "agent").mkdir()
        for entry in (ROOT / "agent").iterdir():
            where = folder / "agent" / entry.name
            shutil.copytree(entry, where) if f"agent/{entry.name}" in whole else where.symlink_to(entry)
        if "simulation" in whole:
            shutil.copytree(HERE, folder / "simulation")
        else:
            (folder / "simulation").symlink_to(HERE)
        for path, text in texts.items():
            (folder / path).write_text(text)
        yield folder


def found(mutant: Mutant, seeds: Iterable[int]) -> tuple[int, str] | None:
    """The first of these seeds in which an invariant is broken, and how; else how one of them failed
    otherwise, which shows nothing. Plays them in a child process."""
    with copied(mutant) as folder:
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(read)
            try:
                os.write(write, json.dumps(_search(folder, seeds)).encode())
            finally:
                os._exit(0)
        os.close(write)
        with os.fdopen(read, "rb") as pipe:
            answer = json.loads(pipe.read() or b'[-1, "the process died"]')
        os.waitpid(child, 0)
    return (answer[0], answer[1]) if answer else None


def _search(folder: Path, seeds: Iterable[int]) -> list[object] | None:
    logging.disable(logging.CRITICAL)
    for name in [name for name in sys.modules if name.partition(".")[0] in OURS]:
        del sys.modules[name]
    sys.path.insert(0, str(folder))
    play = importlib.import_module("simulation.play").play
    schedule_of = importlib.import_module("simulation.written").schedule_of
    fold = importlib.import_module("agent.control.fold")
    assert str(fold.__file__).startswith(str(folder)), "the mutant is not what is played"
    failed: list[object] | None = None
    for seed in seeds:
        try:
            violation = play(schedule_of(seed)).violation
        except Exception as error:  # noqa: BLE001 - a mutant may do anything
            violation = f"died: {error!r}"
        if invariant(violation or ""):
            return [seed, violation]
        if violation:
            failed = failed or [seed, violation]
    return failed


def invariant(violation: str) -> str:
    """The one that it names, as `I1`; empty where something else went wrong. I5 does not count: a patch that
    cannot run breaks it, too, where it stops an agent."""
    named = re.match(r"(I[1-46-9]): ", violation)
    return named[1] if named else ""


def kept() -> Iterator[tuple[Mutant, int, str]]:
    """Each mutant, the schedule that finds it, and how (by no invariant where it survives): the kept one, or,
    since any change of our code may shift what happens in it, one of the first few of its set."""
    for mutant in MUTANTS:
        seeds = [mutant.seed or 0, *seeds_of(mutant.faults, FEW)]
        seed, how = found(mutant, seeds) or (0, "")
        if any(found(less, [seed]) for less in without_a_part(mutant)):
            how = "less than that breaks it, too"
        yield mutant, seed, how


def without_a_part(mutant: Mutant) -> Iterator[Mutant]:
    """Its release alone, and what is left of it without each of its changes where only all together count."""
    if mutant.release:
        yield replace(mutant, changes=())
    if mutant.whole:
        for one in mutant.changes:
            yield replace(mutant, changes=tuple(other for other in mutant.changes if other is not one))


def table() -> Iterator[str]:
    """Of all mutants, as Markdown."""
    yield "| taken out | in section 10 | changed | faults | schedule | what it breaks |"
    yield "|---|---|---|---|---|---|"
    for mutant, seed, how in kept():
        row = "yes" if mutant.row else ""
        told = f"{invariant(how)}{mutant.remark}" if invariant(how) else f"{SURVIVES} {how}".strip()
        yield f"| {mutant.name} | {row} | {mutant.where} | {mutant.faults} | {seed} | {told} |"


def main() -> int:
    """The exit code: 1 where a mutant survives its kept schedule."""
    parser = argparse.ArgumentParser(description="rules taken out of our code, one by one")
    parser.add_argument("names", nargs="*", help="of mutants for which a schedule is sought")
    parser.add_argument("--most", type=int, default=60, help="schedules of the mutant's set of faults")
    parser.add_argument("--table", action="store_true", help="each mutant's kept schedule, as Markdown")
    asked = parser.parse_args()
    if asked.table:
        lines = list(table())
        print("\n".join(lines))
        return int(any(SURVIVES in line for line in lines))
    for mutant in MUTANTS:
        if any(name in mutant.name for name in asked.names):
            print(mutant.name, "|", found(mutant, seeds_of(mutant.faults, asked.most)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
