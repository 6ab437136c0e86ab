"""Write reports/response.md: how many responses sound and broken trainings deviate by.

Rows stand in response.jsonl; a study that was interrupted goes on there. ``--anew`` begins again.
The rows of the survey and of the trainers, which take hours, are read as they are.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import torch

from symmetry.cli.campaign.several import read_lines
from tests.studies.commits import commit
from tests.studies.response.entries import entries
from tests.studies.response.report import COMMAND, LINES, render

REPORTS = Path("reports")


def main() -> int:
    parser = argparse.ArgumentParser(prog=COMMAND, description="Write reports/response.md.")
    parser.add_argument("--seconds", type=float, metavar="S", help="begin no row after S CPU s")
    parser.add_argument("--anew", action="store_true", help="forget the rows that are there")
    parser.add_argument("--only", default="", metavar="TEXT", help="entries with TEXT in the name")
    parser.add_argument("--render", action="store_true", help="measure nothing")
    parser.add_argument("--output", type=Path, default=REPORTS, metavar="DIR")
    given = parser.parse_args()
    file = given.output / LINES
    if given.anew:
        file.unlink(missing_ok=True)
    if not given.render:
        torch.set_num_threads(1)
        _measure(file, given.only, given.seconds)
    render(read_lines(file), REPORTS).write(given.output)
    return 0


def _measure(file: Path, only: str, seconds: float | None) -> None:
    known = read_lines(file) if file.exists() else {}
    for name, measure in entries().items():
        if name in known or only not in name:
            continue
        began = time.process_time()
        if seconds is not None and began > seconds:
            return
        row = measure()
        spent = round(time.process_time() - began, 2)
        with file.open("a", encoding="utf-8") as opened:
            line = {"target": name, "commit": commit(), "cpu_seconds": spent, **row}
            print(json.dumps(line), file=opened)
        print(name, spent, flush=True)


if __name__ == "__main__":
    sys.exit(main())
