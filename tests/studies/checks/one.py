"""Checks one script in this process, and prints as JSON how often it ran and what was judged."""

from __future__ import annotations

import json
import os
import sys

import symmetry
from symmetry.base.calls import running
from symmetry.base.memory import keep


def main() -> None:
    keep()  # as the process of the command does
    report = symmetry.check(symmetry.script(sys.argv[1]))
    judged = len({verdict.invariant for verdict in report if verdict.counted})
    print(json.dumps({"runs": running.run, "judged": judged}), flush=True)
    os._exit(0)  # whatever the script has left behind


if __name__ == "__main__":
    main()
