"""Programs of Debian's packages to compare with: those installed, or fetched without installing them."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

_CACHE = Path(os.environ.get("OTTLA_CACHE", "/var/cache/ottla" if os.geteuid() == 0 else "~/.cache/ottla"))


def fetched(package: str, inside: str) -> Path | None:
    """The program, a file inside of the package; None where it can neither be found nor fetched."""
    if installed := shutil.which(Path(inside).name):
        return Path(installed)
    folder = _CACHE.expanduser() / f"debian-{package}"
    program = folder / inside
    if not program.exists() and shutil.which("apt-get") and shutil.which("dpkg-deb"):
        folder.mkdir(parents=True, exist_ok=True)
        download = ["apt-get", "-qq", "-o", "APT::Sandbox::User=", "download", package]
        subprocess.run(download, cwd=folder, capture_output=True, check=False)
        for archive in folder.glob("*.deb"):
            subprocess.run(["dpkg-deb", "-x", archive, folder], check=True)
    return program if program.exists() else None
