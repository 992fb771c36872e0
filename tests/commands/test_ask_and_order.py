"""The commands as people run them: processes that talk to a real server, or read a real journal."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from fake_surface import CHANGES, FakeSurface
from short_stories import HELD, WAITS

from agent.journal import Journal
from agent.web.client import Agent, Rejected
from agent.web.door import MAX_CONNECTIONS
from agent.web.server import Server


@dataclass
class Ran:
    """How a command ended."""

    code: int
    out: str
    err: str


async def ottla(*words: str | Path, stdout: int = asyncio.subprocess.PIPE, **env: str) -> Ran:
    """Run `ottla` and wait for its end."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "agent", *map(str, words),
        stdout=stdout, stderr=asyncio.subprocess.PIPE, env={"PATH": "/usr/bin:/bin", "TZ": "UTC", **env},
    )  # fmt: skip
    try:
        out, err = await asyncio.wait_for(child.communicate(), 30)
    except TimeoutError:
        child.kill()
        raise AssertionError(f"ottla {words} has not ended in 30 s") from None
    assert child.returncode is not None
    return Ran(child.returncode, (out or b"").decode(), err.decode())


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder whose name is short enough for a socket's path."""
    path = Path(tempfile.mkdtemp(prefix="ottla-"))
    yield path
    shutil.rmtree(path)


@pytest.fixture
def surface() -> FakeSurface:
    return FakeSurface()


@pytest.fixture
async def agent(folder: Path, surface: FakeSurface) -> AsyncIterator[Server]:
    """A live agent at `folder`/s, with its address in `folder`."""
    server = Server(surface, listen="127.0.0.1:0", path=folder / "s", state=folder)
    await server.start()
    yield server
    await server.close()


@pytest.fixture
async def dead(folder: Path) -> Path:
    """The state folder of an agent that is gone: what it held, and what it waited for."""
    journal = Journal(folder)
    await journal.open()
    await journal.append(*HELD, WAITS)
    await journal.close()
    return folder


async def test_status_of_a_live_agent(agent: Server, folder: Path) -> None:
    """0 where all is well; what stands is shown nevertheless."""
    ran = await ottla("status", "--socket", folder / "s")
    assert (ran.code, ran.err) == (0, "")
    assert "all is well" in ran.out
    assert "drain_disk for /d1 (LogDirFillingUp): held since" in ran.out
    assert "replica/orders-0: moved from /d1 to /d2" in ran.out
    assert "\x1b" not in ran.out


async def test_every_way_to_name_the_agent(agent: Server, folder: Path) -> None:
    """The option, the environment, the configuration file, the URL: the same answer."""
    config = folder / "ottla.yml"
    config.write_text(f"socket: {folder / 's'}\nbootstrap_servers: [mistaken\n".replace("[mistaken", "[]"))
    address = (folder / "http.address").read_text().strip()
    ways = [
        await ottla("status", "-o", "json", "--socket", folder / "s"),
        await ottla("status", "-o", "json", OTTLA_SOCKET=str(folder / "s")),
        await ottla("status", "-o", "json", "--config", config),
        await ottla("status", "-o", "json", "--agent", f"http://{address}"),
    ]
    assert [json.loads(way.out)["agent"] for way in ways] == ["broker-2"] * 4


async def test_relative_paths_of_a_configuration_start_at_its_folder(agent: Server, dead: Path) -> None:
    """As they do for the agent, wherever the command is called."""
    config = dead / "ottla.yml"
    config.write_text("{socket: s, state: .}")
    ran = await ottla("status", "-o", "json", "--config", config)
    assert json.loads(ran.out)["agent"] == "broker-2"
    await agent.close()
    ran = await ottla("status", "--config", config)
    assert f"no agent answers at {dead / 's'}" in ran.err
    assert f"this is the journal in {dead}, as of" in ran.err


async def test_the_option_beats_the_environment(agent: Server, folder: Path) -> None:
    ran = await ottla("actions", "--socket", folder / "s", OTTLA_SOCKET="/nowhere")
    assert (ran.code, ran.err) == (0, "")


