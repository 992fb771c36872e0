"""Certificates as they are served and as they lie on disk; made by openssl, served by Python's ssl."""

from __future__ import annotations

import asyncio
import shutil
import ssl
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from certificates import self_signed
from hung_files import LOOKS, assert_threads_are_free, hung
from hypothesis import given
from hypothesis import strategies as st

from agent.kafka.connection import Security
from agent.model import Sample
from agent.sources.certificate_dates import leaf, validity
from agent.sources.certificates import METRICS, Certificates

pytestmark = pytest.mark.skipif(not shutil.which("openssl"), reason="openssl makes the certificates")
ALL = frozenset(metric.name for metric in METRICS)
DAY = 86_400


@asynccontextmanager
async def served(cert: Path, key: Path, clients: Path | None = None) -> AsyncIterator[str]:
    """The address of a listener with this certificate; `clients` must show one of theirs."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    if clients:
        context.load_verify_locations(clients)
        context.verify_mode = ssl.CERT_REQUIRED
        context.maximum_version = ssl.TLSVersion.TLSv1_2  # which demands it before it says that all is well
    async with listener(context) as address:
        yield address


@asynccontextmanager
async def listener(context: ssl.SSLContext | None) -> AsyncIterator[str]:
    """One that reads nothing and hangs up at the end."""
    writers = []
    server = await asyncio.start_server(lambda _, w: writers.append(w), "127.0.0.1", 0, ssl=context)
    host, port = server.sockets[0].getsockname()
    try:
        yield f"{host}:{port}"
    finally:
        server.close()
        for writer in writers:
            writer.close()
        await server.wait_closed()


def source(
    *listeners: str, files: tuple[Path, ...] = (), deadline: float = 20.0, **security: str
) -> Certificates:
    """One that rules ask for."""
    own = Certificates(listeners, [str(file) for file in files], Security(**security), 1000, deadline)
    own.wanted = ALL
    return own


def values(samples: list[Sample]) -> dict[tuple[str, str], float]:
    """By the name without its prefix, and the one label."""
    return {(s.name.removeprefix("host_certificate_"), s.labels[0][1]): s.value for s in samples}


def again(cert: Path, key: Path, days: int) -> None:
    """Sign it once more, to end in so many days, which may be past ones."""
    command = [
        "openssl",
        "x509",
        "-in",
        str(cert),
        "-signkey",
        str(key),
        "-days",
        str(days),
        "-out",
        str(cert),
    ]
    subprocess.run(command, check=True, capture_output=True)


def by_openssl(cert: Path) -> tuple[float, float]:
    """When it begins and ends."""
    command = ["openssl", "x509", "-startdate", "-enddate", "-noout", "-in", str(cert)]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    begin, end = (ssl.cert_time_to_seconds(line.partition("=")[2]) for line in text.splitlines())
    return begin, end


def end_by_openssl(cert: Path) -> float:
    """What openssl says."""
    return by_openssl(cert)[1]


async def test_what_is_served_and_what_is_on_disk(tmp_path: Path) -> None:
    """The same, until somebody replaces the file and the broker does not load it."""
    cert, key = self_signed(tmp_path, "old", days=3)
    async with served(cert, key) as address:
        own = source(address, files=(cert,))
        before = values(await own.read(5))
        begin, end = by_openssl(cert)
        cert.write_bytes(self_signed(tmp_path, "new", days=30)[0].read_bytes())
        after = values(await own.read(6))

    assert before["served_not_after_seconds", address] == before["file_not_after_seconds", str(cert)] == end
    assert abs(end - time.time() - 3 * DAY) < DAY
    assert (
        before["served_not_before_seconds", address] == before["file_not_before_seconds", str(cert)] == begin
    )
    assert end - begin == 3 * DAY
    assert before["mismatch", address] == 0
    assert after["served_not_after_seconds", address] == end
    assert after["file_not_after_seconds", str(cert)] == end_by_openssl(cert) > end
    assert after["mismatch", address] == 1
    assert (after["unread_total", address], after["unread_total", str(cert)]) == (0, 0)


async def test_what_a_file_that_cannot_be_read_may_hold_is_no_mismatch(tmp_path: Path) -> None:
    """It may be the very one that is served; one that is the same settles it whatever the others are."""
    cert, key = self_signed(tmp_path, "served")
    other, _ = self_signed(tmp_path, "other")
    gone = tmp_path / "gone.pem"
    async with served(cert, key) as address:
        seen = values(await source(address, files=(other, gone)).read(5))
        same = values(await source(address, files=(cert, gone)).read(5))

    assert seen["unread_total", str(gone)] == 1
    assert ("mismatch", address) not in seen
    assert same["mismatch", address] == 0


async def test_an_expired_one_is_told_and_not_refused(tmp_path: Path) -> None:
    """It is what is looked for."""
    cert, key = self_signed(tmp_path, "past")
    again(cert, key, days=-1)
    async with served(cert, key) as address:
        seen = values(await source(address).read(5))

    assert seen["served_not_after_seconds", address] == end_by_openssl(cert) < time.time()
    assert ("mismatch", address) not in seen, "without files there is nothing to compare with"


async def test_a_listener_that_demands_a_certificate_is_shown_ours(tmp_path: Path) -> None:
    """Without one it tells nothing, which is counted."""
    cert, key = self_signed(tmp_path, "broker")
    ours, our_key = self_signed(tmp_path, "agent")
    async with served(cert, key, clients=ours) as address:
        shown = source(address, protocol="SSL", cert_file=str(ours), key_file=str(our_key))
        assert ("served_not_after_seconds", address) in values(await shown.read(5))
        seen = values(await source(address).read(5))

    assert seen == {("unread_total", address): 1}


async def test_what_gives_no_certificate_is_counted_and_hides_no_other(tmp_path: Path) -> None:
    """A listener without TLS that hangs, a missing file, a keystore, a certificate that is cut off."""
    cert, key = self_signed(tmp_path, "well")
    gone, keystore, cut = tmp_path / "gone.pem", tmp_path / "server.jks", tmp_path / "cut.pem"
    keystore.write_bytes(bytes.fromhex("feedfeed00000002") * 20)
    cut.write_text(ssl.DER_cert_to_PEM_cert(ssl.PEM_cert_to_DER_cert(cert.read_text())[:100]))
    async with listener(None) as deaf, served(cert, key) as address:
        own = source(deaf, address, files=(cert, gone, keystore, cut), deadline=1.0)
        await own.read(5)
        seen = values(await own.read(6))

    assert seen.pop(("served_not_after_seconds", address), end_by_openssl(cert)) == end_by_openssl(cert)
    assert seen["file_not_after_seconds", str(cert)] == end_by_openssl(cert)
    for name in (deaf, gone, keystore, cut):
        assert seen["unread_total", str(name)] == 2
        assert not [kind for kind, of in seen if of == str(name) and kind != "unread_total"]


async def test_the_first_of_a_chain_is_the_servers(tmp_path: Path) -> None:
    """Text before it, as openssl writes it, is no matter."""
    first, _ = self_signed(tmp_path, "first", days=5)
    second, _ = self_signed(tmp_path, "second", days=50)
    chain = tmp_path / "chain.pem"
    chain.write_text("Bag Attributes\n    friendlyName: é\n" + first.read_text() + second.read_text())

    seen = values(await source(files=(chain,)).read(5))

    assert seen["file_not_after_seconds", str(chain)] == end_by_openssl(first)


def test_dates_of_both_notations(tmp_path: Path) -> None:
    """UTCTime has two digits of the year and means 1950 to 2049; GeneralizedTime begins in 2050."""
    for days in (10, 365 * 20, 365 * 40):
        cert, _ = self_signed(tmp_path, f"for-{days}", days=days)
        assert validity(leaf(cert.read_bytes())) == by_openssl(cert)
    old = skeleton(b"\x17\x0d980101000000Z", b"\x17\x0d991231235959Z")
    first, last = ("Jan  1 00:00:00 1998 GMT", "Dec 31 23:59:59 1999 GMT")
    assert validity(old) == (ssl.cert_time_to_seconds(first), ssl.cert_time_to_seconds(last))


def skeleton(*validity: bytes) -> bytes:
    """A certificate of the first version, with little in it but these times: openssl makes none that old."""

    def sequence(*parts: bytes) -> bytes:
        return b"\x30" + bytes([sum(map(len, parts))]) + b"".join(parts)

    return sequence(sequence(b"\x02\x01\x01", sequence(), sequence(), sequence(*validity)))


@pytest.fixture(scope="module")
def der(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Of a real certificate."""
    return leaf(self_signed(tmp_path_factory.mktemp("der"), "any")[0].read_bytes())


