"""TLS both ways: the broker's certificate is checked, and ours is shown."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fake_broker import FakeBroker
from kio.schema.describe_log_dirs.v5 import DescribeLogDirsResponse
from kio.schema.errors import ErrorCode
from kio.static.primitive import i32Timedelta

from agent.kafka.connection import Broker, Security
from agent.kafka.errors import KafkaNoLogin
from agent.kafka.log_dirs import describe_log_dirs

pytestmark = pytest.mark.skipif(not shutil.which("openssl"), reason="openssl makes the certificates")


def _certificate(folder: Path, name: str, subject: str = "IP:127.0.0.1") -> tuple[str, str]:
    """A self-signed certificate and its key."""
    cert, key = str(folder / f"{name}.pem"), str(folder / f"{name}.key")
    command = f"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN={name}"
    subprocess.run(
        [*command.split(), "-addext", f"subjectAltName={subject}", "-keyout", key, "-out", cert],
        check=True,
        capture_output=True,
    )
    return cert, key


def _answers(_: int) -> Any:
    no_time = i32Timedelta.parse(timedelta(0))
    return DescribeLogDirsResponse(throttle_time=no_time, error_code=ErrorCode.none, results=())


async def _ask(served: ssl.SSLContext, security: Security) -> Any:
    async with FakeBroker({35: _answers}, tls=served) as fake:
        broker = Broker(fake.address, security, client_id="test")
        try:
            return await broker.ask(describe_log_dirs(), 5)
        finally:
            await broker.close()


def _served(cert: str, key: str, clients: str | None = None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    if clients:
        context.load_verify_locations(clients)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


async def test_a_broker_that_is_vouched_for_is_asked(tmp_path: Path) -> None:
    """Its certificate is signed by the authority we were given and names the host."""
    cert, key = _certificate(tmp_path, "broker")

    assert (await _ask(_served(cert, key), Security("SSL", ca_file=cert))).results == ()


async def test_a_client_certificate_is_shown(tmp_path: Path) -> None:
    """Brokers with ssl.client.auth=required know us by it."""
    cert, key = _certificate(tmp_path, "broker")
    own, own_key = _certificate(tmp_path, "ottla")
    security = Security("SSL", ca_file=cert, cert_file=own, key_file=own_key)

    assert (await _ask(_served(cert, key, clients=own), security)).results == ()


@pytest.mark.parametrize("case", ["another authority", "another host"])
async def test_a_broker_that_is_not_vouched_for_is_not_spoken_to(tmp_path: Path, case: str) -> None:
    """Nothing is sent to it, though it answers."""
    subject = "IP:127.0.0.9" if case == "another host" else "IP:127.0.0.1"
    cert, key = _certificate(tmp_path, "broker", subject)
    other, _ = _certificate(tmp_path, "other")
    trusted = other if case == "another authority" else cert
    with pytest.raises(KafkaNoLogin, match="CERTIFICATE_VERIFY_FAILED"):
        await _ask(_served(cert, key), Security("SSL", ca_file=trusted))
