"""What is given back of the memory after the start is what nothing is lost of."""

from __future__ import annotations

import subprocess
import sys

_LOADED = """
import ssl
from pathlib import Path
import numpy as np
from agent.daemon.interpreter import give_back

def of_files() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssFile"))

def used() -> tuple[object, ...]:
    context = ssl.create_default_context(cadata=None)
    solved = np.linalg.solve(np.array([[2.0, 0.0], [0.0, 4.0]]), np.array([2.0, 4.0]))
    return len(context.get_ciphers()), solved.tolist(), np.sort(np.arange(9)[::-1]).tolist()

before, sizes = used(), [of_files()]
give_back()
sizes.append(of_files())
print(*sizes, before == used())
"""


def test_libraries_work_as_before_with_fewer_pages() -> None:
    """In a process of its own, which would die of a relocation that was lost."""
    said = subprocess.run([sys.executable, "-c", _LOADED], capture_output=True, text=True, check=True)
    before, after, alike = said.stdout.split()
    assert int(after) < int(before) / 2
    assert alike == "True"
