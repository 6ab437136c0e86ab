"""Other sets of bugs before symmetry: their rows join silent.jsonl, with the name of the set.

``python -m tests.studies.silent.sets SET FOLDER`` runs it with ``FOLDER/*/{bug,fixed}.py``, the
scripts of others, which are not kept here; the operators of DeepCrime need no folder.
"""

from __future__ import annotations

import argparse
import json
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.studies.silent.cell import measure
from tests.studies.silent.operators import OPERATORS, mutated
from tests.studies.silent.pair import Pair
from tests.studies.silent.report import COMMAND, LINES, put, read, render
from tests.studies.silent.tools import TOOLS


@dataclass(frozen=True)
class Written(Pair):
    """A pair whose scripts are given as texts."""

    texts: tuple[str, str] = "", ""

    @property
    def broken(self) -> str:
        return self.texts[0]

    @property
    def twin(self) -> str:
        return self.texts[1]


def of_folder(folder: Path) -> Iterator[Written]:
    """Yield the pairs of a folder; a line ``run:`` of ABOUT has the options of symmetry."""
    for bug in sorted(folder.glob("*/bug.py")):
        about = bug.with_name("ABOUT")
        lines = about.read_text("utf-8").splitlines() if about.exists() else []
        run = next((line.partition("bug.py")[2] for line in lines if line.startswith("run:")), "")
        texts = bug.read_text("utf-8"), bug.with_name("fixed.py").read_text("utf-8")
        yield Written(bug.parent.name, "", "", (), options=(*shlex.split(run),), texts=texts)


def of_deepcrime() -> Iterator[Written]:
    """Yield a pair for each operator and sound script that it applies to."""
    for operator in OPERATORS:
        for name, texts in mutated(operator):
            yield Written(name, "", "", (), texts=texts)


def main() -> int:
    parser = argparse.ArgumentParser(prog=f"{COMMAND}.sets", description=__doc__)
    parser.add_argument("set", metavar="SET")
    parser.add_argument("folder", nargs="?", type=Path, metavar="FOLDER")
    parser.add_argument("--only", nargs="+", metavar="BUG", help="these, anew")
    parser.add_argument("--output", type=Path, default=Path("reports"), metavar="DIR")
    given = parser.parse_args()
    file = given.output / LINES
    known = {row["pair"] for row in read(file) if row.get("set") == given.set}
    for pair in of_folder(given.folder) if given.folder else of_deepcrime():
        if pair.name not in given.only if given.only else pair.name in known:
            continue
        row = {"set": given.set, **measure(pair, TOOLS[0])}
        print(json.dumps(row), flush=True)
        put(row, file)
    render(read(file)).write(given.output)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