async def test_something_wrong_is_exit_code_1(agent: Server, folder: Path, surface: FakeSurface) -> None:
    """A waiting incident is not wrong; an escalated one would be, and so is silence."""
    surface.entries = (WAITS,)
    assert (await ottla("status", "--socket", folder / "s")).code == 0
    await agent.close()
    ran = await ottla("status", "--socket", folder / "s")
    assert (ran.code, ran.out) == (3, "")
    assert "no agent answers at" in ran.err
    assert "--state DIR or --config FILE reads its journal instead" in ran.err


async def test_a_dead_agent_s_journal_is_read_and_said_so(dead: Path) -> None:
    ran = await ottla("status", "--socket", dead / "s", "--state", dead)
    assert ran.code == 1
    assert f"this is the journal in {dead}, as of 2026-09-21 14:13:25 UTC" in ran.err
    assert "no agent was reached" in ran.out
    assert "drain_disk for /d1 (LogDirFillingUp): held" in ran.out


async def test_why_names_the_holder_from_the_journal(dead: Path) -> None:
    ran = await ottla("why", "orders", "--state", dead)
    assert ran.code == 0
    assert (
        "throttle_replication for orders waits: x:topic/orders is held by broker-1 since offset 41" in ran.out
    )


async def test_why_suggests_for_a_name_that_nobody_knows(agent: Server, folder: Path) -> None:
    ran = await ottla("why", "LogDirFilingUp", "--socket", folder / "s")
    assert ran.code == 1
    assert ran.out == "nobody has heard of 'LogDirFilingUp'; did you mean 'LogDirFillingUp'?\n"


async def test_live_and_dead_tell_the_same_actions(agent: Server, dead: Path) -> None:
    live = await ottla("actions", "-o", "json", "--socket", dead / "s")
    offline = await ottla("actions", "-o", "json", "--state", dead)
    assert json.loads(live.out) == json.loads(offline.out)


async def test_no_agent_and_no_journal_is_exit_code_3(folder: Path) -> None:
    ran = await ottla("why", "x", "--state", folder / "none")
    assert (ran.code, ran.out) == (3, "")
    assert "has the agent ever run with this state folder?" in ran.err


@pytest.mark.parametrize(
    ("words", "taken"),
    [
        (("pause", "rack 3 moves", "--for", "30m"), ("pause", "rack 3 moves", 1_800_000)),
        (("pause", "rack 3 moves"), ("pause", "rack 3 moves", None)),
        (("resume",), ("resume",)),
        (("undo", "i1"), ("undo", "i1")),
        (("undo", "--all"), ("undo", None)),
        (("approve", "3fa9c1"), ("approve", "3fa9c1", "")),
        (("deny", "Full//d1@7", "--reason", "not tonight"), ("deny", "Full//d1@7", "not tonight")),
        (("stop", "--handover", "--no-wait"), ("stop", True)),
        (("reload", "--dry-run"), ("reload", True)),
    ],
)
async def test_orders_reach_the_agent(
    agent: Server, folder: Path, surface: FakeSurface, words: tuple[str, ...], taken: tuple[object, ...]
) -> None:
    """Each order arrives as it was meant, with who gave it."""
    ran = await ottla(*words, "--socket", folder / "s")
    assert (ran.code, ran.err) == (0, "")
    (order,) = surface.orders
    assert tuple(part for part in order if not str(part).endswith(")")) == taken


async def test_a_refused_order_is_exit_code_1_in_words(
    agent: Server, folder: Path, surface: FakeSurface
) -> None:
    surface.refusal = "the stop file stands: disks are being exchanged"
    ran = await ottla("undo", "--all", "--socket", folder / "s")
    assert (ran.code, ran.err) == (1, f"Error: {surface.refusal}\n")


async def test_an_order_to_nobody_is_exit_code_3(folder: Path) -> None:
    ran = await ottla("pause", "x", "--socket", folder / "s")
    assert (ran.code, ran.out) == (3, "")
    assert "no agent answers" in ran.err


