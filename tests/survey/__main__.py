"""Write reports/survey.md: every model type of transformers and module of timm, checked.

A survey that was interrupted goes on where it stopped: lines that are in survey.jsonl stay.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import numpy as np

from symmetry.base.processes import command
from symmetry.cli.several import read_lines
from tests.survey.report import COMMAND, LINES, render


def main() -> int:
    parser = argparse.ArgumentParser(prog=COMMAND, description="Write reports/survey.md.")
    parser.add_argument("--jobs", default="1", metavar="N", help="checks side by side  [1]")
    parser.add_argument("--time-limit", default="120", metavar="SECONDS", help="of each  [120]")
    parser.add_argument("--render", action="store_true", help="check nothing: of what is there")
    parser.add_argument("--output", type=Path, default=Path("reports"), metavar="DIR")
    parser.add_argument("--recipes", action="store_true", help="find recipes that are not kept")
    given = parser.parse_args()
    if given.recipes:
        from tests.survey import images, language

        language.try_all()
        images.try_all()
        return 0
    results = given.output / LINES
    if not given.render:
        options = "--jobs", given.jobs, "--time-limit", given.time_limit, "--results", str(results)
        check = command("symmetry.cli", "check", "tests/survey/targets.py:trainings", *options)
        if subprocess.run(check, check=False).returncode not in (0, 1, 2):
            return 1
    lines = list(read_lines(results).values())
    render(lines).write(given.output)
    middle, high = np.percentile([line.get("cpu_seconds", 0) for line in lines], [50, 95])
    print(f"{len(lines)} models: {middle:.1f} CPU seconds in the median, 95 % below {high:.1f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
