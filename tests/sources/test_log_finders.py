"""Which engine searches, and what happens where it cannot."""

from __future__ import annotations

import platform
import sys
from pathlib import Path

import pytest

from agent.sources.log_finders import finders, hyperscan_finder, hyperscan_missing, re2_finder
from agent.sources.log_fragments import Lore
from agent.sources.log_scan_copy import TooMany, copy_of
from agent.sources.log_scan_re2 import SeparateFinder

MIB = 1 << 20


def cpuinfo(tmp_path: Path, flags: str) -> Path:
    path = tmp_path / "cpuinfo"
    path.write_text(f"processor\t: 0\nflags\t\t: {flags}\n")
    return path


@pytest.mark.skipif(platform.machine() != "x86_64", reason="another processor, other flags")
def test_a_processor_without_its_instructions_never_imports_hyperscan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would end the process with SIGILL, which nothing can catch."""
    monkeypatch.delitem(sys.modules, "agent.sources.log_scan_hyperscan", raising=False)

    assert hyperscan_finder({0: [b"ERROR "]}, cpuinfo(tmp_path, "fpu sse2 sse4_1 popcnt")) is None
    assert "agent.sources.log_scan_hyperscan" not in sys.modules
    assert hyperscan_missing(cpuinfo(tmp_path, "fpu sse2")) == "this processor has no popcnt and no sse4_2"
    assert hyperscan_missing(cpuinfo(tmp_path, "sse4_2 popcnt")) is None
    assert "not known" in (hyperscan_missing(tmp_path / "none") or "")


def test_where_hyperscan_is_not_installed_re2_searches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing else changes."""
    monkeypatch.delitem(sys.modules, "agent.sources.log_scan_hyperscan", raising=False)
    monkeypatch.setitem(sys.modules, "hyperscan", None)

    assert [finder.name for finder in finders(["ERROR", "WARN"], Lore())] == ["re2"]


def test_what_has_no_copy_is_searched_by_itself() -> None:
    """Flags inside the pattern, and what finds empty lines; what has no text that is long enough, by RE2."""
    regexes = ["ERROR", "a(?i)b", "^$", r"\pL", "a|ERROR"]
    ways = {finder.name: finder.numbers for finder in finders(regexes, Lore())}

    assert ways["re2, each by itself"] == {1, 2, 3}
    assert ways["re2"] in ({4}, {0, 4})


def test_too_many_patterns_for_one_automaton_are_searched_by_their_texts() -> None:
    """RE2 refuses an automaton that is too big."""
    many = {n: copy_of(f"text{n} \\d{{100}}") for n in range(20)}

    finder = re2_finder(many, memory=1 << 14)
    assert (finder.name, re2_finder(many).name) == ("literals", "re2")
    assert finder.find(b"nothing\ntext7 \n") == {7: [14]}


def test_a_line_is_reported_once_however_often_a_pattern_is_in_it() -> None:
    """A report costs more than the search of a line."""
    (finder,) = finders(["xxxy"], Lore())
    assert {n: len(places) for n, places in finder.find((b"xxxy" * 1000 + b"\n") * 3).items()} == {0: 3}


def test_the_texts_that_hyperscan_is_padded_with_are_never_reported() -> None:
    """Wherever they are, only the pattern's own line counts."""
    finder = hyperscan_finder({7: [b"ERROR x"]})
    chunk = b"".join(bytes((a, b)) * 4 for a in range(32) for b in range(32)) + b"\nERROR x\n"

    if finder is None:
        pytest.skip("hyperscan does not run here")
    assert finder.find(chunk) == {7: [len(chunk) - 1]}


def test_a_chunk_with_too_many_hits_is_refused_before_memory_grows() -> None:
    """It is searched in halves then: see Scanner."""
    fast = hyperscan_finder({n: [b"text", b"test"] for n in range(4)})
    if fast is None:
        pytest.skip("hyperscan does not run here")
    with pytest.raises(TooMany):
        fast.find(b"text\n" * (MIB // 2))
    assert sum(map(len, fast.find(b"test\n" * 1000).values())) == 4000


def test_each_by_itself_looks_at_lines_not_at_the_text() -> None:
    """`\\A` is a line's beginning."""
    assert SeparateFinder({3: r"\Aab$"}).find(b"ab\nxab\nab\n") != {}
