"""`make fuzz SECONDS=600`: property tests of the engine and the loader, one after the other.

What is found ends the run: hypothesis prints it, as small as it could make it. What hangs for two minutes,
in C too, ends it with the stack of all threads.
"""

from __future__ import annotations

import faulthandler
import sys
import time
from collections import Counter
from importlib import import_module
from itertools import cycle
from pathlib import Path

from hypothesis import HealthCheck, Phase, settings

ROUND = 300  # examples of one target
HANGS_S = 120
_HOW = settings(
    max_examples=ROUND,
    deadline=None,  # the targets count their processor time themselves
    database=None,  # each round has examples of its own
    phases=(Phase.explicit, Phase.generate, Phase.shrink),
    suppress_health_check=list(HealthCheck),
)


def main(seconds: float) -> None:
    """Prints how many examples of each target were run, and the longest round."""
    faulthandler.enable()
    ran, took, end = Counter[str](), Counter[str](), time.monotonic() + seconds
    for target in cycle([_HOW(each) for each in import_module("targets").TARGETS]):
        if time.monotonic() > end:
            break
        faulthandler.dump_traceback_later(HANGS_S, exit=True)
        began = time.monotonic()
        target()
        ran[target.__name__] += ROUND
        took[target.__name__] = max(took[target.__name__], round(1000 * (time.monotonic() - began)))
    faulthandler.cancel_dump_traceback_later()
    for name, count in ran.items():
        print(f"{name:12} {count:8} examples, a round of {ROUND} at most {took[name]} ms")
    print("nothing crashed, nothing hung")


if __name__ == "__main__":
    sys.path += [str(Path(__file__).parent), str(Path(__file__).parents[1])]
    main(float(sys.argv[1]))
