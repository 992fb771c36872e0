"""The process of write_probe.py, seen from the agent: asked by a line, answered by one."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress

from agent.lone_thread import LoneThread
from agent.sources import SourceFailed, write_probe

_START_SECONDS = 5.0
_MOST_ENDING = 4  # processes that were killed and have not ended
OnAnswer = Callable[[int, float, str], None]


class ProbingProcess:
    """Probes the (log dir, file) pairs that it is given, by their number. `on_answer` gets the number, the
    seconds and the errno's name or `-`, on the event loop; `on_end` is called when it ends by itself."""

    def __init__(
        self, files: Sequence[tuple[str, str]], on_answer: OnAnswer, on_end: Callable[[], None]
    ) -> None:
        # -I and -S: nothing of the agent's environment or packages is looked at, and it takes 3 MB
        self._command = [sys.executable, "-I", "-S", write_probe.__file__]
        self._command += [each for pair in files for each in pair]
        self._on_answer = on_answer
        self._on_end = on_end
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = LoneThread("start of the process that probes")
        self._late: subprocess.Popen[bytes] | None = None  # started, and nobody has it yet
        self._ready = asyncio.Event()
        self._rest = b""
        self._ending: list[subprocess.Popen[bytes]] = []  # were killed

    @property
    def runs(self) -> bool:
        """Whether it was started and has not ended since."""
        return self._process is not None

    async def start(self) -> None:
        """Start it and see it ready. OSError and SourceFailed: it does not start, or too many have not ended:
        where the interpreter's own disk hangs none does, and each would take memory and a thread."""
        self._ending = [process for process in self._ending if process.poll() is None]
        if len(self._ending) >= _MOST_ENDING:
            raise SourceFailed(
                f"{len(self._ending)} processes that probed were killed and do not end: a disk keeps them"
            )
        self._ready.clear()
        self._rest = b""
        process = self._process = await self._thread.run(self._start, _START_SECONDS)
        self._late = None
        assert process.stdout is not None
        os.set_blocking(process.stdout.fileno(), False)
        asyncio.get_running_loop().add_reader(process.stdout, self._readable)
        try:
            async with asyncio.timeout(_START_SECONDS):
                await self._ready.wait()
        except TimeoutError:
            self.close()
            raise SourceFailed(f"the process that probes is not ready after {_START_SECONDS:g} s") from None
        if not self.runs:
            raise SourceFailed("the process that probes ended at its start; stderr of the agent says why")

    def ask(self, number: int) -> None:
        """Begin one probe. That its process has ended is seen by the end of its answers."""
        assert self._process is not None
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(b"%d\n" % number)
        except BrokenPipeError:
            return

    def close(self) -> None:
        """Kill it. A thread reaps it, or else a later start; nobody waits for that."""
        process, self._process, self._late = self._process or self._late, None, None
        if process is None:
            return
        assert process.stdin is not None
        assert process.stdout is not None
        asyncio.get_running_loop().remove_reader(process.stdout)
        process.stdin.close()
        process.stdout.close()
        process.kill()
        self._ending.append(process)
        with suppress(RuntimeError):  # no room for a thread
            threading.Thread(target=process.wait, name="end of a probing process", daemon=True).start()
        self._ready.set()

    def _readable(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        answer = self._process.stdout.read(1 << 16)
        if not answer:
            try:
                self.close()
            finally:  # or what was asked of it would hang for ever
                self._on_end()
            return
        *lines, self._rest = (self._rest + answer).split(b"\n")
        for line in lines:
            if line + b"\n" == write_probe.READY:
                self._ready.set()
            else:
                number, seconds, why = line.split()
                self._on_answer(int(number), float(seconds), why.decode())

    def _start(self) -> subprocess.Popen[bytes]:
        """Runs in the thread. One that was started after its deadline is what the next call gets."""
        pipe = subprocess.PIPE
        if self._late is None:
            self._late = subprocess.Popen(self._command, stdin=pipe, stdout=pipe, bufsize=0, cwd="/")  # noqa: S603 our own script
        return self._late
