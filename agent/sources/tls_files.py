"""The files by which a source that asks by HTTPS trusts, and is trusted."""

from __future__ import annotations

import ssl
from pathlib import Path

from msgspec import Struct


class TlsFiles(Struct, frozen=True):
    """PEM files: `ca_file` has whom to trust (None: whom the system trusts), `cert_file` and `key_file` who
    we are. `server_name` is the name that the other's certificate must have; None: the URL's."""

    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None
    server_name: str | None = None


NO_FILES = TlsFiles()


class TlsContext:
    """The context that these files make. Made again when one was replaced: certificates are renewed."""

    def __init__(self, files: TlsFiles) -> None:
        self._files = files
        self._made: tuple[tuple[tuple[int, int], ...], ssl.SSLContext] | None = None

    def get(self) -> ssl.SSLContext:
        """The context as of now. Blocks. Raises OSError, of which SSLError is one."""
        files = self._files
        named = [file for file in (files.ca_file, files.cert_file, files.key_file) if file is not None]
        stats = [Path(file).stat() for file in named]
        stamps = tuple((stat.st_mtime_ns, stat.st_size) for stat in stats)
        if self._made is None or self._made[0] != stamps:
            context = ssl.create_default_context(cafile=files.ca_file)
            if files.cert_file is not None:
                context.load_cert_chain(files.cert_file, files.key_file)
            self._made = stamps, context
        return self._made[1]
