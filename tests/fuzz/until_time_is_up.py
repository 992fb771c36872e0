"""`make fuzz SECONDS=600`: property tests of the engine and the loader, one after the other.

What is found ends the run: hypothesis prints it, as small as it could make it. An example that hangs for two
minutes, in C too, ends it with the stack of all threads.
"""

from __future__ import annotations

import faulthandler
import sys
import time
from collections import Counter
from collections.abc import Callable
from functools import wraps
from importlib import import_module
from itertools import cycle
from pathlib import Path
from typing import Any

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
    """Prints how many examples of each target were run, and how long the longest took."""
    faulthandler.enable()
    ran, longest, end = Counter[str](), Counter[str](), time.monotonic() + seconds
    targets = import_module("targets").TARGETS
    for target in targets:
        target.hypothesis.inner_test = _watched(target.hypothesis.inner_test, ran, longest)
    for target in cycle([_HOW(each) for each in targets]):
        if time.monotonic() > end:
            break
        target()
    faulthandler.cancel_dump_traceback_later()
    for name, count in ran.items():
        print(f"{name:12} {count:8} examples, at most {longest[name]} ms of processor time")
    print("nothing crashed, nothing hung")


def _watched(test: Callable[..., None], ran: Counter[str], longest: Counter[str]) -> Callable[..., None]:
    name = test.__name__

    @wraps(test)
    def watched(*args: Any, **named: Any) -> None:
        faulthandler.dump_traceback_later(HANGS_S, exit=True)
        began = time.process_time()
        test(*args, **named)
        ran[name] += 1
        longest[name] = max(longest[name], round(1000 * (time.process_time() - began)))

    return watched


if __name__ == "__main__":
    sys.path += [str(Path(__file__).parent), str(Path(__file__).parents[1])]
    main(float(sys.argv[1]))
