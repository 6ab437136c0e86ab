"""Write reports/frameworks.md: after which update equal hidden units split, by framework."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from itertools import groupby
from pathlib import Path
from typing import Any

from symmetry.report.filling import environment, fill_paragraphs, relative
from symmetry.units.words import in_ulps
from tests.studies.rows import REPORTS, Row, commit, made_at, read_rows, write_rows

COMMAND = "python -m tests.studies.frameworks"
MARKDOWN, ROWS = "frameworks.md", "frameworks.jsonl.gz"
# Every library has a variable of its own for the number of its threads.
THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMBA_NUM_THREADS",
)
_OPENBLAS = ("OPENBLAS_CORETYPE=Haswell", "OPENBLAS_CORETYPE=Nehalem")
_TORCH = ("", "deterministic", "threads=1", "MKL_CBWR=AVX2")
# Trainers without and with settings, at sizes where units were seen to split without.
TRIALS = [
    {"trainer": name, "setting": setting, "hidden": hidden, "iterations": number, "dtype": dtype}
    for names, settings, hidden, number, dtype in (
        (("numba", "numpy", "torch", "torch-autograd", "jax"), ("",), 200, 100, "float32"),
        (("torch", "torch-autograd"), _TORCH, 200, 10, "float32"),
        (("torch",), ("", "deterministic", "MKL_CBWR=AVX2"), 192, 10, "float32"),
        (("numpy",), ("", "threads=1", *_OPENBLAS), 201, 10, "float64"),
        (("jax",), ("", "threads=1", "XLA_FLAGS=--xla_cpu_max_isa=AVX2"), 201, 10, "float64"),
    )
    for name in names
    for setting in settings
]


def main() -> int:
    parser = argparse.ArgumentParser(prog=COMMAND, description=f"Write reports/{MARKDOWN}.")
    parser.add_argument("--render", action="store_true", help="measure nothing: of what is there")
    parser.add_argument("--output", type=Path, default=REPORTS, metavar="DIR")
    given = parser.parse_args()
    file = given.output / ROWS
    if not given.render:
        write_rows(file, map(measured, TRIALS))
    (given.output / MARKDOWN).write_text(render(read_rows(file)), "utf-8")
    return 0


def measured(trial: dict[str, Any]) -> Row:
    """Return the row of a trial, from a process that has its setting."""
    name, _, value = trial["setting"].partition("=")
    variables = {name: value} if name.isupper() else {}
    if name == "threads":
        variables = dict.fromkeys(THREADS, value)
    command = [sys.executable, "-m", "tests.studies.frameworks.one", json.dumps(trial)]
    found = subprocess.run(
        command, env={**os.environ, **variables}, stdout=subprocess.PIPE, text=True, check=True
    )
    print(found.stdout, end="", flush=True)
    return {**trial, "commit": commit(), **json.loads(found.stdout.splitlines()[-1])}


def render(rows: list[Row]) -> str:
    """Return the page of some rows."""
    parts = [[*part] for _, part in groupby(rows, lambda row: [row[key] for key in _TASK])]
    template = environment(Path(__file__).parent).get_template(f"{MARKDOWN}.jinja")
    text = template.render(
        command=COMMAND,
        made=made_at(rows),
        main=parts[0],
        parts=parts,
        helped=[each for part in parts for each in part if _helps(each, part)],
        libraries=sorted({row["library"] for row in rows}),
        processors=sorted({row["processor"] for row in rows}),
        splits=splits,
        in_ulps=in_ulps,
        relative=relative,
    )
    return fill_paragraphs(text)


_TASK = "hidden", "iterations", "dtype"


def splits(row: Row) -> str:
    """Return when equal units split."""
    return f"iteration {row['split']['iteration']}" if row["split"] else "never"


def _helps(row: Row, part: list[Row]) -> bool:
    """Return whether units stay identical with a setting, and split without it."""
    plain = next(each for each in part if each["trainer"] == row["trainer"])
    return plain["split"] is not None and row["split"] is None


if __name__ == "__main__":
    sys.exit(main())
