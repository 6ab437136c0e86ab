"""Write reports/jax-examples.md: the public examples of JAX libraries, each checked.

Their files are no part of this project: ``--sources DIR`` is a folder with checkouts of the
repositories that ``sources.py`` names. A study that was interrupted goes on where it stopped: lines
that are in jax-examples.jsonl stay. It is ``symmetry check FILE:FUNCTION`` in copies of a process
that has imported the libraries already, since that takes long.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from pathlib import Path

from symmetry.cli.campaign.several import check_all, read_lines
from tests.studies.copies import Copies, forget, show
from tests.studies.jax_examples.examples import listed
from tests.studies.jax_examples.report import COMMAND, LINES, render
from tests.studies.jax_examples.sources import VARIABLE

_IMPORTED = "flax.linen", "flax.nnx", "equinox", "optax", "haiku"
_LIMIT = 600  # CPU seconds, after which a check is given up


def main() -> int:
    parser = argparse.ArgumentParser(prog=COMMAND, description="Write reports/jax-examples.md.")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="checks side by side  [1]")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="check these, anew")
    parser.add_argument("--render", action="store_true", help="check nothing: of what is there")
    parser.add_argument("--sources", type=Path, default=Path("sources"), metavar="DIR")
    parser.add_argument("--output", type=Path, default=Path("reports"), metavar="DIR")
    given = parser.parse_args()
    file = given.output / LINES
    if not given.render:
        more = {VARIABLE: str(given.sources.absolute())}
        os.environ.update(OMP_NUM_THREADS="1", KERAS_BACKEND="jax", **more)
        targets = [each.target for each in listed() if each.name in (given.only or [each.name])]
        if given.only and file.exists():
            forget(file, targets)
        for module in _IMPORTED:
            importlib.import_module(module)
        work = Copies((), str(Path.cwd()), _LIMIT)
        check_all(targets, work, jobs=given.jobs, results=file, scheduler=None, show=show)
    render(read_lines(file)).write(given.output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
