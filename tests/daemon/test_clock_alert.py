"""ClockNotSynchronised as an agent sees it: on a host without chrony, and with a chronyd that is dead."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from rule_files import SPECS

from agent.daemon.loop import Daemon
from agent.daemon.means import Means
from agent.daemon.sight import Sight
from agent.model import RuleHealth
from agent.rulebook import load
from agent.series import Series
from agent.sources import clock_offset
from agent.sources.clock_offset import ClockOffset
from agent.sources.kernel import Kernel
from agent.sources.schedule import Polling

RULES = Path(__file__).resolve().parents[2] / "rules/host"
EVERY = 15_000
_PLL, _NANO = 0x0001, 0x2000
ANSWERED, TRUSTED = "echo C0A80001,,4,$(($(date +%s)", ".5,0.0,0.0,0.0,0.0,0.0,0.0,0.1,0.1,0.0,Normal"


class Timesyncd:
    """adjtimex(2) where timesyncd had its last answer hours ago: the kernel trusts it still."""

    def adjtimex(self, clock: Any) -> int:
        clock._obj.status, clock._obj.maxerror = _PLL | _NANO, 5_000_000
        return 0


@pytest.mark.parametrize(
    ("chronyc", "fires", "health"),
    [
        (None, True, RuleHealth.OK),
        ("echo 506 Cannot talk to daemon; exit 1", True, RuleHealth.OK),
        (f"{ANSWERED} - 60)){TRUSTED}", False, RuleHealth.OK),
        (f"{ANSWERED} - 11000)){TRUSTED}", True, RuleHealth.OK),  # and never since: its servers are gone
        ("echo 501 Not authorised; exit 1", False, RuleHealth.FAILING),  # one that does not answer
    ],
)
async def test_it_fires_where_no_chrony_says_that_it_keeps_the_clock(
    chronyc: str | None, fires: bool, health: RuleHealth, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither is a blind spot, nor a source that fails."""
    monkeypatch.setattr(clock_offset, "_LIBC", Timesyncd())
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin" if chronyc else str(tmp_path))
    if chronyc:
        (tmp_path / "chronyc").write_text(f"#!/bin/sh\n{chronyc}\n")
        (tmp_path / "chronyc").chmod(0o755)

    now = 1_000_000
    sight = Sight(load([RULES], SPECS), Series(7_200_000), lambda: None, 1)
    sight.series.want(sight.windows)
    daemon = Daemon(cast(Means, SimpleNamespace(clock=lambda: now)), sight, unread=["kernel"])
    kernel = Kernel([ClockOffset()], EVERY)
    kernel.wanted = sight.names
    polling = Polling(kernel, lambda samples: daemon.take(samples, now), lambda: now)
    while now < 1_000_000 + 2_400_000:
        now += EVERY
        await polling.once()
    firing = {alert.rule for alert in sight.firing()}
    assert ("ClockNotSynchronised" in firing, sight.alerts.health("ClockNotSynchronised")) == (fires, health)
