"""The rows of a study, as lines of JSON: each has the commit of the code that measured it."""

from __future__ import annotations

import gzip
import json
import subprocess
from collections import Counter
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

Row = dict[str, Any]
REPORTS = Path(__file__).parents[2] / "reports"


@cache
def commit() -> str:
    """Return the commit of the code that measures."""
    command = ["git", "-C", str(REPORTS.parent), "rev-parse", "--short=8", "HEAD"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def read_rows(file: Path) -> list[Row]:
    """Return the rows of a compressed file."""
    return [*map(json.loads, gzip.decompress(file.read_bytes()).decode().splitlines())]


def write_rows(file: Path, rows: Iterable[Row]) -> None:
    """Write rows into a compressed file; the same rows give the same bytes."""
    text = "".join(f"{json.dumps(row)}\n" for row in rows)
    file.write_bytes(gzip.compress(text.encode(), mtime=0))


def made_at(rows: Iterable[Row]) -> str:
    """Return the sentence that names the commits of rows."""
    commits = Counter(row["commit"] for row in rows)
    if len(commits) == 1:
        return f"Made at commit {next(iter(commits))} ({commits.total()} rows)."
    named = ", ".join(f"{name} ({number})" for name, number in sorted(commits.items()))
    return f"Made at {len(commits)} commits (number of rows): {named}."
