"""A journalctl for tests: prints what stands in $OTTLA_TEST_JOURNAL, a line of JSON an entry.

A line `end WORDS` makes it print the words on standard error and end, as where the journal is corrupt;
`say WORDS` makes it print them there a thousand times.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path


def main(arguments: list[str]) -> None:
    """Follow, as asked."""
    options = dict(each.partition("=")[::2] for each in arguments)
    assert options["--output"] == "json"
    assert {"--follow", "--all"} <= options.keys()
    after = options.get("--after-cursor")
    lines = Path(os.environ["OTTLA_TEST_JOURNAL"]).read_text().splitlines()
    cursors = [json.loads(line)["__CURSOR"] if line.startswith("{") else "" for line in lines]
    if after is not None and after not in cursors:
        sys.exit("Failed to seek to cursor: Invalid argument")
    at = cursors.index(after) + 1 if after is not None else max(0, len(lines) - int(options["--lines"]))
    while True:
        lines = Path(os.environ["OTTLA_TEST_JOURNAL"]).read_text().splitlines()
        for line in lines[at:]:
            if line.startswith("end "):
                sys.exit(line.removeprefix("end "))
            if line.startswith("say "):
                print(f"{line.removeprefix('say ')}\n" * 1000, end="", file=sys.stderr, flush=True)
            else:
                print(line, flush=True)
        at = len(lines)
        time.sleep(0.01)


if __name__ == "__main__":
    main(sys.argv[1:])
