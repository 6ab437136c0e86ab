"""Write reports/silent.md: pairs of a broken script and its sound twin, before several tools.

What was measured stands in silent.jsonl; a study that was interrupted goes on there. A tool runs
in the environment where it is installed: ``--tool NAME`` is called there, and adds its rows.
"""

from __future__ import annotations

import argparse
import importlib
import json
from hashlib import sha256
from pathlib import Path

from tests.studies.silent.cell import measure
from tests.studies.silent.pairs import PAIRS
from tests.studies.silent.report import COMMAND, LINES, put, read, render
from tests.studies.silent.tools import TOOLS, Tool

_IMPORTED = "torch", "torch.utils.checkpoint", "torch.distributions"  # what takes long


def main() -> int:
    named = {tool.name: tool for tool in TOOLS}
    parser = argparse.ArgumentParser(prog=COMMAND, description=__doc__)
    parser.add_argument("--tool", nargs="+", choices=named, default=[*named], metavar="NAME")
    parser.add_argument(
        "--only", nargs="+", choices=[p.name for p in PAIRS], metavar="PAIR", help="these, anew"
    )
    parser.add_argument("--render", action="store_true", help="measure nothing, write the report")
    parser.add_argument("--output", type=Path, default=Path("reports"), metavar="DIR")
    given = parser.parse_args()
    file = given.output / LINES
    if not given.render:
        for name in given.tool:
            _measure(named[name], given.only, file)
    render(read(file)).write(given.output)
    return 0


def _measure(tool: Tool, only: list[str] | None, file: Path) -> None:
    """Write the rows of a tool: those that are not there, or of some pairs anew."""
    if tool.version is None:
        print(f"{tool.name}: not installed here (pip install {tool.package})", flush=True)
        return
    print(f"{tool.name} {tool.version}", flush=True)
    for module in _IMPORTED if tool.inside else ():
        importlib.import_module(module)
    known = {row["pair"] for row in read(file) if row["tool"] == tool.name and "set" not in row}
    pairs = {pair.name: pair for pair in PAIRS}
    missing = sorted(pairs.keys() - known, key=_drawn)
    for name in only or missing:
        row = measure(pairs[name], tool)
        print(json.dumps(row), flush=True)
        put(row, file)


def _drawn(name: str) -> bytes:
    """Return the place of a pair in an order that has nothing to do with its bug."""
    return sha256(name.encode()).digest()


if __name__ == "__main__":
    raise SystemExit(main())
