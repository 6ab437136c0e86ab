"""The rows of a study: what is kept of the answer to each target, as compressed lines of JSON.

A row has the commit of the code that checked, the exit status, what the check says in short, the
CPU seconds, how many invariants it judged, which are violated, the notes, and the verdicts:
invariant, precision, verdict and, where there is one, the ratio to the response.
"""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

Row = dict[str, Any]
BAD = ("violated", "error", "not finished")
_SAYS_MORE = (*BAD, "rounding", "holds", "vacuous")


def file_of(study: str, folder: Path) -> Path:
    """Return where the rows of a study stand."""
    return folder / f"{study}.jsonl.gz"


def read(file: Path) -> dict[str, Row]:
    """Return the rows of a file by target."""
    texts = gzip.decompress(file.read_bytes()).decode().splitlines() if file.exists() else ()
    return {row["target"]: row for row in map(json.loads, texts)}


def write(file: Path, rows: Iterable[Row]) -> None:
    """Write rows; the same rows give the same bytes."""
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    file.write_bytes(gzip.compress(text.encode(), mtime=0))


def row_of(target: str, code: str, line: Mapping[str, Any]) -> Row:
    """Return what is kept of a line that ``symmetry check --results`` has written."""
    results = [each for each in line["results"] if each["verdict"] != "not applicable"]
    row: Row = {
        "target": target,
        "code": code,
        "exit": line.get("exit_status", 2),
        "said": line.get("conclusion") or line.get("error", ""),
    }
    if "cpu_seconds" in line:
        row["seconds"] = line["cpu_seconds"]
    return row | {
        "judged": len({each["name"] for each in results if each["verdict"] != "vacuous"}),
        "violations": [*dict.fromkeys(_place(each) for each in results if each["verdict"] in BAD)],
        "notes": [each["name"] for each in line.get("notes", ())],
        "units": line.get("table", {}).get("units", ""),
        "results": [_verdict(each) for each in results],
    }


def _place(result: Mapping[str, Any]) -> str:
    """Return the invariant that is violated, and the line of the script."""
    where = f" {Path(result['file']).name}:{result['line']}" if result.get("file") else ""
    return f"{result['name']}{where}"


def _verdict(result: Mapping[str, Any]) -> list[Any]:
    ratio = result.get("ratio")
    known = [] if ratio is None else [ratio]
    return [result["name"], result["dtype"], result["verdict"], *known]


def names(row: Row) -> list[str]:
    """Return the invariants that a target violates."""
    return [*dict.fromkeys(each.split()[0] for each in row["violations"])]


def laws(rows: Iterable[Row]) -> dict[str, Counter[str]]:
    """Return by invariant how many targets have which verdict.

    An invariant that was judged in two precisions has the verdict that says more.
    """
    found: dict[str, Counter[str]] = {}
    for row in rows:
        kinds: dict[str, set[str]] = {}
        for name, _, verdict, *_ in row["results"]:
            kinds.setdefault(name, set()).add(verdict)
        for name, each in kinds.items():
            worst = next(kind for kind in _SAYS_MORE if kind in each)
            found.setdefault(name, Counter())["violated" if worst in BAD else worst] += 1
    return dict(sorted(found.items()))
