"""The validity of an X.509 certificate, read from its DER: all that we want of it, and no library's 10 MB."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime

MAX_BYTES = 1 << 20
_SEQUENCE, _VERSION, _UTC_TIME, _GENERALIZED_TIME = 0x30, 0xA0, 0x17, 0x18
_BEGIN, _END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"


def leaf(pem: bytes) -> bytes:
    """The first certificate of a PEM file, as DER; of a chain the server's own. ValueError without one."""
    text = pem.decode("ascii", "replace")
    begin = text.find(_BEGIN)
    end = text.find(_END, begin)
    if begin < 0 or end < 0:
        raise ValueError("no PEM certificate in it; a JKS or PKCS #12 keystore belongs under `keystores`")
    return ssl.PEM_cert_to_DER_cert(text[begin : end + len(_END)])


def validity(der: bytes) -> tuple[float, float]:
    """When it begins and ends, in seconds since the epoch (RFC 5280, 4.1.2.5). ValueError where it is no
    certificate."""
    certificate, _ = _content(der, _SEQUENCE)
    rest, _ = _content(certificate, _SEQUENCE)
    if rest[:1] == bytes([_VERSION]):
        _, rest = _content(rest, _VERSION)
    for _ in ("serial number", "signature algorithm", "issuer"):
        _, rest = _content(rest, None)
    begin, _ = _content(rest, _SEQUENCE)
    _, end = _content(begin, None)
    return _instant(begin), _instant(end)


def _instant(der: bytes) -> float:
    kind = der[0] if der else None
    text = _content(der, kind)[0].decode("ascii")
    if kind == _UTC_TIME:  # of 1950 to 2049
        text = ("19" if text >= "5" else "20") + text
    elif kind != _GENERALIZED_TIME:
        raise ValueError("no time where the certificate's end should be")
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC).timestamp()


def _content(der: bytes, tag: int | None) -> tuple[bytes, bytes]:
    """The content of the first element, and what is behind it; `tag` None takes any."""
    if len(der) < 2 or (tag is not None and der[0] != tag):
        raise ValueError("not a certificate")
    size, at = der[1], 2
    if size > 0x80:
        at += size - 0x80
        size = int.from_bytes(der[2:at], "big")
    elif size == 0x80:
        raise ValueError("not a certificate: DER has no indefinite lengths")
    if at + size > len(der):
        raise ValueError("a certificate that is cut off")
    return der[at : at + size], der[at + size :]
