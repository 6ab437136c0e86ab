"""Write reports/jax-examples.md: the public examples of JAX libraries, each checked.

Their files are no part of this project: ``--sources DIR`` is a folder with checkouts of the
repositories that ``sources.py`` names. A study that was interrupted goes on where it stopped: lines
that are in jax-examples.jsonl stay. It is ``symmetry check FILE:FUNCTION`` in copies of a process
that has imported the libraries already, since that takes long.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from symmetry.cli.campaign.several import read_lines
from tests.studies.copies import check_in_copies, options
from tests.studies.jax_examples.examples import listed
from tests.studies.jax_examples.report import COMMAND, LINES, MARKDOWN, render
from tests.studies.jax_examples.sources import VARIABLE

_IMPORTED = "flax.linen", "flax.nnx", "equinox", "optax", "haiku"
_LIMIT = 600  # CPU seconds, after which a check is given up


def main() -> int:
    parser = options(COMMAND, MARKDOWN)
    parser.add_argument("--sources", type=Path, default=Path("sources"), metavar="DIR")
    given = parser.parse_args()
    file = given.output / LINES
    if not given.render:
        more = {VARIABLE: str(given.sources.absolute())}
        os.environ.update(OMP_NUM_THREADS="1", KERAS_BACKEND="jax", **more)
        targets = [(each.name, each.target) for each in listed()]
        check_in_copies(targets, file, given, imported=_IMPORTED, limit=_LIMIT)
    render(read_lines(file)).write(given.output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
