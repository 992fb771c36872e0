"""The certificates in a keystore (PKCS #12, JKS, what else the JDK knows), as its own keytool tells it."""

from __future__ import annotations

import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

from agent.sources.certificate_dates import MAX_BYTES, leaf

_DEADLINE = 30.0  # seconds; a JVM starts in less, on a host with nothing to spare too
# Little of a JVM is needed, and what it says must be readable here.
_JVM = ("-J-XX:+UseSerialGC", "-J-XX:TieredStopAtLevel=1", "-J-Xmx64m", "-J-Duser.language=en")
_ENTRY, _PRIVATE = "Entry type:", "Entry type: PrivateKeyEntry"


class Keystore(Struct, frozen=True):
    """One, and the file whose first line is its password: a JKS shows its certificates without one."""

    path: str
    password_file: str | None = None


class KeystoreReader:
    """Asks keytool for a file that has changed, or whose password has: it costs the start of a JVM."""

    def __init__(self, keystore: Keystore) -> None:
        self._keystore = keystore
        self._seen: tuple[tuple[int, ...], ...] = ()
        self._said: tuple[bytes, ...] | ValueError = ()

    def leaves(self) -> tuple[bytes, ...]:
        """The certificate of each of its private keys, as DER, in keytool's order: a broker shows whichever
        fits a client, as RSA's or an elliptic curve's. Blocks for seconds at most.

        ValueError: there is none, or keytool says why it does not open. OSError: no such file, or no keytool.
        """
        files = [file for file in (self._keystore.path, self._keystore.password_file) if file is not None]
        seen = tuple(map(_version, files))
        if seen != self._seen:
            self._said = self._ask()
            self._seen = seen
        if isinstance(self._said, ValueError):
            raise self._said
        return self._said

    def _ask(self) -> tuple[bytes, ...] | ValueError:
        done = _keytool(self._keystore)
        if done.returncode:
            return ValueError(
                done.stdout.strip().splitlines()[0] if done.stdout.strip() else "keytool failed"
            )
        _, *private = done.stdout.split(_PRIVATE)
        found: list[bytes] = []
        for entry in private:
            with suppress(ValueError):
                found.append(leaf(entry.partition(_ENTRY)[0].encode()))
        if found:
            return tuple(found)
        if private and self._keystore.password_file is None:
            return ValueError("it shows its certificates with a password only: name its password_file")
        return ValueError("no private key with a certificate in it")


def _version(path: str) -> tuple[int, ...]:
    found = Path(path).stat()
    if found.st_size > MAX_BYTES:
        raise ValueError(f"{path} has more than {MAX_BYTES >> 20} MiB")
    return found.st_ino, found.st_size, found.st_mtime_ns


def _keytool(keystore: Keystore) -> subprocess.CompletedProcess[str]:
    program = shutil.which("keytool")
    if program is None:
        raise OSError("there is no keytool in PATH (it comes with the JDK that Kafka runs on)")
    password = ["-storepass:file", keystore.password_file] if keystore.password_file else []
    command = [program, *_JVM, "-list", "-rfc", "-keystore", keystore.path, *password]
    try:
        return subprocess.run(  # noqa: S603 no shell, and the paths are the configuration's
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            encoding="utf-8",
            errors="replace",
            timeout=_DEADLINE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise TimeoutError(f"keytool has not answered for {_DEADLINE:g} s") from None
