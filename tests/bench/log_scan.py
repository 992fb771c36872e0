"""What the search of log files costs: the shipped patterns, from file to counters, beside other searchers.

Targets: 1 GB/s a core over an 85 MB server.log, twice grep and 200 times mtail; in a storm 300 MB/s.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from debian_tools import fetched
from log_lines_like_kafka import write

from agent.model import LogPattern
from agent.rulebook import read
from agent.sources.log_counters import Counters
from agent.sources.log_evidence import Evidence
from agent.sources.log_finders import Finder, finders, re2_finder
from agent.sources.log_fragments import Lore
from agent.sources.log_marks import Tally
from agent.sources.log_patterns import Scanner
from agent.sources.log_scan_copy import copy_of
from agent.sources.log_scan_literals import LiteralFinder
from agent.sources.log_scan_re2 import SeparateFinder
from agent.sources.log_trail import Trail

_ROOT = Path(__file__).parents[2]
RULES = _ROOT / "rules"
MB = 1_000_000
FILES = {"server.log": (85 * MB, 0.005), "storm.log": (21 * MB, 0.3)}
FIRST = {"re2": 20 * MB, "literals": 20 * MB, "mtail": 5 * MB, "fail2ban-regex": 2 * MB}  # for the slow ones
ROUNDS = 20  # of ours, in one process: the least is what it costs, the others met somebody else's work
TEXTS = "aho-corasick"  # from file to counters, as the peers count
BACK = "read back"  # the same, of a file that was read from its disk: its pages in memory are larger ones
SHOWN = "evidence"  # and the last lines of each series kept for `ottla why`, as the agent does
ONCE = "once"  # with start and compiling, as the peers are measured
ALONE = "alone"  # the search of what is in memory already: below this nothing of ours can get


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one search: seconds of processor time, the peak of resident memory, and the lines found."""

    cpu: float
    peak_kib: int
    lines: int
    note: str = ""


def main() -> None:
    """The table for both files, with a line where counts differ."""
    print(
        "CPU of `once` and of the peers is with their start and compiling; of ottla the least of"
        f" {ROUNDS} rounds of reading in a running process, by re2 and by literals one such round"
    )
    with tempfile.TemporaryDirectory(prefix="ottla-bench-") as folder:
        for name, (wanted, hot) in FILES.items():
            path = Path(folder, name)
            write(path, wanted, hot)
            size = path.stat().st_size
            print(f"{len(patterns())} patterns, {name} of {size / MB:.1f} MB, {hot:.1%} hot records")
            _table(path)


def _table(path: Path) -> None:
    wanted: Sequence[tuple[str, str]] = (
        *(("ottla, to counters", TEXTS), ("ottla, from disk once", BACK), ("ottla, with evidence", SHOWN)),
        ("ottla, its search alone", ALONE),
        *(("ottla, re2", "re2"), ("ottla, literals", "literals")),
        ("ottla, once", ONCE),
        *(("LC_ALL=C grep -E -f", "grep"), ("mtail", "mtail"), ("fail2ban-regex", "fail2ban-regex")),
    )
    truth: dict[int, int] = {}
    print(f"  {'':22}{'searched':>10}{'CPU':>10}{'MB/s':>10}{'peak RSS':>12}{'lines found':>13}")
    for label, way in wanted:
        part = _beginning(path, FIRST.get(way))
        size = part.stat().st_size
        if size not in truth:
            truth[size] = _ours(part, TEXTS).lines
        cost = _ours(part, way) if label.startswith("ottla") else _peer(way, part)
        if cost is None:
            print(f"  {label:22}{'not installed, and apt-get cannot fetch it':>40}")
            continue
        differs = "" if cost.lines == truth[size] else f"  differs: ottla finds {truth[size]:,}"
        print(
            f"  {label:22}{size / MB:7.1f} MB{cost.cpu:8.2f} s{size / cost.cpu / MB:10.1f}"
            f"{cost.peak_kib / 1024:8.1f} MiB{cost.lines:13,}{differs}{cost.note}"
        )


