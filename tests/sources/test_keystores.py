"""Keystores as keytool makes them, and what the agent's source of certificates tells of them."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from pathlib import Path

import pytest
from certificates import self_signed
from test_certificates import served

from agent.kafka.connection import Security
from agent.sources.certificate_dates import leaf, validity
from agent.sources.certificates import METRICS, Certificates
from agent.sources.keystores import Keystore, KeystoreReader

pytestmark = pytest.mark.skipif(not shutil.which("keytool"), reason="keytool makes the keystores")
DAY = 86_400


def keytool(*arguments: str | Path) -> str:
    """What it prints."""
    done = subprocess.run(
        ["keytool", *map(str, arguments)],
        check=True,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    return done.stdout


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of `a.p12` and `a.jks`: in each a certificate that it trusts and the broker's own."""
    folder = tmp_path_factory.mktemp("keystores")
    (folder / "password").write_text("open sesame\n")
    pem, _ = self_signed(folder, "foreign")
    for name, kind in (("a.p12", "PKCS12"), ("a.jks", "JKS")):
        opens = ("-keystore", folder / name, "-storepass:file", folder / "password", "-noprompt")
        keytool("-importcert", "-alias", "a-foreign-one", "-file", pem, "-storetype", kind, *opens)
        renew(Keystore(str(folder / name), str(folder / "password")), days=30)
    return folder


def copied(kept: Path, folder: Path, name: str) -> Keystore:
    """For a test that changes it or its password."""
    for each in (name, "password"):
        shutil.copy(kept / each, folder / each)
    return Keystore(str(folder / name), str(folder / "password"))


def renew(keystore: Keystore, days: int) -> None:
    """The broker's own key and certificate, in place of those there were."""
    opens = ("-keystore", keystore.path, "-storepass:file", keystore.password_file or "")
    if "broker" in keytool("-list", *opens):
        keytool("-delete", "-alias", "broker", *opens)
    keytool(
        "-genkeypair", "-keyalg", "EC", "-alias", "broker", "-dname", "CN=k", "-validity", str(days), *opens
    )