async def test_bad_rules_are_told_and_are_exit_code_1(
    agent: Server, folder: Path, surface: FakeSurface
) -> None:
    surface.complaints = ["rules/a.yml:3:5: unknown key 'exprr'; did you mean 'expr'?"]
    ran = await ottla("reload", "--socket", folder / "s")
    assert (ran.code, ran.out) == (1, f"{surface.complaints[0]}\nthe old rules stay\n")


async def test_a_dry_run_says_what_would_change(agent: Server, folder: Path) -> None:
    """What comes, what goes, the parts that differ, and what is under way beneath it."""
    ran = await ottla("reload", "--dry-run", "--socket", folder / "s")
    assert (ran.code, ran.out.splitlines()) == (
        0,
        [
            "the rules are good; to take them would change:",
            "+ rule NewRule",
            "~ remedy LogDirFillingUp",
            "    mode: observe → act",
            "! LogDirFillingUp/1 (held) is open under what changes: it goes on as it was decided",
        ],
    )
    ran = await ottla("reload", "-o", "json", "--socket", folder / "s")
    assert json.loads(ran.out)["changes"] == CHANGES


async def test_a_reload_says_what_the_journal_lacks(
    agent: Server, folder: Path, surface: FakeSurface
) -> None:
    surface.remark = "the journal does not have it: disk full"
    ran = await ottla("reload", "--socket", folder / "s")
    first, *_, last = ran.out.splitlines()
    assert (ran.code, first) == (0, "the new rules are in force:")
    assert last == "! the journal does not have it: disk full"


async def test_stop_waits_until_the_agent_is_gone(agent: Server, folder: Path, surface: FakeSurface) -> None:
    """The order is taken at once; the command ends when nobody answers any more."""
    stopping = asyncio.create_task(ottla("stop", "--socket", folder / "s"))
    async with asyncio.timeout(20):
        while not surface.orders:
            await asyncio.sleep(0.01)
    assert not stopping.done()
    await agent.close()
    assert (await stopping).out == "stopped\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("statsu",), "no command 'statsu': did you mean 'status'?"),
        (("qqq",), "no command 'qqq'"),
        (("status", "--sokcet", "x"), "--socket"),
        (("status", "--agent", "ftp://x"), "write it like http://127.0.0.1:9901"),
        (("status", "--agent", "http://127.0.0.1:99999"), "write it like http://127.0.0.1:9901"),
        (("actions", "--agent", "http://127.0.0.1:abc"), "write it like http://127.0.0.1:9901"),
        (("status", "--agent", "http://exa_mple..com"), "write it like http://127.0.0.1:9901"),
        (("status", "--agent", "http://[::1"), "write it like http://127.0.0.1:9901"),
        (("pause", "x", "--for", "293y"), "bad duration '293y': at most 292y"),
        (("pause", "x", "--for", "soon"), "bad duration 'soon': write it like 30s, 5m or 1h30m"),
        (("undo",), "say what to undo"),
        (("undo", "i1", "--all"), "say what to undo"),
        (("undo", "i1", "--offline"), "--offline undoes everything"),
        (("why",), "Missing argument 'SUBJECT'"),
        (("why", ""), "name a rule, a target or an incident, in 1 to 1000 characters"),
        (("why", "A" * 100_000), "name a rule, a target or an incident, in 1 to 1000 characters"),
        (("why", "\udcff"), "the argument '\\udcff' is not UTF-8"),
        (("why", "-o", "json", "\udcff"), "the argument '\\udcff' is not UTF-8"),
        (("pause", " "), "a pause needs a reason"),
        (("pause", "x", "--for", "0s"), "a pause lasts longer than that"),
    ],
)
async def test_a_mistake_is_a_sentence_and_exit_code_2(words: tuple[str, ...], said: str) -> None:
    """Never a traceback."""
    ran = await ottla(*words)
    assert (ran.code, ran.out) == (2, "")
    assert said in ran.err
    assert "Traceback" not in ran.err