def _beginning(path: Path, size: int | None) -> Path:
    """The file, or another of its first whole lines."""
    if size is None or size >= path.stat().st_size:
        return path
    part = path.with_suffix(f".{size}")
    if not part.exists():
        data = path.read_bytes()[:size]
        part.write_bytes(data[: data.rfind(b"\n") + 1])
    return part


def _read_back(path: Path) -> Path:
    """A copy that is on its disk only."""
    other = path.with_suffix(".back")
    with other.open("wb") as file:
        file.write(path.read_bytes())
        file.flush()
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    return other


def patterns() -> Sequence[LogPattern]:
    """All that are shipped for the logs of the broker."""
    return tuple(p for p in read([RULES], {}).book.logs if p.file != "kmsg")


def _ours(path: Path, engine: str) -> Cost:
    """A process of its own, as its peak of memory is wanted."""
    words = [sys.executable, __file__, str(_read_back(path) if engine == BACK else path), engine]
    found = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (_ROOT, _ROOT / "tests")))}
    done = subprocess.run(words, capture_output=True, text=True, check=True, env=found)
    return Cost(**json.loads(done.stdout))


def _search(path: Path, engine: str) -> Cost:
    """From the file's bytes to the counters, as the agent does it."""
    found = patterns()
    began = time.process_time()
    scanner = Scanner(found, partial(_slow, engine) if engine in ("re2", "literals") else finders)
    if engine == ALONE:
        return _search_alone(path, scanner)
    made = time.process_time() - began
    best, counters = 1e9, Counters(found, {})
    for _ in range(ROUNDS if engine in (TEXTS, BACK, SHOWN) else 1):
        counters, evidence = Counters(found, {}), Evidence() if engine == SHOWN else None
        began = time.process_time()
        _read(path, scanner, counters, evidence)
        best = min(best, time.process_time() - began)
    if engine == ONCE:
        best = time.process_time()
    lines = sum(v for (name, _), v in counters.values.items() if name in {p.lines_metric for p in found})
    peak = _peak_kib(os.getpid())
    ways = "+".join(finder.name for finder in scanner.finders)
    return Cost(best, peak, int(lines), f"  ({ways}; compiled in {made * 1000:.0f} ms)")


def _slow(engine: str, regexes: Sequence[str], _lore: Lore) -> tuple[Finder, ...]:
    """One of the other two ways, and what it cannot do."""
    copies = {n: copy_of(regex) for n, regex in enumerate(regexes)}
    literal = {n: c for n, c in copies.items() if c.literals}
    one = re2_finder(copies) if engine == "re2" else LiteralFinder(literal)
    left = {n: regex for n, regex in enumerate(regexes) if n not in one.numbers}
    return (one, SeparateFinder(left)) if left else (one,)


def _search_alone(path: Path, scanner: Scanner) -> Cost:
    """Of the same chunks, by the first finder, without reading and counting."""
    trail, chunks, best, found = Trail(str(path), [], Tally()), list[bytes](), 1e9, 0
    trail.look(0)
    while (lines := trail.take()) is not None:
        chunks.append(lines)
    trail.close()
    scanner.count(chunks[0], Counters(scanner.patterns, {}))  # by which it learns what is rare in this log
    for _ in range(ROUNDS):
        began = time.process_time()
        each = [scanner.finders[0].find(chunk) for chunk in chunks]
        best = min(best, time.process_time() - began)
        found = sum(len(ends) for one in each for ends in one.values())
    return Cost(best, _peak_kib(os.getpid()), found, f"  ({scanner.finders[0].name}; the file is in memory)")


def _read(path: Path, scanner: Scanner, counters: Counters, evidence: Evidence | None) -> None:
    trail = Trail(str(path), [], Tally())
    trail.look(0)
    while _slice(trail, scanner, counters, evidence, str(path)):
        pass
    trail.close()


def _slice(trail: Trail, scanner: Scanner, counters: Counters, evidence: Evidence | None, path: str) -> bool:
    """A function, as in the agent: its lines are forgotten before the next ones are read."""
    if (lines := trail.take()) is None:
        return False
    scanner.count(lines, counters, evidence, path)
    return True


