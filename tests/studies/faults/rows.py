"""The rows of the report: each entry of the zoo is checked once, and its row is kept at once.

A study that was interrupted goes on where it stopped. A row counts only for the code, and for the
versions of NumPy and PyTorch, that it was measured with.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import cache, partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from symmetry.base.errors import SymmetryError
from symmetry.cli.campaign.several import read_lines
from tests.studies.copies import commit

Row = dict[str, Any]
Measure = Callable[[str], Row]
ROOT = Path(__file__).parents[3]
_CODE = ("symmetry", "tests/faulty", "tests/sound", "tests/studies/faults")


def measured(
    names: Sequence[str],
    measure: Measure,
    file: Path,
    jobs: int | None,
    on_row: Callable[[int, int, Row], None],
) -> dict[str, Row]:
    """Return the row of each entry; those that are in the file already are not measured again.

    Each of ``jobs`` processes, by default one for each core, takes the next entry when it is free:
    it imports and compiles once. What comes out does not depend on how many there are.
    """
    known = _known(file)
    missing = [name for name in names if name not in known]
    if kept := len(names) - len(missing):
        print(f"{kept} of {len(names)} rows are in {file} already", flush=True)
    file.write_text("".join(f"{json.dumps(row)}\n" for row in known.values()), "utf-8")
    with file.open("a", encoding="utf-8") as opened:
        for number, row in enumerate(_rows(missing, partial(_row, measure), jobs), 1):
            known[row["target"]] = row
            print(json.dumps(row), file=opened, flush=True)
            on_row(number, len(missing), row)
    return {name: known[name] for name in names}


def _known(file: Path) -> dict[str, Row]:
    """Return the rows that were measured with this code."""
    rows = read_lines(file) if file.exists() else {}
    return {name: row for name, row in rows.items() if row.get("code") == code()}


def _rows(names: Sequence[str], row: Measure, jobs: int | None) -> Iterator[Row]:
    """Yield each row as soon as it is there."""
    if jobs == 1:
        yield from map(row, names)
        return
    # No fork: JAX, where it is imported, warns of each.
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn")) as pool:
        futures = [pool.submit(row, name) for name in names]
        try:
            for future in as_completed(futures):
                yield future.result()
        finally:
            pool.shutdown(cancel_futures=True)


def _row(measure: Measure, name: str) -> Row:
    began = time.process_time()
    try:
        found = measure(name)
    except Exception as error:
        raise SymmetryError(f"{name} cannot be measured: {error}") from error
    seconds = round(time.process_time() - began, 2)
    return {"target": name, "code": code(), "commit": commit(), "cpu_seconds": seconds, **found}


@cache
def code() -> str:
    """Return a digest of what the rows follow from."""
    digest = hashlib.sha256(" ".join(map(version, ("numpy", "torch"))).encode())
    files = [file for folder in _CODE for file in sorted((ROOT / folder).rglob("*.py"))]
    for file in (*files, ROOT / "tests" / "checking.py"):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:12]
