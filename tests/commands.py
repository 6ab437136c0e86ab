"""Runs command lines one after the other in one process: importing PyTorch takes longer than they.

``python -m tests.commands FILE``: the file holds a list of lists of arguments, in JSON. What became
of them is written beside it, by each process that torchrun has started.
"""

from __future__ import annotations

import io
import json
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

from symmetry.base import ranks
from symmetry.cli import execute


def ended(arguments: list[str]) -> dict[str, Any]:
    """Run one command line; return its exit status and what it printed."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        status = execute(arguments)
    return {"status": status, "out": out.getvalue(), "err": err.getvalue()}


if __name__ == "__main__":
    file = Path(sys.argv[1])
    found = [*map(ended, json.loads(file.read_text()))]
    file.with_suffix(f".{ranks.rank()}").write_text(json.dumps(found))