@pytest.mark.parametrize(
    ("text", "said"),
    [(None, "cannot read"), ("socket: [", "not YAML"), ("just words", "has no settings")],
)
async def test_a_bad_configuration_file_is_a_sentence(folder: Path, text: str | None, said: str) -> None:
    config = folder / "ottla.yml"
    if text is not None:
        config.write_text(text)
    ran = await ottla("status", "--config", config)
    assert (ran.code, ran.out) == (1, "")
    assert said in ran.err
    assert "Traceback" not in ran.err


async def test_a_log_line_cannot_steer_the_terminal(
    agent: Server, folder: Path, surface: FakeSurface
) -> None:
    """Reasons may hold what a broker logged."""
    surface.complaints = ["a\x1b[2Jb\nc"]
    ran = await ottla("reload", "--socket", folder / "s")
    assert ran.out == "a\\x1b[2Jb\\x0ac\nthe old rules stay\n"


async def test_a_closed_pipe_is_quiet(agent: Server, folder: Path) -> None:
    """`ottla actions | head -0`: the reader is gone before the first line."""
    reader, writer = socket.socketpair()
    reader.close()
    ran = await ottla("actions", "--socket", folder / "s", stdout=writer.fileno())
    writer.close()
    assert (ran.code, ran.err) == (1, "")


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize(
    "words", [("status",), ("status", "-o", "json"), ("actions",), ("status", "--help"), ("--version",)]
)
async def test_an_output_that_is_full_is_a_sentence(
    agent: Server, folder: Path, words: tuple[str, ...], unbuffered: str
) -> None:
    """Nor does the interpreter complain at its end, when it flushes once more."""
    where = {"OTTLA_SOCKET": str(folder / "s"), "PYTHONUNBUFFERED": unbuffered}
    with Path("/dev/full").open("wb") as full:
        ran = await ottla(*words, stdout=full.fileno(), **where)
    assert (ran.code, ran.err) == (1, "Error: cannot write to stdout: No space left on device\n")


async def test_the_exit_code_tells_where_nothing_can_be_written(agent: Server, folder: Path) -> None:
    """Full or closed, on either side: no other code than the one that would have been."""
    ask = f"{sys.executable} -m agent status --socket {folder / 's'}"
    for line, code in (
        (f"{ask} >&-", 0),
        (f"{ask} >&- 2>&-", 0),
        (f"{ask} >/dev/full 2>/dev/full", 1),
        (f"{ask}.none 2>/dev/full", 3),
        (f"{ask}.none 2>&-", 3),
    ):
        child = await asyncio.create_subprocess_shell(line, stdout=-1, stderr=-1)
        out, err = await asyncio.wait_for(child.communicate(), 30)
        assert (child.returncode, out, err) == (code, b"", b""), line


# As from a terminal: what a script runs in the background has ^C ignored, and so have these tests then.
INTERRUPTIBLE = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler);"
    "from agent.__main__ import main; main()"
)


async def test_an_interrupt_is_quiet(agent: Server, folder: Path, surface: FakeSurface) -> None:
    """^C while `stop` waits: 130, and no traceback."""
    words = (sys.executable, "-c", INTERRUPTIBLE, "stop", "--socket", str(folder / "s"))
    child = await asyncio.create_subprocess_exec(*words, stderr=asyncio.subprocess.PIPE)
    async with asyncio.timeout(20):
        while not surface.orders:
            await asyncio.sleep(0.01)
    child.send_signal(signal.SIGINT)
    _, err = await asyncio.wait_for(child.communicate(), 20)
    assert (child.returncode, err.strip()) == (130, b"")