@given(data=st.data())
def test_bytes_are_a_certificate_or_a_value_error(der: bytes, data: st.DataObject) -> None:
    """A listener may send anything: real ones with bytes exchanged or cut off, and noise."""
    noise = data.draw(st.one_of(st.binary(max_size=60), st.just(der)))
    at = data.draw(st.integers(0, max(len(noise) - 1, 0)))
    put = data.draw(st.binary(max_size=3))
    twisted = noise[:at] + put + noise[at + data.draw(st.integers(0, 5)) :]
    for each in (twisted, twisted[: data.draw(st.integers(0, len(twisted)))]):
        try:
            assert all(isinstance(instant, float) for instant in validity(each))
        except ValueError:
            continue


@given(st.binary(max_size=200))
def test_a_file_holds_a_certificate_or_is_a_value_error(data: bytes) -> None:
    """Whatever lies there."""
    for each in (data, b"-----BEGIN CERTIFICATE-----" + data + b"-----END CERTIFICATE-----"):
        try:
            leaf(each)
        except ValueError:
            continue


async def test_an_own_certificate_that_hangs_costs_one_thread(tmp_path: Path) -> None:
    """Its disk must not take those that all share; the listener is counted as unread."""
    with hung(tmp_path / "own.pem") as file:
        own = source("127.0.0.1:1", deadline=0.1, protocol="SSL", cert_file=str(file))
        for look in range(1, LOOKS):
            assert values(await own.read(look)) == {("unread_total", "127.0.0.1:1"): look}
        await assert_threads_are_free()


async def test_what_nobody_could_look_at_is_unread(tmp_path: Path) -> None:
    """A listener that does not answer, where there is no other; the file is read all the same."""
    cert, key = self_signed(tmp_path, "served")
    async with served(cert, key) as address:
        own = source(address, files=(cert,))
        other = source(address, "127.0.0.1:1", files=(cert, tmp_path / "gone.pem"))
        await own.read(5)
        assert own.unread == frozenset()
        await other.read(5)
        assert other.unread == frozenset()  # each name has a series
    await own.read(6)
    dates = {f"host_certificate_served_not_{which}_seconds" for which in ("before", "after")}
    assert own.unread == dates | {"host_certificate_mismatch"}
    own.wanted = frozenset()
    await own.read(7)
    assert own.unread == frozenset()
