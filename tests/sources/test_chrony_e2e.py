"""A real chronyd beside another one that it follows; neither touches the system's clock."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from debian_tools import fetched

from agent.sources.clock_offset import METRICS, ClockOffset

pytestmark = pytest.mark.e2e
_PORT = 31123
_PATIENCE = 30.0
_SERVER = f"local stratum 5\nallow 127.0.0.1\nport {_PORT}\ncmdport 0\nbindcmdaddress /\n"
_ALONE = "local stratum 10\nport 0\nbindcmdaddress 127.0.0.1\n"
_CLIENT = f"server 127.0.0.1 port {_PORT} iburst minpoll -4 maxpoll -4\nport 0\nbindcmdaddress 127.0.0.1\n"


@pytest.fixture(scope="module")
def chronyd() -> Iterator[Path]:
    """The daemon; `chronyc` is on the PATH of the tests that use it."""
    daemon, asker = fetched("chrony", "usr/sbin/chronyd"), fetched("chrony", "usr/bin/chronyc")
    if os.geteuid() != 0 or daemon is None or asker is None:
        pytest.skip("needs root, for chrony's port, and Debian's chrony")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        try:
            asked.bind(("127.0.0.1", 323))
        except OSError:
            pytest.skip("a chronyd runs here")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{asker.parent}:{os.environ['PATH']}")
        yield daemon


@contextmanager
def running(chronyd: Path, folder: Path, configuration: str) -> Iterator[None]:
    """It runs, without a say in the system's clock."""
    folder.mkdir()
    (folder / "chrony.conf").write_text(f"{configuration}pidfile {folder}/pid\n")
    command = [str(chronyd), "-x", "-d", "-u", "root", "-f", str(folder / "chrony.conf")]
    with (folder / "output.txt").open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        yield
    finally:
        process.terminate()
        process.wait(10)


async def told(wanted: set[str]) -> dict[str, float]:
    """What a new part reads, when all these are in it."""
    found: dict[str, float] = {}
    async with asyncio.timeout(_PATIENCE):
        while not wanted <= found.keys():
            await asyncio.sleep(0.1)
            try:
                read = ClockOffset().read(frozenset(metric.name for metric in METRICS))
                found = {name: value for name, _, value in read}
            except OSError:
                continue
    return found


async def test_its_offset_is_the_clocks_once_it_knows_one(chronyd: Path, tmp_path: Path) -> None:
    """Before its server answers only its stratum is told: zero."""
    with running(chronyd, tmp_path / "client", _CLIENT):
        before = await told({"host_chrony_stratum"})
        assert before["host_chrony_stratum"] == 0
        assert "host_chrony_offset_seconds" not in before
        with running(chronyd, tmp_path / "server", _SERVER):
            after = await told({"host_chrony_offset_seconds"})
        alone = after
        async with asyncio.timeout(_PATIENCE):
            while alone["host_chrony_reference_age_seconds"] < 1:
                alone = await told({"host_chrony_reference_age_seconds"})
    assert after["host_chrony_stratum"] == 6
    assert after["host_clock_offset_seconds"] == after["host_chrony_offset_seconds"]
    assert abs(after["host_clock_offset_seconds"]) < 0.1, "both go by this host's clock"
    assert 0 < after["host_chrony_root_delay_seconds"] < 1
    assert after["host_chrony_reference_age_seconds"] < 1
    assert alone["host_chrony_stratum"] == 6, "without its server, too"


async def test_one_that_goes_by_its_own_clock_knows_no_offset(chronyd: Path, tmp_path: Path) -> None:
    """It has a stratum for its clients, and says that it is off by 0."""
    with running(chronyd, tmp_path / "alone", _ALONE):
        async with asyncio.timeout(_PATIENCE):
            while "7F7F0101" not in (said := tracking_of_chronyc()):
                await asyncio.sleep(0.1)
        found = await told({"host_chrony_stratum"})
    assert said.split(",")[2] == "10"
    assert found["host_chrony_stratum"] == 0
    assert "host_chrony_offset_seconds" not in found


def tracking_of_chronyc() -> str:
    """Its own words."""
    command = ["chronyc", "-c", "-n", "tracking"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout
