"""Write reports/checks.md: what checks of twelve scripts cost, beside an epoch of each alone.

Rows that checks.jsonl has already are not measured again, unless ``--only`` names them. With
``--others PYTHON``, of an environment that has them, other libraries are measured instead.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from llvmlite.binding import get_host_cpu_name

from symmetry.cli.campaign.several import read_lines
from tests.studies.checks.costs import costs_of
from tests.studies.checks.others import CASES, LIBRARIES, libraries_for
from tests.studies.checks.report import COMMAND, LINES, MARKDOWN, SCRIPTS, render
from tests.studies.commits import commit

FOLDER = Path(__file__).parent


def main() -> int:
    parser = argparse.ArgumentParser(prog=COMMAND, description=f"Write reports/{MARKDOWN}.")
    parser.add_argument("--only", nargs="+", metavar="NAME", default=(), help="measure these anew")
    parser.add_argument("--others", metavar="PYTHON", help="measure other libraries with it")
    parser.add_argument("--render", action="store_true", help="measure nothing: of what is there")
    parser.add_argument("--output", type=Path, default=Path("reports"), metavar="DIR")
    given = parser.parse_args()
    file = given.output / LINES
    rows = read_lines(file) if file.exists() else {}
    for name in () if given.render else given.only or _missing(rows, given.others):
        measured = _beside(name, given.others) if given.others else _row(name)
        rows[name] = {**rows.get(name, {}), **measured}
        texts = (json.dumps(rows[name]) for name in SCRIPTS if name in rows)
        file.write_text("".join(f"{text}\n" for text in texts), encoding="utf-8")
        print(json.dumps(measured), flush=True)
    render(rows).write(given.output)
    return 0


def _missing(rows: Mapping[str, Any], others: str | None) -> list[str]:
    """Return the scripts that are not yet measured, or not yet with the other libraries."""
    if others is None:
        return [name for name in SCRIPTS if name not in rows]
    return [name for name in CASES if not rows.get(name, {}).keys() & {*LIBRARIES}]


def _row(name: str) -> dict[str, Any]:
    """Measure a script alone, and its check, one after the other."""
    script = str(FOLDER / "scripts" / f"{name}.py")
    return {
        "target": name,
        "code": commit(),
        "processor": get_host_cpu_name(),
        "alone": costs_of([sys.executable, script], answers=False),
        "check": costs_of([sys.executable, "-m", "tests.studies.checks.one", script]),
    }


def _beside(name: str, python: str) -> dict[str, Any]:
    """Measure the other libraries, one after the other, on the model of a script."""
    file = str(FOLDER / "others.py")
    return {each: costs_of([python, file, each, name]) for each in libraries_for(name)}


if __name__ == "__main__":
    sys.exit(main())
