"""``symmetry explain``: name the operation that treats equal units differently."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import click

from symmetry.base.errors import FOUND, OK, SymmetryError
from symmetry.cli.isolation.parent import Isolated
from symmetry.cli.options import (
    DTYPE,
    PATH,
    RATE,
    SEED,
    STANDARD,
    WHOLE,
    json_file,
    option,
    read_case,
)
from symmetry.cli.screen import current, say

# The options of steps, and what a case calls them.
_KEYS = {"hidden": "h", "samples": "n", "inputs": "i", "classes": "c"}
_KEYS |= {"iterations": "iterations", "lr": "lr"}


@click.command(
    "explain", cls=Isolated, short_help="Name the operation, or the invariant, behind a violation."
)
@click.argument("target", metavar="NAME")
@option(
    "--case", "JSON|FILE", "Use a case as `symmetry check` prints it, instead of all other options."
)
@option("--hidden", "H", "Hidden units.  [default: 200]", kind=WHOLE)
@option(
    "--samples",
    "N",
    "Samples: the first N of MNIST, or of generated data.  [default: 1000; all of MNIST if nothing "
    "splits]",
    kind=WHOLE,
)
@option("--inputs", "I", "Generate data with I inputs.", kind=WHOLE)
@option("--classes", "C", "Generate data with C classes.", kind=WHOLE)
@option("--iterations", "T", "Steps to take if nothing splits before.  [default: 10]", kind=WHOLE)
@option("--lr", "X", "Learning rate.  [default: 0.01]", kind=RATE)
@option("--steps", "K", "Number of steps (trainings only).  [default: 2]", kind=WHOLE)
@option(
    "--dtype",
    None,
    "Compute in this dtype.  [default: float32; a training: float64, then float32]",
    kind=DTYPE,
)
@option("--seed", "N", "Seed for all random numbers.  [default: 0]", kind=SEED)
@option("--json", "FILE", "Write the result to FILE as JSON; - is standard output.", kind=PATH)
@option(
    "--script",
    "FILE",
    "Write a script that repeats the operation alone; its operands go into a file next to it.",
    kind=PATH,
)
def command(target: str, json: Path | None, script: Path | None, **given: Any) -> int:
    """Name the first array operation that treats equal units differently.

    NAME is a script, a training or a two-layer step, as `symmetry check` takes it. A training
    begins with most units of each group equal; a step with zero weights, on MNIST. Array operations
    are observed: PyTorch's as they reach the dispatcher, backward and optimisers included; NumPy's
    as far as the code lets arrays through; JAX's one by one instead of compiled. The operation is
    then repeated alone; with --script, its operands are saved beside a short script that does so.
    If no equal units split, two different units are exchanged, and the first operation whose result
    is not merely exchanged is named. If there is no such operation either, and another invariant of
    trainings is violated, of the loop or the loss, the problem is shown with its invariant and its
    cure. Otherwise the line of the forward that makes the units of a layer unequal is named.

    With a case, or with generated data, libraries are limited to one thread, as in `symmetry
    check`.

    Exit status: 0 nothing split, or units of a training by rounding only; 1 something split, a
    line makes units unequal, or another invariant is violated; 2 the command could not do its work.
    """
    from symmetry import session
    from symmetry.base.files import writable_files, write_all
    from symmetry.experiment.data.dataset import load_mnist
    from symmetry.law.target import ExplanationOptions
    from symmetry.report.explained import lines, to_json
    from symmetry.targets.resolve import resolve

    given = {name: value for name, value in given.items() if value is not None}
    if "case" in given and len(given) > 1:
        raise click.UsageError("--case holds all sizes, so it cannot go with other options.")
    if script is not None and script.suffix == ".npz":
        raise click.UsageError("--script is a Python file; its operands go into an .npz beside it.")
    writable_files(json, script, script and script.with_suffix(".npz"))
    current().enter(target)
    sizes = {key: given.pop(name) for name, key in _KEYS.items() if name in given}
    if "case" in given:
        given["case"] = read_case(given["case"], "explained")
    resolved = resolve(target)
    tell = partial(say, err=json == STANDARD)
    beside = _Others(resolved, given.get("seed", 0), tell)
    try:
        options = ExplanationOptions(**given, sizes=sizes, data=load_mnist)
        explanation = session.explain(resolved, options)
    except SymmetryError as error:
        if beside.explain():
            return FOUND
        raise error from None
    others = explanation.outcome != "explained" and beside.explain()
    for line in lines(explanation) if not others else ():
        tell(line)
    if explanation.threads:
        tell(f"{'threads':<12}{explanation.threads}")
    contents = json_file(json, partial(to_json, explanation))
    written = next((c.script for c in explanation.culprits if c.script is not None), None)
    if script is not None and written is not None:
        contents |= written.files(script)
    write_all(contents)
    for file in contents:
        tell(f"wrote {file}")
    if script is not None and written is None:
        tell(f"no operation can be done again alone: {script} was not written")
    return FOUND if explanation.splits or others else OK


class _Others:
    """The invariants of a training that need no equal units."""

    def __init__(self, target: Any, seed: int, tell: Callable[[str], None]) -> None:
        self._target, self._seed, self._tell = target, seed, tell

    def explain(self) -> bool:
        """Measure them, and show those that are violated; return whether there are some."""
        if self._target.noun != "training":
            return False
        from symmetry import session
        from symmetry.checker.options import Options
        from symmetry.report.about import problem_lines

        skip = tuple(each.name for each in self._target.invariants if each.units)
        plan = session.plan_check(self._target.name, Options(skip=skip, seed=self._seed))
        found = [*problem_lines(session.check(plan))]
        for line in found:
            self._tell(line)
        return bool(found)
