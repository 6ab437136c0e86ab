"""Write reports/response.md: how many responses sound and broken trainings deviate by, in minutes.

The rows of the survey and of the trainers, which take hours, are read as they are.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import torch

from tests.studies.response.entries import entries
from tests.studies.response.report import COMMAND, ROWS, render
from tests.studies.rows import REPORTS, Row, commit, read_rows, write_rows


def main() -> int:
    parser = argparse.ArgumentParser(prog=COMMAND, description="Write reports/response.md.")
    parser.add_argument("--render", action="store_true", help="measure nothing: of what is there")
    parser.add_argument("--output", type=Path, default=REPORTS, metavar="DIR")
    given = parser.parse_args()
    if not given.render:
        torch.set_num_threads(1)
        write_rows(given.output / ROWS, _measured())
    render(read_rows(given.output / ROWS), REPORTS).write(given.output)
    return 0


def _measured() -> Iterator[Row]:
    for name, measure in entries().items():
        began = time.process_time()
        row = measure()
        spent = round(time.process_time() - began, 2)
        print(name, spent, flush=True)
        yield {"target": name, "commit": commit(), "cpu_seconds": spent, **row}


if __name__ == "__main__":
    sys.exit(main())
