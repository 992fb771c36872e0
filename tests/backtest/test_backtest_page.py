"""The page: one file that needs nothing else, with a mark for everything that happened."""

from __future__ import annotations

import re
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from shutil import which

import pytest
from past import MINUTE, Values, book, run
from rule_files import ALERTS, REMEDIES

from agent.backtest.page import page

D1, D2 = (f'host_log_dir_used_ratio{{path="/d{n}"}}' for n in (1, 2))
SWING: Values = ([0.9] * MINUTE * 30 + [0.5] * MINUTE * 30) * 4
REFUSING = REMEDIES + "    limits: {cooldown: 2h}\n"


def shown(tmp_path: Path, evil: str = "/d2") -> str:
    """Four times full, one drain and refusals for one dir; another is well."""
    series = {D1: SWING, f'host_log_dir_used_ratio{{path="{evil}"}}': [0.4] * len(SWING)}
    return page(run(book(tmp_path, alerts=ALERTS, remedies=REFUSING), series))


def test_every_fact_has_its_mark(tmp_path: Path) -> None:
    """Firing and pending intervals, actions, refusals, the threshold, a line a series."""
    text = shown(tmp_path)
    (plot,) = re.findall(r'<svg viewBox="0 0 960.*?</svg>', text, re.DOTALL)
    assert [len(re.findall(f'class="{kind}', plot)) for kind in ("f", "p", "act", "no", "t", "s ")] == [
        4,
        4,
        2,
        2,
        1,
        2,
    ]
    assert "firing from 2026-08-01 00:01:00 to 2026-08-01 00:30:00" in plot
    assert "would refuse drain_disk on /d1: cooldown" in plot


class Open(HTMLParser):
    """What a page would fetch or run, and whether its tags are closed."""

    def __init__(self) -> None:
        super().__init__()
        self.stack: list[str] = []
        self.bad: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note it."""
        names = {name for name, _ in attrs}
        if tag in ("script", "link", "img", "iframe", "object") or names & {
            "src",
            "style",
            "onclick",
            "onload",
        }:
            self.bad.append(tag)
        if tag != "meta":
            self.stack.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Closed by itself."""

    def handle_endtag(self, tag: str) -> None:
        """Must close the last one."""
        assert self.stack, tag
        assert self.stack.pop() == tag


def test_it_needs_nothing_and_runs_nothing(tmp_path: Path) -> None:
    """No script, no address; its policy allows its own style and nothing else."""
    text = shown(tmp_path)
    parser = Open()
    parser.feed(text)
    assert parser.bad == []
    assert parser.stack == []
    assert re.findall(r"(?:https?:)?//(?!/)[\w.-]+", re.sub(r"xmlns=\S+", "", text)) == []
    assert "default-src 'none'; style-src 'sha256-" in text


def test_what_comes_from_outside_is_text(tmp_path: Path) -> None:
    """Labels, expressions, annotations: nothing in them becomes part of the page."""
    text = shown(tmp_path, evil='</svg><script>alert(1)</script>&\\"')
    assert "<script" not in text
    assert "&lt;script&gt;" in text


def browsed(file: Path, folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    """What a browser makes of the page, and what it says on its console; it asks nobody outside."""
    words = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--v=0"]
    words += ["--no-first-run", "--disable-background-networking", "--disable-component-update"]
    words += ["--disable-sync", "--disable-quic", "--virtual-time-budget=1000"]
    words += ["--dump-dom", f"--user-data-dir={folder / 'profile'}", *more, file.as_uri()]
    return subprocess.run(words, capture_output=True, text=True, check=True, timeout=180)


@pytest.mark.skipif(which("chromium") is None, reason="chromium is not installed")
@pytest.mark.parametrize("dark", [False, True])
def test_a_browser_has_nothing_to_complain_of(tmp_path: Path, dark: bool) -> None:
    """No message on its console; as many marks as the page says; its style is applied."""
    file = tmp_path / "page.html"
    file.write_text(shown(tmp_path))
    done = browsed(file, tmp_path, *(["--force-dark-mode"] if dark else []))
    assert "CONSOLE" not in done.stderr, done.stderr
    assert done.stdout.count('class="f"') == 8  # four in the plot, four in the overview
    assert done.stdout.count('class="act"') == 2


@pytest.mark.skipif(which("chromium") is None, reason="chromium is not installed")
def test_a_style_that_the_policy_does_not_know_would_be_told(tmp_path: Path) -> None:
    """The test above means something."""
    file = tmp_path / "page.html"
    file.write_text(shown(tmp_path).replace("sha256-", "sha256-x"))
    done = browsed(file, tmp_path)
    assert "CONSOLE" in done.stderr
