"""`ottla fleet` as people run it: what it shows, and that each order reaches the agent as it was meant."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner
from fake_surface import FakeSurface
from test_ask_and_order import folder, ottla, surface  # noqa: F401  fixtures

from agent.commands import show_fleet
from agent.commands.fleet import fleet
from agent.control.overview import overview
from agent.control.state import Claim, ClaimState, Pause, Session, State
from agent.control.times import BUDGETS, LAB, Budget
from agent.web.client import Agent, Rejected
from agent.web.server import Server

NOW = 1_790_000_000_000


def session(number: int) -> Session:
    """Of broker `number`."""
    agent, host = f"broker-{number}", f"host-{number}"
    return Session(10 + number, agent, host, "", "0.1.0", 2, "", 0, 4, 40 + number, NOW - 1_000)


def claim(number: int, state: ClaimState, scope: str) -> Claim:
    """One of broker 1, or queued by broker 2."""
    who = 2 if state is ClaimState.QUEUED else 1
    return Claim(
        id=number,
        epoch=0,
        stamp=number,
        agent=f"broker-{who}",
        holder=f"broker-{who}",
        session=10 + who,
        kind="throttle",
        scopes=(scope,),
        problem=f"p{number}",
        host="",
        priority=5,
        why="too slow",
        limit=None,
        queued=0,
        token=number,
        at=NOW - 5_000,
        state=state,
    )


STATE = State(
    offset=50,
    epoch=0,
    clock=100_000,
    time=NOW,
    log="log-1",
    version=2,
    params=LAB.params(),
    budgets={**BUDGETS, "quota": Budget(1)},
    pauses={"kind:drain": Pause(True, 160_000, "disks are exchanged", "ann")},
    sessions={11: session(1), 12: session(2), 13: session(3)},
    claims={
        41: claim(41, ClaimState.DIRTY, "quota"),
        44: claim(44, ClaimState.QUEUED, "quota"),
        45: claim(45, ClaimState.STUCK, "rebuild"),
    },
    voids={"not JSON": 3},
)


@pytest.fixture
async def agent(folder: Path, surface: FakeSurface) -> AsyncIterator[Server]:  # noqa: F811  the fixtures
    """A live agent at `folder`/s."""
    surface.fleet.state = STATE
    server = Server(surface, listen="127.0.0.1:0", path=folder / "s", state=folder)
    await server.start()
    yield server
    await server.close()


async def test_the_fleet_at_a_glance(agent: Server, folder: Path) -> None:  # noqa: F811
    ran = await ottla("fleet", "--socket", folder / "s")
    out = ran.out

    assert (ran.code, ran.err) == (1, ""), "a claim is stuck and a pause stands"
    assert "\x1b" not in out
    assert "! claim 45 (throttle of broker-1) is stuck: look at it, then ottla fleet resolve 45" in out
    assert out.count("0.1.0, folds up to 2") == 3
    assert "  41  dirty since 2026-09-21 14:13:15 of broker-1: throttle (quota): too slow" in out
    assert "    waits: quota is held by broker-1 since offset 41" in out
    assert "  kind:drain until 2026-09-21 14:14:20, by ann: disks are exchanged" in out
    assert "  quota       1 of 1      1 queued" in out
    assert "  3 not JSON" in out


async def test_for_programs_it_is_what_the_api_answers(agent: Server, folder: Path) -> None:  # noqa: F811
    address = (folder / "http.address").read_text().strip()
    ran = await ottla("fleet", "-o", "json", "--agent", f"http://{address}")
    told: dict[str, Any] = json.loads(ran.out)

    assert {key: told[key] for key in overview(STATE)} == json.loads(json.dumps(overview(STATE)))
    assert told["agent"] == "broker-2"


async def test_a_well_fleet_is_exit_code_0_and_silence_3(
    agent: Server,
    folder: Path,  # noqa: F811
    surface: FakeSurface,  # noqa: F811
) -> None:
    surface.fleet.state = State(log="log-1", time=NOW, params=LAB.params())
    ran = await ottla("fleet", "--fresh", "--socket", folder / "s")
    assert (ran.code, ran.err) == (0, "")
    assert surface.orders == [("fresh",)]
    await agent.close()
    ran = await ottla("fleet", "--socket", folder / "s")
    assert (ran.code, ran.out) == (3, "")
    assert "`ottla control status` reads the control topic itself" in ran.err


REASON = ("--reason", "game day")


@pytest.mark.parametrize(
    ("words", "taken"),
    [
        (
            ("pause", "*", "--for", "90s"),
            ("pause", {"on": True, "selector": "*", "for": 90}, "game day", None),
        ),
        (
            ("pause", "kind:a", "--expect", "-1"),
            ("pause", {"on": True, "selector": "kind:a", "for": 0}, "game day", -1),
        ),
        (("resume", "*"), ("pause", {"on": False, "selector": "*", "for": 0}, "game day", None)),
        (
            ("budget", "restart", "--rate", "3/24h"),
            ("budget", {"scope": "restart", "cap": None, "rate": 3, "window": 86_400_000}, "game day", None),
        ),
        (
            ("budget", "quota", "--cap", "0", "--rate", "0"),
            ("budget", {"scope": "quota", "cap": 0, "rate": 0, "window": 0}, "game day", None),
        ),
        (
            ("params", "w=30s", "adoptions=3"),
            ("params", {"values": {"w": 30_000, "adoptions": 3}}, "game day", None),
        ),
        (("resolve", "41.1", "--expect", "7"), ("resolve", {"claim": "41.1"}, "game day", 7)),
        (("raise",), ("raise", {"to": None}, "game day", None)),
    ],
)
async def test_each_order_reaches_the_agent_with_who_gave_it(
    agent: Server,
    folder: Path,  # noqa: F811
    surface: FakeSurface,  # noqa: F811
    words: tuple[str, ...],
    taken: tuple[object, ...],
) -> None:
    ran = await ottla("fleet", *words, *REASON, "--socket", folder / "s")

    assert (ran.code, ran.err) == (0, "")
    assert "(offset 41)" in ran.out
    (order,) = surface.orders
    assert order[:4] == taken
    assert "(uid " in str(order[4])


async def test_a_refusal_is_exit_code_1_in_words(
    agent: Server,
    folder: Path,  # noqa: F811
    surface: FakeSurface,  # noqa: F811
) -> None:
    surface.refusal = "somebody changed it meanwhile, at offset 7"
    ran = await ottla("fleet", "resume", "*", *REASON, "--socket", folder / "s")
    assert (ran.code, ran.err) == (1, f"Error: {surface.refusal}\n")


@pytest.mark.parametrize(
    ("name", "order", "said"),
    [
        ("pause", {"selector": "*"}, "missing required field `reason`"),
        ("pause", {"selector": "*", "reason": " "}, "an order to the fleet needs a reason"),
        ("pause", {"selector": "*", "reason": "x" * 513}, "length <= 512"),
        ("pause", {"selector": "*", "reason": "r", "for_s": 7 * 86_400 + 1}, "<= 604800"),
        ("pause", {"selector": "*", "reason": "r", "for": 60}, "unknown field `for`"),
        ("budget", {"scope": "quota", "reason": "r", "cap": -1}, ">= 0"),
        ("budget", {"scope": "quota", "reason": "r", "cap": True}, "Expected `int | null`, got `bool`"),
        ("params", {"values": {"w": 1.5}, "reason": "r"}, "Expected `int`, got `float`"),
        ("resolve", {"claim": 41, "reason": "r"}, "Expected `str`, got `int`"),
        ("fresh", {"reason": "r"}, "unknown field"),
    ],
)
async def test_a_body_that_is_no_order_reaches_nobody(
    agent: Server,
    folder: Path,  # noqa: F811
    surface: FakeSurface,  # noqa: F811
    name: str,
    order: dict[str, Any],
    said: str,
) -> None:
    with pytest.raises(Rejected, match=re.escape(said)):
        await asyncio.to_thread(Agent(folder / "s").post, f"fleet/{name}", **order)
    assert surface.orders == []


async def test_over_tcp_nobody_orders_the_fleet(agent: Server, folder: Path, surface: FakeSurface) -> None:  # noqa: F811
    client = Agent(f"http://{(folder / 'http.address').read_text().strip()}")
    assert (await asyncio.to_thread(client.get, "fleet"))["log"] == "log-1"
    for name, order in (("pause", {"selector": "*", "reason": "r"}), ("fresh", {})):
        with pytest.raises(Rejected, match="taken on the unix socket only"):
            await asyncio.to_thread(client.post, f"fleet/{name}", **order)
    assert surface.orders == []


@pytest.fixture
def runner() -> CliRunner:
    """Runs a command in this process: what is refused before anybody is asked."""
    return CliRunner()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("pause", "*"), "Missing option '--reason'"),
        (("pause", "*", *REASON, "--for", "8d"), "at most 7d long"),
        (("pause", "*", *REASON, "--for", "soon"), "bad duration 'soon'"),
        (("budget", "quota", *REASON), "say what to change: --cap, --rate, or both"),
        (("budget", "quota", *REASON, "--rate", "3"), "write it like 3/24h"),
        (("budget", "quota", *REASON, "--rate", "3/8d"), "at most 7d"),
        (("params", "w", *REASON), "write it like w=30s"),
        (("params", "w=x", *REASON), "bad duration 'x'"),
        (("paus", "*"), "did you mean 'pause'?"),
        (("--fresh", "pause", "*", *REASON), "options go behind the order"),
        (("--fresh", "--agent", "http://127.0.0.1:9901"), "orders are taken on the unix socket only"),
    ],
)
def test_a_mistake_is_a_sentence_and_exit_code_2(
    runner: CliRunner, words: tuple[str, ...], said: str
) -> None:
    ran = runner.invoke(fleet, words)
    assert ran.exit_code == click.UsageError.exit_code
    assert said in " ".join(ran.output.split())


def test_whom_an_agent_waits_for_in_a_log_that_was_made_again_is_told_and_is_no_trouble() -> None:
    told = overview(STATE) | {"agent": "broker-1", "held_back": ["the log was made again"]}
    text = click.unstyle(show_fleet.fleet(told, round(time.time() * 1000)))

    assert "\nbroker-1 waits: the log was made again\n" in text
    assert show_fleet.troubles(told) == show_fleet.troubles({**told, "held_back": []})


def test_what_an_agent_writes_cannot_steer_the_terminal() -> None:
    told = overview(STATE) | {"agent": "broker-1", "caught_up": False, "degraded": "a\x1b[2Jb"}
    text = click.unstyle(show_fleet.fleet(told, round(time.time() * 1000)))

    assert "! broker-1 cannot use the log: a\\x1b[2Jb" in text
    assert "! broker-1 has not read the log to its end: this may be old" in text
