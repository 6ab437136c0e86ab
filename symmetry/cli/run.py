"""``symmetry run``: the MNIST experiment, shown while it trains, then its report."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from symmetry.base.errors import FOUND, OK, SymmetryError
from symmetry.cli.options import (
    PATH,
    SEED,
    WHOLE,
    experiment_options,
    flag,
    is_usual,
    load_data,
    option,
    output_directory,
    report_options,
)
from symmetry.cli.screen import current, numbers, on_terminal, say, terminal

if TYPE_CHECKING:
    from symmetry.experiment.run import Experiment, Point

_TEXTS = ("mnist.md", "mnist.json")


@click.command("run", short_help="Repeat the MNIST experiment and write its report.")
@experiment_options
@option(
    "--init",
    None,
    "Start of the weights. From random weights units become different: no violation.",
    "zero",
    click.Choice(["zero", "random"]),
)
@option("--seed", "N", "Seed of the random start, of this run or of its control.", 0, SEED)
@flag("--collapsed", "Train the collapsed network only: one unit for all.")
@flag("--no-control", "Leave out the control run from a random start.")
@option(
    "--threads",
    "N",
    "Threads to compute with; they never change a bit.  [default: NUMBA_NUM_THREADS or all cores]",
    kind=WHOLE,
)
@option(
    "--save-weights",
    "FILE.npz",
    "Write the final weights to FILE.npz, as arrays w1 and w2.",
    kind=PATH,
)
@flag("--check", "Write nothing; exit 1 if the report is missing or would change.")
@report_options
def command(
    data: Path | None,
    classes: int,
    no_control: bool,
    threads: int | None,
    output: Path | None,
    save_weights: Path | None,
    check: bool,
    quiet: bool,
    **options: Any,
) -> int:
    """Train a network whose weights all start at zero, and report whether its units stay equal.

    The defaults are the experiment's own: MNIST, 784-200-10, 100 full-batch iterations at learning
    rate 0.01. After every iteration all hidden units are compared bit by bit. The report is written
    to `reports/mnist.md`, with its figures and `mnist.json`.

    Exit status: 0 the units stayed equal (or `--init random`), 1 they did not, or `--check` found a
    difference; 2 the command could not do its work.
    """
    from concurrent.futures import ThreadPoolExecutor

    loading = ThreadPoolExecutor(1).submit(load_data, data, classes)  # while Numba is imported
    from symmetry.base.files import writable_directory, writable_files
    from symmetry.experiment.report import render_experiment
    from symmetry.experiment.run import run_experiment
    from symmetry.experiment.settings import Settings

    settings = Settings(**options, control=not no_control)
    usual = is_usual(settings, data, classes)
    output = output_directory(output, usual=usual, what="experiment")
    if check and save_weights is not None:
        raise click.UsageError("--check writes nothing, so it cannot go with --save-weights.")
    if check and (missing := _missing(output)):
        return _tell_differences(missing, quiet=quiet)
    if not check:
        writable_directory(output, *_TEXTS)
        writable_files(save_weights)
    with terminal(quiet=quiet):
        _show("loading the data")
        experiment = run_experiment(loading.result(), settings, threads=threads, listener=_show)
        _show("comparing the report" if check else "writing the report")
        report = render_experiment(experiment)
        differences = report.differences(output) if check else ()
        if not check:
            report.write(output, beside=_weights(experiment, save_weights))
    if not quiet:
        _summarise(experiment)
        if not differences:
            same = " is as it should be" if check else ""
            say(f"{'report':<22}{output / _TEXTS[0]}{same}")
    if differences:
        return _tell_differences(differences, quiet=quiet)
    return FOUND if experiment.violated else OK


def _show(what: str, point: Point | None = None, iterations: int = 0) -> None:
    """Show on a terminal a bar for each run, and a line at its end; else lines alone."""
    number, bars = point.iteration if point else 0, on_terminal()
    if number <= 1:  # it begins
        current().done()
        if not bars:
            say(what)
    current().doing(what, number, iterations or None, numbers(point) if point else "")
    if point and not bars:
        say(f"  iteration {number:{len(str(iterations))}}  {numbers(point)}")
    elif point and number == iterations:
        say(f"{what:<22}  {iterations:,} of {iterations:,}  {numbers(point)}")


def _missing(output: Path) -> tuple[str, ...]:
    """Return a line for each text of the report that is not there, before anything is trained."""
    if output.exists() and not output.is_dir():
        raise SymmetryError(f"{output} is not a directory, so there is no report in it")
    paths = (output / name for name in _TEXTS)
    return tuple(f"{path} is missing" for path in paths if not path.exists())


def _weights(experiment: Experiment, path: Path | None) -> dict[Path, bytes]:
    """Return the file of the final weights, if it is wanted."""
    import numpy as np

    if path is None:
        return {}
    w1, w2 = experiment.last
    data = io.BytesIO()
    np.savez(data, w1=np.ascontiguousarray(w1), w2=np.ascontiguousarray(w2))
    return {path: data.getvalue()}


def _summarise(experiment: Experiment) -> None:
    """Say what was found."""
    from symmetry.experiment.report import in_short
    from symmetry.report.filling import percent
    from symmetry.units.words import count

    say("")
    for outcome in experiment.outcomes:
        say(f"{outcome.name:<22}{in_short(outcome, experiment.settings)}")
    if experiment.control is not None:
        columns = count(experiment.control.distinct, "distinct column")
        reached = percent(experiment.control.history[-1].accuracy)
        say(f"{'control':<22}{columns} of w1, accuracy {reached}")
    if experiment.violated:
        say("An invariant is violated, hence exit status 1.")


def _tell_differences(differences: tuple[str, ...], *, quiet: bool) -> int:
    """Name the files that are not as they should be; quietly means on standard error only."""
    for line in differences:
        click.echo(line, err=quiet)
    return FOUND
