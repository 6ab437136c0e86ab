"""``python -m tests.studies.frameworks``: the experiment in several frameworks, then its report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from symmetry.base.errors import OK
from symmetry.base.files import writable_directory
from symmetry.cli import main
from symmetry.cli.options import (
    WHOLE,
    as_typed,
    experiment_options,
    is_usual,
    load_data,
    option,
    output_directory,
    read_case,
    report_options,
)
from symmetry.cli.screen import say, terminal
from symmetry.experiment.settings import Settings
from tests.studies.frameworks.compare import compare
from tests.studies.frameworks.entrant import parse_entrants
from tests.studies.frameworks.environment import this_machine
from tests.studies.frameworks.report import JSON, MARKDOWN, render_study
from tests.studies.frameworks.shown import Shown
from tests.studies.frameworks.study import Study, full_study
from tests.studies.frameworks.task import Task, task_of_case


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("trainers", nargs=-1, metavar="[TRAINER]...")
@experiment_options
@option(
    "--case",
    "JSON|FILE",
    "Compare on a generated case, as `symmetry check` prints it, instead of the data.",
)
@option(
    "--threads",
    "N",
    "Threads of every trainer.  [default: what its libraries choose; 1 with --case]",
    kind=WHOLE,
)
@report_options
def command(
    trainers: tuple[str, ...],
    data: Path | None,
    classes: int,
    case: str | None,
    threads: int | None,
    output: Path | None,
    quiet: bool,
    **options: Any,
) -> int:
    """Train from zero weights in several frameworks, and report which tell equal units apart.

    TRAINER is numba, numpy, torch, torch-autograd or jax; or your own, as package.module:attribute
    or path/to/file.py:attribute. Without any, all that are installed are compared. Each runs in a
    process of its own, and they take turns, iteration by iteration. A name may carry settings for
    its process: 'torch[MKL_CBWR=AVX2]', 'torch[deterministic]', 'numpy[threads=1]', several of them
    separated by commas.

    The report is written to `frameworks.md`, with its figures and `frameworks.json`. Without
    trainers and options it has two more parts: settings that are said to help, and a case in which
    one rounding grows into another network.

    Exit status: 0 the comparison was made, whatever it found; 2 it could not be made, or a trainer
    that was named failed.
    """
    entrants, settings = parse_entrants(trainers), Settings(**options)
    usual = is_usual(settings, data, classes)
    if case is not None and not usual:
        raise click.UsageError("--case holds all sizes, so it cannot go with options for them.")
    whole = usual and not (trainers or case or threads)
    output = output_directory(output, usual=whole, what="comparison")
    task = None if case is None else task_of_case(read_case(case, "compared"))
    writable_directory(output, MARKDOWN, JSON)
    with terminal(quiet=quiet):
        if whole:
            found = full_study(load_data(data, classes), settings, Shown())
        else:
            task = task or Task(load_data(data, classes), settings)
            compared = compare(task, entrants, threads=threads, listener=Shown())
            found = Study(this_machine(), compared)
        render_study(found, as_typed()).write(output)
    if not quiet:
        say(f"report  {output / MARKDOWN}")
    return OK


if __name__ == "__main__":
    main(command, "python -m tests.studies.frameworks")
