"""``symmetry explain``: name the operation that tells equal hidden units apart."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import click

from symmetry.cli import FOUND, OK
from symmetry.cli.child import enter
from symmetry.cli.options import GivenPath, LearningRate
from symmetry.cli.parent import isolated
from symmetry.cli.screen import say
from symmetry.errors import SymmetryError

if TYPE_CHECKING:
    from symmetry.checker.case import Case

_AT_LEAST_1 = click.IntRange(min=1)
_HIDDEN, _ITERATIONS, _RATE = 200, 10, 0.01
_SAMPLES, _INPUTS, _CLASSES = 1000, 20, 10


@click.command("explain")
@click.argument("trainer")
@click.option(
    "--case",
    metavar="JSON|FILE",
    help="A case as `symmetry check` prints it, instead of all other options.",
)
@click.option(
    "--hidden", type=_AT_LEAST_1, metavar="H", help=f"Hidden units.  [default: {_HIDDEN}]"
)
@click.option(
    "--samples",
    type=_AT_LEAST_1,
    metavar="N",
    help=f"Samples: the first N of MNIST, or of generated data.  [default: all, or {_SAMPLES}]",
)
@click.option("--inputs", type=_AT_LEAST_1, metavar="I", help="Generate data with so many inputs.")
@click.option(
    "--classes", type=_AT_LEAST_1, metavar="C", help="Generate data with so many classes."
)
@click.option(
    "--iterations",
    type=_AT_LEAST_1,
    metavar="T",
    help=f"Steps to take if nothing splits before.  [default: {_ITERATIONS}]",
)
@click.option("--lr", type=LearningRate(), metavar="X", help=f"Learning rate.  [default: {_RATE}]")
@click.option(
    "--dtype",
    type=click.Choice(["float32", "float64"]),
    help="In which everything is computed.  [default: float32, if the trainer takes it]",
)
@click.option(
    "--seed", type=click.IntRange(min=0), metavar="N", help="Of generated data.  [default: 0]"
)
@click.option(
    "--json",
    "json_file",
    type=GivenPath(),
    metavar="FILE",
    help="Write the explanation there as well.",
)
@click.option(
    "--script",
    type=GivenPath(),
    metavar="FILE",
    help="Write a script there that does the operation alone, its operands beside it.",
)
@isolated
def command(
    trainer: str,
    case: str | None,
    hidden: int | None,
    samples: int | None,
    inputs: int | None,
    classes: int | None,
    iterations: int | None,
    lr: float | None,
    dtype: str | None,
    seed: int | None,
    json_file: Path | None,
    script: Path | None,
) -> int:
    """Name the first array operation that tells equal units apart.

    TRAINER is numba, numpy, torch, torch-autograd or jax, or package.module:attribute, or
    path/to/file.py:attribute. Its step is run from zero weights on MNIST, with its array operations
    observed: PyTorch's as they reach the dispatcher, backward and optimisers included; NumPy's as
    far as the code lets arrays through; JAX's one by one instead of compiled. The operation is then
    repeated alone; with --script, its operands are saved beside a short script that does so.

    With a case, or with generated data, libraries are limited to one thread, as in `symmetry
    check`.

    Exit status: 0 nothing split, 1 something did, 2 the command could not do its work.
    """
    from symmetry.checker.threads import in_words, one_thread
    from symmetry.culprit.explain import explain_steps
    from symmetry.culprit.start import Start
    from symmetry.data.mnist import load_mnist
    from symmetry.report import explanation as report
    from symmetry.report.files import writable_file, write_text
    from symmetry.targets.resolve import resolve_step

    chosen = (hidden, samples, inputs, classes, iterations, lr, dtype, seed)
    if case is not None and any(value is not None for value in chosen):
        raise click.UsageError("--case holds all sizes, so it cannot go with other options.")
    if seed is not None and inputs is None and classes is None:
        raise click.UsageError("--seed is of generated data: give --inputs or --classes as well.")
    for path in (json_file, script):
        if path is not None:
            writable_file(path)
    enter(trainer)
    found = resolve_step(trainer)
    kind = dtype or ("float32" if "float32" in found.dtypes else found.dtypes[0])
    settings = (hidden or _HIDDEN, iterations or _ITERATIONS, lr or _RATE, kind)
    if case is not None:
        start = Start.of_case(_read(case))
    elif inputs is not None or classes is not None:
        start = Start.of_case(_generated(samples, inputs, classes, seed, *settings))
    else:
        start = Start.of_dataset(load_mnist(), samples, *settings)
    if start.w1.dtype.name not in found.dtypes:
        raise SymmetryError(f"{found.name} takes {', '.join(found.dtypes)} only")
    small = case is not None or inputs is not None or classes is not None
    with one_thread() if small else nullcontext():
        explanation = explain_steps(found, start)
        threads = in_words() if small else None
    if json_file is not None:
        write_text(json_file, report.to_json(explanation))
    written = next((c.script for c in explanation.culprits if c.script is not None), None)
    if script is not None and written is not None:
        write_text(script, written.text)
        written.save(script)
    for line in report.lines(explanation):
        say(line)
    if threads is not None:
        say(f"{'threads':<12}{threads}")
    return OK if explanation.step is None else FOUND


def _generated(
    samples: int | None,
    inputs: int | None,
    classes: int | None,
    seed: int | None,
    hidden: int,
    iterations: int,
    lr: float,
    dtype: str,
) -> Case:
    """Return the case of generated data: sparse pixels, weights that are zero."""
    from symmetry.checker.case import Case

    return Case(
        n=samples or _SAMPLES,
        i=inputs or _INPUTS,
        h=hidden,
        c=classes or _CLASSES,
        lr=lr,
        iterations=iterations,
        dtype=dtype,
        data="pixels",
        weights="zero",
        seed=seed or 0,
    )


def _read(case: str) -> Case:
    """Read the one case that a line of JSON, or a file of one line, holds."""
    from symmetry.checker.case import parse_cases

    path = Path(case)
    try:
        text = case if case.lstrip().startswith("{") else path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SymmetryError(
            f"--case is neither JSON nor a file that can be read: {case}"
        ) from error
    cases = parse_cases(text)
    if len(cases) > 1:
        raise SymmetryError(f"{case} holds {len(cases)} cases, and one is explained at a time")
    return cases[0]
