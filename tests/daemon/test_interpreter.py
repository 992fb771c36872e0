"""What is given back of the memory after the start is what nothing is lost of."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from agent.daemon.interpreter import _as_on_disk

TESTS = Path(__file__).parents[1]

_LOADED = """
import ssl
from pathlib import Path
import numpy as np
from agent.daemon.interpreter import give_back

def resident(of: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Rss" + of))

def used() -> tuple[object, ...]:
    context = ssl.create_default_context(cadata=None)
    solved = np.linalg.solve(np.array([[2.0, 0.0], [0.0, 4.0]]), np.array([2.0, 4.0]))
    return len(context.get_ciphers()), solved.tolist(), np.sort(np.arange(9)[::-1]).tolist()

before, files, own = used(), resident("File"), resident("Anon")
give_back()
print(files, resident("File"), resident("Anon") - own, before == used())
"""


def test_libraries_work_as_before_with_fewer_pages() -> None:
    """In a process of its own, which would die of a relocation that was lost."""
    said = subprocess.run([sys.executable, "-c", _LOADED], capture_output=True, text=True, check=True)
    before, after, grown, alike = said.stdout.split()
    assert int(after) < int(before) / 2
    assert int(grown) < 128, "kB: what looks for memory to give back takes none"
    assert alike == "True"


_THREADS = """
import ctypes, threading
from agent.daemon.interpreter import share_heap

share_heap()
barrier = threading.Barrier(9)
for _ in range(8):
    threading.Thread(target=lambda: (bytes(4096), barrier.wait())).start()
barrier.wait()
library = ctypes.CDLL(None)
library.fdopen.restype = ctypes.c_void_p
library.malloc_info(0, ctypes.c_void_p(library.fdopen(1, b"w")))
library.fflush(None)
"""


def test_threads_have_one_heap() -> None:
    """As malloc_info(3) tells."""
    said = subprocess.run([sys.executable, "-c", _THREADS], capture_output=True, text=True, check=True)
    assert said.stdout.count("<heap ") == 1


_STARTED = """
import subprocess, sys, threading, time
from pathlib import Path
from hung_files import hung_program
from agent.daemon.interpreter import settle

settle()
with hung_program(Path(sys.argv[1]), "#!/bin/sh\\n") as program:
    start = threading.Thread(target=subprocess.run, args=[program])
    start.start()
    turns = [time.monotonic()]
    while turns[-1] - turns[0] < 1:
        time.sleep(0.01)
        turns.append(time.monotonic())
    hangs = start.is_alive()
start.join()
print(hangs, max(later - turn for turn, later in zip(turns, turns[1:])))
"""


def test_a_program_whose_disk_hangs_stops_no_other_thread(tmp_path: Path) -> None:
    """Whoever starts it waits; the event loop goes on."""
    command = [sys.executable, "-c", _STARTED, str(tmp_path / "program")]
    paths = {"PYTHONPATH": ":".join(map(str, (TESTS, TESTS.parent)))}
    said = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ | paths)
    hangs, longest = said.stdout.split()
    assert hangs == "True"
    assert float(longest) < 10, "the lease ends after 45 s"


_SMAPS = """\
7f1000000000-7f1000021000 r--p 00000000 fe:00 1234                       /usr/lib/of disk.so
Rss:                 132 kB
Anonymous:             0 kB
Swap:                  0 kB
VmFlags: rd mr mw me sd
7f1000021000-7f1000022000 r--p 00021000 fe:00 1234                       /usr/lib/of disk.so
Anonymous:             4 kB
Swap:                  0 kB
7f1000022000-7f1000024000 r--p 00022000 fe:00 1234                       /usr/lib/of disk.so
Anonymous:             0 kB
Swap:                  8 kB
7f1000024000-7f1000025000 rw-p 00024000 fe:00 1234                       /usr/lib/of disk.so
Anonymous:             0 kB
Swap:                  0 kB
7f1000025000-7f1000026000 r--p 00000000 00:00 0
Anonymous:             0 kB
Swap:                  0 kB
7f1000026000-7f1000027000 r-xp 00000000 00:00 0                          [vdso]
Anonymous:             0 kB
Swap:                  0 kB
"""


def test_what_was_written_is_never_given_back_be_it_swapped_out() -> None:
    """Relocated pages are only readable by then, and in no file."""
    assert [line.split()[0] for line in _as_on_disk(_SMAPS.splitlines())] == ["7f1000000000-7f1000021000"]
