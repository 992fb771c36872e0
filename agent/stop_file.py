"""The stop file: while it stands nothing is done and nothing is undone. Its text is the reason shown."""

from __future__ import annotations

from pathlib import Path

SHOWN = 500  # characters of the reason


def read(path: Path) -> str | None:
    """The reason, perhaps empty; None where the file is absent. A file that cannot be read stops too."""
    try:
        with path.open(errors="replace") as file:
            return file.read(SHOWN).strip()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        return f"it stands, but cannot be read: {error}"
