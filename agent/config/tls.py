"""Reads by which files a source trusts, and is trusted: the same keys for every source that asks by HTTPS."""

from __future__ import annotations

from agent.config.values import Files
from agent.sources.tls_files import NO_FILES, TlsFiles
from agent.yaml_marks import Form
from agent.yaml_marks.readers import text


def tls_files(form: Form, files: Files) -> TlsFiles:
    """Its keys; whether they fit together is for `check_tls`."""
    return TlsFiles(
        ca_file=form.get("ca_file", files.readable_name, None),
        cert_file=form.get("cert_file", files.readable_name, None),
        key_file=form.get("key_file", files.readable_name, None),
        server_name=form.get("server_name", text, None),
    )


def check_tls(form: Form, tls: TlsFiles, url: str) -> None:
    """Complain of what has no use."""
    if (tls.cert_file is None) is not (tls.key_file is None):
        form.complain("cert_file and key_file go together")
    if tls != NO_FILES and url.startswith("http:"):
        form.complain("http is not encrypted, so certificates and server_name have no use")
