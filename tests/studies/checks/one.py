"""Checks one script in this process, and prints the costs as a line of JSON."""

from __future__ import annotations

import json
import os
import sys

import symmetry
from symmetry.base.calls import running
from symmetry.base.memory import keep
from symmetry.base.processes import cpu_seconds


class Parts(symmetry.Progress):
    """The CPU seconds of the parts of a check: each invariant, and what comes before."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._part, self._since = "imports", 0.0

    def case(self, invariant: str, *_: object) -> None:
        self.end()
        self._part = invariant.partition(":")[0]

    def end(self) -> None:
        """Add what was used since the last part began."""
        now = cpu_seconds()
        self.seconds[self._part] = self.seconds.get(self._part, 0.0) + now - self._since
        self._since = now


def main() -> None:
    forks: list[int] = []
    os.register_at_fork(after_in_parent=lambda: forks.append(1))
    parts = Parts()
    keep()  # as the process of the command does
    report = symmetry.check(symmetry.script(sys.argv[1]), progress=parts)
    parts.end()
    costs = {
        "runs": running.run,
        "forks": len(forks),
        "status": report.status,
        "judged": len({verdict.invariant for verdict in report if verdict.counted}),
        "parts": {part: round(seconds, 2) for part, seconds in parts.seconds.items()},
    }
    print(json.dumps(costs), flush=True)
    os._exit(0)  # whatever the script has left behind


if __name__ == "__main__":
    main()
