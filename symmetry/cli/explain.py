"""``symmetry explain``: name the operation that tells equal units apart."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from symmetry.base.errors import FOUND, OK
from symmetry.cli.isolation.parent import Isolated
from symmetry.cli.options import DTYPE, FROM_ZERO, PATH, RATE, WHOLE, option, read_case
from symmetry.cli.screen import current, say

if TYPE_CHECKING:
    from symmetry.explanation.explained import Explained

# The options of steps, and what a case calls them.
_KEYS = {"hidden": "h", "samples": "n", "inputs": "i", "classes": "c"}
_KEYS |= {"iterations": "iterations", "lr": "lr"}


@click.command(
    "explain", cls=Isolated, short_help="Name the operation that tells equal units apart."
)
@click.argument("target", metavar="NAME")
@option(
    "--case", "JSON|FILE", "A case as `symmetry check` prints it, instead of all other options."
)
@option("--hidden", "H", "Hidden units.  [default: 200]", kind=WHOLE)
@option(
    "--samples",
    "N",
    "Samples: the first N of MNIST, or of generated data.  [default: 1000; all of MNIST if nothing "
    "splits]",
    kind=WHOLE,
)
@option("--inputs", "I", "Generate data with so many inputs.", kind=WHOLE)
@option("--classes", "C", "Generate data with so many classes.", kind=WHOLE)
@option("--iterations", "T", "Steps to take if nothing splits before.  [default: 10]", kind=WHOLE)
@option("--lr", "X", "Learning rate.  [default: 0.01]", kind=RATE)
@option("--steps", "K", "Steps to take of a training.  [default: 2]", kind=WHOLE)
@option(
    "--dtype",
    None,
    "In which everything is computed.  [default: float32; a training: float64, then float32]",
    kind=DTYPE,
)
@option("--seed", "N", "Of generated data, or of a training.  [default: 0]", kind=FROM_ZERO)
@option("--json", "FILE", "Write it there as well.", kind=PATH)
@option(
    "--script",
    "FILE",
    "Write a script there that does the operation alone, its operands beside it.",
    kind=PATH,
)
def command(target: str, json: Path | None, script: Path | None, **given: Any) -> int:
    """Name the first array operation that tells equal units apart.

    NAME is a script, a training or a two-layer step, as `symmetry check` takes it. A training
    begins with most units of each group equal; a step with zero weights, on MNIST. Array operations
    are observed: PyTorch's as they reach the dispatcher, backward and optimisers included; NumPy's
    as far as the code lets arrays through; JAX's one by one instead of compiled. The operation is
    then repeated alone; with --script, its operands are saved beside a short script that does so.
    Where no equal units split, the first operation is named that does more than exchange two units
    that differ when they are exchanged; where there is none, either, the line of the forward that
    makes units of a layer unequal.

    With a case, or with generated data, libraries are limited to one thread, as in `symmetry
    check`.

    Exit status: 0 nothing split, or units of a training by rounding only; 1 something split, or a
    line makes units unequal; 2 the command could not do its work.
    """
    from symmetry.base.files import writable_files, write_all
    from symmetry.explanation.explain import explain_training
    from symmetry.report.explained import lines, to_json
    from symmetry.targets.resolve import resolve
    from symmetry.training.target import Training

    given = {name: value for name, value in given.items() if value is not None}
    if "case" in given and len(given) > 1:
        raise click.UsageError("--case holds all sizes, so it cannot go with other options.")
    if script is not None and script.suffix == ".npz":
        raise click.UsageError("--script is a Python file; its operands go into an .npz beside it.")
    writable_files(json, script, script and script.with_suffix(".npz"))
    current().enter(target)
    found, threads = resolve(target), None
    if isinstance(found, Training):
        for name in ("case", *_KEYS):
            if name in given:
                raise click.UsageError(f"--{name} is of two-layer steps, and this is a training.")
        with closing(found):
            explanation = explain_training(found, **given)
    else:
        explanation, threads = _explain_step(found, **given)
    for line in lines(explanation):
        say(line)
    if threads is not None:
        say(f"{'threads':<12}{threads}")
    contents: dict[Path, str | bytes] = {json: to_json(explanation)} if json else {}
    written = next((c.script for c in explanation.culprits if c.script is not None), None)
    if script is not None and written is not None:
        contents |= written.files(script)
    write_all(contents)
    for file in contents:
        say(f"wrote {file}")
    if script is not None and written is None:
        say(f"no operation can be done again alone: {script} was not written")
    rounds = isinstance(found, Training) and explanation.outcome == "rounding"
    splits = explanation.step is not None or explanation.outcome == "unequal"
    return FOUND if splits and not rounds else OK


def _explain_step(
    target: Any, *, case: str | None = None, dtype: str = "", seed: int | None = None, **given: Any
) -> tuple[Explained, str | None]:
    """Explain a two-layer step; on small data with one thread, which is said."""
    from symmetry.checker.threads import in_words
    from symmetry.experiment.data.mnist import load_mnist
    from symmetry.explanation.explain import explain_case, explain_step
    from symmetry.law.case import Case
    from symmetry.steps.cases.recipes import start_of_dataset

    kind = dtype or ("float32" if "float32" in target.dtypes else target.dtypes[0])
    small = case is not None or "inputs" in given or "classes" in given
    if seed is not None and not small:
        raise click.UsageError("--seed is of generated data: give --inputs or --classes as well.")
    drawn = Case(1000, 20, 200, 10, 0.01, 10, kind, "pixels", "zero", seed or 0)
    drawn = replace(drawn, **{key: given[name] for name, key in _KEYS.items() if name in given})
    if not small:
        start = start_of_dataset(load_mnist(), given.get("samples"), drawn)
        return explain_step(target, start, first=0 if "samples" in given else drawn.n), None
    found = explain_case(target, drawn if case is None else read_case(case, "explained"))
    return found, in_words()
