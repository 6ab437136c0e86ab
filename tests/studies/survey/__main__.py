"""Write reports/survey.md: every model type of transformers and module of timm, checked.

A survey that was interrupted goes on where it stopped: lines that are in survey.jsonl stay. It is
``symmetry check tests/studies/survey/targets.py:trainings`` in processes that have imported the
libraries already, since that takes longer than most checks.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from symmetry.base.folders import TemporaryFolder
from symmetry.cli import main as symmetry
from symmetry.cli.campaign.several import Line, Work, check_all, read_lines
from symmetry.report.table import ended, in_short
from tests.studies.survey.report import COMMAND, LINES, render

TARGETS = "tests/studies/survey/targets.py:trainings"


def main() -> int:
    parser = argparse.ArgumentParser(prog=COMMAND, description="Write reports/survey.md.")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="checks side by side  [1]")
    parser.add_argument("--time-limit", type=int, default=300, metavar="S", help="of each  [300]")
    parser.add_argument("--recipes", action="store_true", help="find recipes that are not kept")
    parser.add_argument("--render", action="store_true", help="check nothing: of what is there")
    parser.add_argument("--output", type=Path, default=Path("reports"), metavar="DIR")
    given = parser.parse_args()
    if given.recipes:
        from tests.studies.survey import images, language

        language.try_all()
        images.try_all()
        return 0
    results = given.output / LINES
    if not given.render:
        from tests.studies.survey.targets import trainings

        names = [f"{TARGETS}:{name}" for name, _ in trainings()]
        work = Copies((), "", given.time_limit)
        check_all(names, work, jobs=given.jobs, results=results, scheduler=None)
    lines = list(read_lines(results).values())
    render(lines).write(given.output)
    middle, high = np.percentile([line.get("cpu_seconds", 0) for line in lines], [50, 95])
    print(f"{len(lines)} models: {middle:.1f} CPU seconds in the median, 95 % below {high:.1f}")
    return 0


@dataclass(frozen=True)
class Copies(Work):
    """Checks each target in a copy of this process, for so many seconds at most."""

    limit: int = 0

    def check(self, target: str) -> tuple[Line, str]:
        """Return a target's line, and what it comes to."""
        began = time.monotonic()
        with TemporaryFolder() as folder:
            file = Path(folder, "line.json")
            child = multiprocessing.get_context("fork").Process(target=_check, args=(target, file))
            child.start()
            child.join(self.limit)
            if child.is_alive():
                child.kill()
                child.join()
            try:
                line = json.loads(file.read_text("utf-8"))
            except OSError:
                late = f"it did not end within {self.limit} seconds"
                why = late if child.exitcode == -signal.SIGKILL else "it died"
                line = {"trainer": target, "error": why, "results": []}
        # Without what is null: half of the file.
        line["results"] = [{k: v for k, v in r.items() if v is not None} for r in line["results"]]
        seconds = round(time.monotonic() - began, 2)
        line |= {"target": target, "seconds": seconds, "ended": ended(line)}
        return line, f"{target}: {in_short(line)}"


def _check(target: str, file: Path) -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(nowhere, stream)
    sys.argv = ["symmetry", "check", target, "--in-process", "--no-explain", "--line", str(file)]
    symmetry()


if __name__ == "__main__":
    sys.exit(main())
