"""The rows of the report: each entry of the zoo is checked once, and its row is kept at once.

A study that was interrupted goes on where it stopped. A row counts only for the code, and for the
versions of NumPy and PyTorch, that it was measured with.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from symmetry.base.errors import SymmetryError
from symmetry.cli.campaign.several import read_lines

Row = dict[str, Any]
ROOT = Path(__file__).parents[3]
_CODE = ("symmetry", "tests/faulty", "tests/sound", "tests/studies/faults")


def measured(
    measures: Mapping[str, Callable[[], Row]],
    file: Path,
    jobs: int | None,
    on_row: Callable[[int, int, Row], None],
) -> dict[str, Row]:
    """Return the row of each entry; those that are in the file already are not measured again.

    Each of ``jobs`` processes, by default one for each core, takes the next entry when it is free:
    it imports and compiles once. What comes out does not depend on how many there are.
    """
    known = _known(file)
    missing = [name for name in measures if name not in known]
    if kept := len(measures) - len(missing):
        print(f"{kept} of {len(measures)} rows are in {file} already", flush=True)
    file.write_text("".join(f"{json.dumps(row)}\n" for row in known.values()), "utf-8")
    # A copy of this process has the measures, which cannot be sent.
    fork = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(jobs, fork, _prepare, (measures,)) as pool, file.open("a") as opened:
        futures = [pool.submit(_row, name) for name in missing]
        try:
            for number, future in enumerate(as_completed(futures), 1):
                row = future.result()
                known[row["target"]] = row
                print(json.dumps(row), file=opened, flush=True)
                on_row(number, len(missing), row)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return {name: known[name] for name in measures}


def _known(file: Path) -> dict[str, Row]:
    """Return the rows that were measured with this code."""
    rows = read_lines(file) if file.exists() else {}
    return {name: row for name, row in rows.items() if row.get("code") == code()}


_measures: Mapping[str, Callable[[], Row]] = {}


def _prepare(measures: Mapping[str, Callable[[], Row]]) -> None:
    global _measures
    _measures = measures


def _row(name: str) -> Row:
    began = time.process_time()
    try:
        found = _measures[name]()
    except Exception as error:
        raise SymmetryError(f"{name} cannot be measured: {error}") from error
    return {
        "target": name,
        "code": code(),
        "cpu_seconds": round(time.process_time() - began, 2),
        **found,
    }


@cache
def code() -> str:
    """Return a digest of what the rows follow from."""
    digest = hashlib.sha256(" ".join(map(version, ("numpy", "torch"))).encode())
    files = [file for folder in _CODE for file in sorted((ROOT / folder).rglob("*.py"))]
    for file in (*files, ROOT / "tests" / "checking.py"):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:12]
