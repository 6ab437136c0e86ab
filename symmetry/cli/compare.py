"""``symmetry compare``: the experiment on several trainers side by side, then the report."""

from pathlib import Path
from typing import Any

import click

from symmetry.base.errors import OK
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


@click.command("compare", short_help="Run the experiment on several frameworks side by side.")
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
    from symmetry.base.files import writable_directory
    from symmetry.cli.comparing import Shown
    from symmetry.comparison.compare import compare
    from symmetry.comparison.entrant import parse_entrants
    from symmetry.comparison.environment import this_machine
    from symmetry.comparison.study import Study, full_study
    from symmetry.experiment.task import Settings, Task, task_of_case
    from symmetry.report.comparison import JSON, MARKDOWN, render_study

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