def _peer(way: str, path: Path) -> Cost | None:
    folder = Path(path.parent, way)
    folder.mkdir(exist_ok=True)
    words, environment = {"grep": _grep, "mtail": _mtail, "fail2ban-regex": _fail2ban}[way](folder, path)
    if not words:
        return None
    output = folder / "output"
    with output.open("w") as file:
        process = subprocess.Popen(words, stdout=file, stderr=file, env={**os.environ, **environment})
        peak = done = 0
        while not done:
            peak = max(peak, _peak_kib(process.pid))
            time.sleep(0.01)
            done, _, usage = os.wait4(process.pid, os.WNOHANG)
        process.returncode = 0
    return Cost(usage.ru_utime + usage.ru_stime, peak, _counted(way, output.read_text()))


Command = tuple[Sequence[str | Path], Mapping[str, str]]


def _grep(folder: Path, path: Path) -> Command:
    """Extended regular expressions know no named groups, \\d and lazy repetitions."""
    texts = [_without_names(p.regex, "(").replace(r"\d", "[0-9]").replace("*?", "*") for p in patterns()]
    (folder / "patterns").write_text("\n".join(texts) + "\n")
    return ("grep", "-c", "-E", "-f", folder / "patterns", path), {"LC_ALL": "C"}


def _mtail(folder: Path, path: Path) -> Command:
    """One counter a pattern, with its groups as labels."""
    program = fetched("mtail", "usr/bin/mtail")
    lines = []
    for pattern in patterns():
        names = [name for name in _names(pattern) if name not in {pattern.counts, pattern.sets}]
        lines.append(f"counter {pattern.name}" + (f" by {', '.join(names)}" if names else ""))
        keys = "".join(f"[${name}]" for name in names)
        lines.append(f"/{pattern.regex.replace('/', chr(92) + '/')}/ {{\n  {pattern.name}{keys}++\n}}")
    (folder / "patterns.mtail").write_text("\n".join(lines) + "\n")
    if program is None:
        return (), {}
    return (program, "--one_shot", "--one_shot_format=prometheus", "--progs", folder, "--logs", path), {}


def _fail2ban(folder: Path, path: Path) -> Command:
    program = fetched("fail2ban", "usr/bin/fail2ban-regex")
    # It wants someone to ban: the first letter, as whatever has a slash is an address to it.
    texts = [rf"^(?=\W*(?P<fid>\w)).*?(?:{_without_names(p.regex, '(?:')})" for p in patterns()]
    (folder / "filter.conf").write_text("[Definition]\nfailregex = " + "\n            ".join(texts) + "\n")
    if program is None:
        return (), {}
    library = program.parents[2] / "usr/lib/python3/dist-packages"
    return ("/usr/bin/python3", program, path, folder / "filter.conf"), {"PYTHONPATH": str(library)}


def _peak_kib(pid: int) -> int:
    """Of its own program: what getrusage says is at least that of the process which started it."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next((int(line.split()[1]) for line in lines if line.startswith("VmHWM")), 0)


def _names(pattern: LogPattern) -> list[str]:
    return [piece.partition(">")[0] for piece in pattern.regex.split("(?P<")[1:]]


def _without_names(regex: str, opened: str) -> str:
    first, *others = regex.split("(?P<")
    return (first + "".join(opened + piece.partition(">")[2] for piece in others)).replace("(?:", opened)


def _counted(way: str, output: str) -> int:
    """What the peer says it found; -1 where it does not say."""
    words = output.split()
    if way == "grep":
        return int(words[-1])
    if way == "mtail":
        return sum(int(line.rpartition(" ")[2]) for line in output.splitlines() if 'prog="' in line)
    return next((int(words[at - 1]) for at, word in enumerate(words) if word.startswith("matched")), -1)


if __name__ == "__main__":
    cost = _search(Path(sys.argv[1]), sys.argv[2])
    print(json.dumps({"cpu": cost.cpu, "peak_kib": cost.peak_kib, "lines": cost.lines, "note": cost.note}))
