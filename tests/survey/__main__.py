"""Write reports/survey.md: every model type of transformers and module of timm, checked.

A survey that was interrupted goes on where it stopped: lines that are in survey.jsonl stay. It is
``symmetry check tests/survey/targets.py:trainings`` in processes that have imported the libraries
already, since that takes longer than most checks.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import numpy as np

from symmetry.cli import main as symmetry
from symmetry.cli.several import append, read_lines
from symmetry.report.table import ended, in_short
from tests.survey.report import COMMAND, LINES, render

TARGETS = "tests/survey/targets.py:trainings"


def main() -> int:
    parser = argparse.ArgumentParser(prog=COMMAND, description="Write reports/survey.md.")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="checks side by side  [1]")
    parser.add_argument("--time-limit", type=int, default=300, metavar="S", help="of each  [300]")
    parser.add_argument("--recipes", action="store_true", help="find recipes that are not kept")
    parser.add_argument("--render", action="store_true", help="check nothing: of what is there")
    parser.add_argument("--output", type=Path, default=Path("reports"), metavar="DIR")
    given = parser.parse_args()
    if given.recipes:
        from tests.survey import images, language

        language.try_all()
        images.try_all()
        return 0
    results = given.output / LINES
    if not given.render:
        check_all(results, given.jobs, given.time_limit)
    lines = list(read_lines(results).values())
    render(lines).write(given.output)
    middle, high = np.percentile([line.get("cpu_seconds", 0) for line in lines], [50, 95])
    print(f"{len(lines)} models: {middle:.1f} CPU seconds in the median, 95 % below {high:.1f}")
    return 0


def check_all(results: Path, jobs: int, limit: int) -> None:
    """Check what has no line yet, each in a process of its own; append its line."""
    from tests.survey.targets import trainings

    names = [f"{TARGETS}:{name}" for name, _ in trainings()]
    known = read_lines(results) if results.exists() else {}
    missing = [name for name in names if name not in known]
    with ThreadPoolExecutor(jobs) as executor:
        futures = [executor.submit(checked, name, limit) for name in missing]
        for number, future in enumerate(as_completed(futures), 1):
            line = future.result()
            append(results, line)
            print(f"{number} of {len(missing)}: {line['target']}: {in_short(line)}", flush=True)


def checked(target: str, limit: int) -> dict[str, Any]:
    """Check one target in a copy of this process; return its line."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "line.json")
        child = multiprocessing.get_context("fork").Process(target=_check, args=(target, file))
        child.start()
        child.join(limit)
        if child.is_alive():
            child.kill()
            child.join()
        try:
            line = json.loads(file.read_text("utf-8"))
        except OSError:
            why = f"it did not end within {limit} seconds" if child.exitcode == -9 else "it died"
            line = {"trainer": target, "error": why, "results": []}
    # Without what is null: half of the file.
    line["results"] = [{k: v for k, v in r.items() if v is not None} for r in line["results"]]
    seconds = round(time.monotonic() - began, 2)
    return {"target": target, **line, "seconds": seconds, "ended": ended(line)}


def _check(target: str, file: Path) -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(nowhere, stream)
    sys.argv = ["symmetry", "check", target, "--in-process", "--no-explain", "--line", str(file)]
    symmetry()


if __name__ == "__main__":
    sys.exit(main())