def by_keytool(keystore: Keystore) -> tuple[float, float]:
    """When the broker's begins and ends."""
    own = ("-alias", "broker", "-keystore", keystore.path, "-storepass:file", keystore.password_file or "")
    pem = keytool("-exportcert", "-rfc", *own)
    text = subprocess.run(
        ["openssl", "x509", "-startdate", "-enddate", "-noout"],
        input=pem,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    begin, end = (ssl.cert_time_to_seconds(line.partition("=")[2]) for line in text.splitlines())
    return begin, end


@pytest.mark.parametrize("name", ["a.p12", "a.jks"])
def test_the_brokers_own_and_not_one_that_it_trusts(name: str, kept: Path, tmp_path: Path) -> None:
    """Of either kind; and anew where the file was replaced."""
    keystore = copied(kept, tmp_path, name)
    reader = KeystoreReader(keystore)
    before = validity(reader.leaves()[0])
    assert before == by_keytool(keystore)

    renew(keystore, days=60)
    after = validity(reader.leaves()[0])
    assert after == by_keytool(keystore)
    assert 29 * DAY < after[1] - before[1] < 31 * DAY


def test_a_password_is_needed_where_it_is_needed(kept: Path, tmp_path: Path) -> None:
    """A JKS shows what it has without one, a PKCS #12 does not, and a wrong one opens nothing."""
    jks, p12 = copied(kept, tmp_path, "a.jks"), copied(kept, tmp_path, "a.p12")
    assert validity(KeystoreReader(Keystore(jks.path)).leaves()[0]) == by_keytool(jks)
    with pytest.raises(ValueError, match="with a password only: name its password_file"):
        KeystoreReader(Keystore(p12.path)).leaves()

    reader = KeystoreReader(p12)
    right = Path(p12.password_file or "").read_text()
    Path(p12.password_file or "").write_text("wrong one\n")
    for _ in range(2):
        with pytest.raises(ValueError, match="password was incorrect"):
            reader.leaves()
    Path(p12.password_file or "").write_text(right)
    assert validity(reader.leaves()[0]) == by_keytool(p12)


def test_keytool_is_asked_for_what_has_changed(
    kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once; without it in PATH a file that has not is still told of, and one that has is not."""
    keystore = copied(kept, tmp_path, "a.p12")
    reader = KeystoreReader(keystore)
    told = reader.leaves()
    monkeypatch.setenv("PATH", str(tmp_path))
    assert reader.leaves() == told
    Path(keystore.path).write_bytes(b"garbage")
    with pytest.raises(OSError, match="no keytool in PATH"):
        reader.leaves()


@pytest.mark.parametrize("content", [b"", b"garbage", bytes.fromhex("feedfeed00000002") * 20])
def test_what_is_no_keystore_is_told(content: bytes, tmp_path: Path) -> None:
    """In keytool's own words."""
    file = tmp_path / "a.p12"
    file.write_bytes(content)
    with pytest.raises(ValueError, match=r"keytool error|no private key"):
        KeystoreReader(Keystore(str(file))).leaves()


def test_a_truststore_and_a_large_file_hold_none(kept: Path, tmp_path: Path) -> None:
    """A private key is what a broker serves with; and what is large is not given to keytool."""
    keystore = copied(kept, tmp_path, "a.p12")
    keytool(
        "-delete",
        "-alias",
        "broker",
        "-keystore",
        keystore.path,
        "-storepass:file",
        keystore.password_file or "",
    )
    with pytest.raises(ValueError, match="no private key with a certificate"):
        KeystoreReader(keystore).leaves()
    with Path(keystore.path).open("r+b") as file:
        file.truncate((1 << 20) + 1)
    with pytest.raises(ValueError, match="more than 1 MiB"):
        KeystoreReader(keystore).leaves()


async def test_the_source_tells_of_keystores_as_of_files(kept: Path, tmp_path: Path) -> None:
    """By their path; one that is gone is counted and hides no other."""
    keystore = copied(kept, tmp_path, "a.p12")
    gone = Keystore(str(tmp_path / "gone.jks"))
    own = Certificates((), (keystore, gone), Security(), 1000, deadline=30.0)
    own.wanted = frozenset(metric.name for metric in METRICS)
    seen = {(sample.name, sample.labels[0][1]): sample.value for sample in await own.read(5)}
    begin, end = by_keytool(keystore)
    assert seen == {
        ("host_certificate_file_not_before_seconds", keystore.path): begin,
        ("host_certificate_file_not_after_seconds", keystore.path): end,
        ("host_certificate_unread_total", keystore.path): 0,
        ("host_certificate_unread_total", gone.path): 1,
    }


async def test_a_listener_may_serve_any_of_a_keystores_private_keys(tmp_path: Path) -> None:
    """As one of RSA and one of an elliptic curve, of which clients choose; the first tells the times."""
    store, password = tmp_path / "all.p12", tmp_path / "password"
    password.write_text("open sesame\n")
    pairs = [self_signed(tmp_path, name) for name in ("a", "b", "foreign")]
    for cert, key in pairs[:2]:
        one = tmp_path / f"{cert.stem}.p12"
        export: list[str | Path] = [
            "openssl",
            "pkcs12",
            "-export",
            "-in",
            cert,
            "-inkey",
            key,
            "-name",
            cert.stem,
            "-out",
            one,
        ]
        subprocess.run([*export, "-passout", f"file:{password}"], check=True)
        keytool(
            *("-importkeystore", "-srckeystore", one, "-srcstorepass:file", password),
            *("-destkeystore", store, "-deststorepass:file", password, "-deststoretype", "PKCS12"),
        )
    keystore = Keystore(str(store), str(password))
    assert [*KeystoreReader(keystore).leaves()] == [leaf(cert.read_bytes()) for cert, _ in pairs[:2]]

    mismatch = dict[str, float]()
    for cert, key in pairs:
        async with served(cert, key) as address:
            own = Certificates((address,), (keystore,), Security(), 1000, deadline=30.0)
            own.wanted = frozenset(metric.name for metric in METRICS)
            for sample in await own.read(5):
                if sample.name == "host_certificate_mismatch":
                    mismatch[cert.stem] = sample.value
    assert mismatch == {"a": 0, "b": 0, "foreign": 1}
