"""`make fuzz SECONDS=600`: property tests of the engine, the loader and the sources, one after the other.

What is found ends the run: hypothesis prints it, as small as it could make it. An example that hangs for two
minutes, in C too, ends it with the stack of all threads. Each run has another seed, which it prints;
`make fuzz SEED=…` repeats that run.
"""

from __future__ import annotations

import faulthandler
import secrets
import sys
import time
from collections import Counter
from collections.abc import Callable
from functools import wraps
from importlib import import_module
from itertools import count, cycle
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, seed, settings

ROUND = 300  # examples of one target
HANGS_S = 120
_HOW = settings(
    max_examples=ROUND,
    deadline=None,  # the targets count their processor time themselves
    database=None,  # each round has examples of its own
    phases=(Phase.explicit, Phase.generate, Phase.shrink),
    suppress_health_check=list(HealthCheck),
)


def main(seconds: float, first: int) -> None:
    """Prints how many examples of each target were run, and how long the longest took."""
    faulthandler.enable()
    print(f"SEED={first}", flush=True)
    ran, longest, end = Counter[str](), Counter[str](), time.monotonic() + seconds
    targets = import_module("targets").TARGETS
    for target in targets:
        target.hypothesis.inner_test = _watched(target.hypothesis.inner_test, ran, longest)
    for number, target in zip(count(first), cycle([_HOW(each) for each in targets])):  # one seed a round
        if time.monotonic() > end:
            break
        seed(number)(target)()
    faulthandler.cancel_dump_traceback_later()
    for name, examples in ran.items():
        print(f"{name:18} {examples:8} examples, at most {longest[name]} ms of processor time")
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
    main(float(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else secrets.randbits(32))
