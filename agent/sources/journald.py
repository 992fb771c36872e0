"""A unit's lines in systemd's journal, by journalctl: the files' format is systemd's own."""

from __future__ import annotations

import os
import shutil
import subprocess

import msgspec

from agent.sources.log_marks import LINE_LIMIT, Tally

_AGAIN_MS = 5_000  # between two starts of journalctl
_CHUNK = 1 << 18
_SAID = 1000  # bytes of its errors that are kept, the last ones
_LONGEST = 8 * LINE_LIMIT  # bytes of an entry as it is printed: numbers where it is not text


class _Entry(msgspec.Struct):
    """What is read of an entry. A message is bytes where it is not text, and null where it is too long."""

    cursor: str = msgspec.field(name="__CURSOR")
    message: str | list[int] | None = msgspec.field(name="MESSAGE", default="")
    at_us: str = msgspec.field(name="__REALTIME_TIMESTAMP", default="0")


_DECODER = msgspec.json.Decoder(_Entry)


class Unit(msgspec.Struct, frozen=True):
    """A unit of systemd; what patterns know its lines by, unless that is `journald:` and its name."""

    name: str
    file: str | None = None


class Journald:
    """Follows one unit. `place` is the cursor of the last entry, which journalctl goes on from; what is older
    than `window_ms` then is skipped and counted, and all that is there where there is no place yet. Behind
    the first entry that is not skipped for its age nothing is, whatever the clock does."""

    def __init__(self, unit: Unit, tally: Tally, window_ms: int) -> None:
        self.unit = unit.name
        self.key = f"journald:{unit.name}"
        self.name = unit.file or self.key
        self.place = ""
        self._tally = tally
        self._window_ms = window_ms
        self._process: subprocess.Popen[bytes] | None = None
        self._began_at: int | None = None
        self._oldest_us = 0
        self._why = ""
        self._rest = b""
        self._said = b""  # on its standard error

    @property
    def descriptors(self) -> tuple[int, ...]:
        """journalctl's standard output."""
        return (_output(self._process),) if self._process else ()

    def look(self, now: int) -> None:
        """Start journalctl, and again where it ended; OSError tells why it did. One that has lived for as
        long as is between two starts is well, also where the unit writes nothing."""
        self._note_end()
        rested = self._began_at is None or not 0 <= now - self._began_at < _AGAIN_MS
        if self._process is not None:
            self._why = "" if rested else self._why
        elif rested:
            self._began_at = now
            self._oldest_us = self._age_limit_us(now)
            self._start()
        self._oldest_us = min(self._oldest_us, self._age_limit_us(now))  # the clock may have been set back
        if self._why:
            raise OSError(self._why)

    def take(self) -> bytes | None:
        """The messages of the entries that journalctl printed since."""
        if self._process is None:
            return None
        self._hear(self._process)
        try:
            data = os.read(_output(self._process), _CHUNK)
        except BlockingIOError:
            return None
        if not data:  # it ended, or was ended
            self._note_end()
            return None
        self._why = ""
        *entries, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > _LONGEST:
            self._tally.refused += 1
            self._rest = b""  # what is left of it will be refused too
        return b"".join(self._line(entry) for entry in entries if entry)

    def close(self) -> None:
        """End journalctl."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for stream in (self._process.stdout, self._process.stderr):
                if stream is not None:
                    stream.close()
        self._process, self._rest, self._said = None, b"", b""

    def _age_limit_us(self, now: int) -> int:
        return (now - self._window_ms if self.place else now) * 1000

    def _start(self) -> None:
        program = shutil.which("journalctl")
        if program is None:
            raise OSError("there is no journalctl in PATH")
        # Where there is no place, the last entry that is there gives one.
        begin = ["--no-tail", f"--after-cursor={self.place}"] if self.place else ["--lines=1"]
        what = ["--output=json", "--output-fields=MESSAGE", "--all", "--follow", f"--unit={self.unit}"]
        self._process = subprocess.Popen(  # noqa: S603 no shell, and the unit's name is the configuration's
            [program, *what, *begin],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for stream in (self._process.stdout, self._process.stderr):
            assert stream is not None
            os.set_blocking(stream.fileno(), False)

    def _note_end(self) -> None:
        """Keep why journalctl is not there any more."""
        process = self._process
        if process is None:
            return
        ended = process.poll() is not None
        self._hear(process)
        if not ended:
            return
        said = self._said.decode(errors="replace").strip()
        self.close()
        self._why = f"journalctl --unit={self.unit} ended with {process.returncode}: {said or 'no words'}"
        if "cursor" in said:  # of another machine's journal, or of one that was deleted
            self.place = ""

    def _hear(self, process: subprocess.Popen[bytes]) -> None:
        """Its errors must be read while it lives: where their pipe is full it waits, and gives no lines."""
        assert process.stderr is not None
        self._said = (self._said + (process.stderr.read(_CHUNK) or b""))[-_SAID:]

    def _line(self, raw: bytes) -> bytes:
        try:
            entry = _DECODER.decode(raw)
            message = _bytes(entry.message)
        except (msgspec.DecodeError, ValueError):
            self._tally.refused += 1
            return b""
        known, self.place = bool(self.place), entry.cursor
        old = entry.at_us.isdigit() and int(entry.at_us) < self._oldest_us
        if not (old and known):
            self._oldest_us = 0  # entries come in their order: all that follow are newer
        if not old:
            self._tally.bytes += len(message)
            return message + b"\n" if message else b""
        self._tally.skipped += len(message) if known else 0
        return b""


def _bytes(message: str | list[int] | None) -> bytes:
    if isinstance(message, str):
        return message.encode(errors="replace")
    return bytes(message or ())


def _output(process: subprocess.Popen[bytes]) -> int:
    assert process.stdout is not None
    return process.stdout.fileno()