async def test_an_agent_that_answers_no_json_is_told_as_such(folder: Path) -> None:
    """Some other server may sit at that address."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")  # closing on an unread request would reset the connection
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
        await writer.drain()
        writer.close()

    server = await asyncio.start_unix_server(talk, folder / "s")
    ran = await ottla("status", "--socket", folder / "s")
    server.close()
    assert (ran.code, ran.out) == (3, "")
    assert "answers 200 and no JSON: is it an agent?" in ran.err


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"HTTP/1.1 400 Bad Request\r\nContent-Length: 5\r\n\r\nhello", "answers 400 and no JSON"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "answers, and not in HTTP"),
    ],
)
async def test_what_a_stranger_answers_leads_to_no_journal(dead: Path, answer: bytes, said: str) -> None:
    """The agent may live, and the address be wrong: the journal would be told as if it did not."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        writer.close()

    server = await asyncio.start_unix_server(talk, dead / "s")
    ran = await ottla("status", "--socket", dead / "s", "--state", dead)
    server.close()
    assert (ran.code, ran.out) == (3, "")
    assert ran.err == f"Error: {dead / 's'} {said}: is it an agent?\n"


async def test_who_hangs_up_is_taken_for_nobody(dead: Path) -> None:
    """As an agent that ends in that moment does."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.close()

    server = await asyncio.start_unix_server(talk, dead / "s")
    ran = await ottla("status", "--socket", dead / "s", "--state", dead)
    server.close()
    assert ran.code == 1
    assert "Remote end closed connection without response; this is the journal in" in ran.err


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n"


async def answering(path: Path, said: bytes) -> asyncio.Server:
    """One who reads a whole request, says this, and hangs up."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        (length,) = [int(x.partition(":")[2]) for x in head.splitlines() if "content-length" in x] or [0]
        await reader.readexactly(length)
        writer.write(said)
        await writer.drain()
        writer.close()

    return await asyncio.start_unix_server(talk, path)


@pytest.mark.parametrize("said", [b"", HEAD + b'[{"incident"'], ids=["nothing", "half"])
@pytest.mark.parametrize(
    "words",
    [("undo", "--all"), ("approve", "3fa9c1"), ("fleet", "resolve", "12", "--reason", "x"), ("stop",)],
)
async def test_an_order_that_was_sent_may_have_been_carried_out(
    folder: Path, words: tuple[str, ...], said: bytes
) -> None:
    """It was told as if there were no agent."""
    server = await answering(folder / "s", said)
    ran = await ottla(*words, "--socket", folder / "s")
    server.close()
    why = "its answer broke off" if said else "Remote end closed connection without response"
    assert (ran.code, ran.out) == (4, "")
    assert ran.err == (
        f"Error: the order was sent, and no answer came ({why}):"
        " it may have been carried out; see `ottla status`\n"
    )


async def test_half_an_answer_is_an_agent_that_died(dead: Path) -> None:
    """It was taken for a stranger, and no journal was read."""
    server = await answering(dead / "s", HEAD + b'{"version": "1"')
    ran = await ottla("status", "--socket", dead / "s", "--state", dead)
    server.close()
    assert ran.code == 1
    assert f"no agent answers at {dead / 's'}: its answer broke off; this is the journal in {dead}" in ran.err


async def test_who_answers_half_has_not_ended(folder: Path) -> None:
    """`stop` waits until nobody listens there any more."""
    whole = b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n" + b'{"ok":true}'
    asked: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(whole if asked[-1].startswith(b"POST") else HEAD + b"[")
        await writer.drain()
        writer.close()

    server = await asyncio.start_unix_server(talk, folder / "s")
    stopping = asyncio.create_task(ottla("stop", "--socket", folder / "s"))
    async with asyncio.timeout(20):
        while len(asked) < 4:
            await asyncio.sleep(0.01)
    assert not stopping.done()
    server.close()
    (folder / "s").unlink()
    assert (await stopping).out == "stopped\n"


async def test_an_agent_that_is_too_busy_is_no_dead_one(agent: Server, folder: Path) -> None:
    """It says so and hangs up before the request is there, which cannot be sent then."""
    held = [await asyncio.open_unix_connection(folder / "s") for _ in range(MAX_CONNECTIONS)]
    for _ in range(200):
        for ask in (partial(Agent(folder / "s").get, "status"), partial(Agent(folder / "s").post, "resume")):
            with pytest.raises(Rejected, match="too many connections"):
                await asyncio.to_thread(ask)
    for _, writer in held:
        writer.close()
