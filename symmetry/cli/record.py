"""``symmetry record``: write a run of a training into a file, to be compared with later."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from symmetry.base.errors import OK
from symmetry.cli.isolation.parent import Isolated
from symmetry.cli.options import PATH, declared_options, option
from symmetry.cli.screen import current, say, terminal
from symmetry.comparison.options import ComparisonOptions, RunKeywords


@click.command("record", cls=Isolated, short_help="Record a run of a training, for compare.")
@click.argument("target", metavar="NAME")
@click.argument("file", metavar="FILE", type=PATH)
@declared_options(ComparisonOptions, RunKeywords)
@option(
    "--max-size",
    "GIB",
    "Largest size of the file; arrays are left out until it fits, the largest first.",
    1.0,
    click.FloatRange(min=0, min_open=True),
)
def command(target: str, file: Path, **options: Any) -> int:
    """Record a run of a training, to compare with later or on another machine.

    NAME is a training, as `symmetry check` takes it. FILE ends in .safetensors: no code is in it.
    It holds the start, the states, the gradients, the inputs and outputs of modules, the response
    of each to rounding, and the versions of the libraries.

    Exit status: 0 it was written, 2 the command could not do its work.
    """
    from symmetry.api import record

    current().enter(target)
    with terminal() as screen:
        left_out = record(target, file, progress=screen, **options)
    if left_out:
        say(f"left out: {', '.join(left_out)}")
    say(f"wrote {file}")
    return OK
