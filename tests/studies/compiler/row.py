"""One architecture: compiled compared with eager, and both with float64.

In float64 ``symmetry`` promotes a training under a mode, where nothing is compiled. So a training
in float64 is made as one here, and compared as it is written, with the limit of float64.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from symmetry.base.errors import SymmetryError
from symmetry.comparison.options import ComparisonOptions
from symmetry.comparison.outcome import ComparedTraining
from symmetry.comparison.trainings import compare_trainings
from symmetry.targets.sizes.arguments import Arguments, spell
from symmetry.training.run import AS_WRITTEN, Run, RunSettings
from symmetry.training.target import FunctionTraining
from symmetry.units.state import State, difference, size
from tests.studies.compiler.trainings import PLAIN, training

Row = dict[str, Any]
EPS = {"float32": 2.0**-23, "bfloat16": 2.0**-7}
ATTEMPTS = 30  # comparisons that shrinking may take


class AsWritten(FunctionTraining):
    """A training that runs as it is written, whatever the precision."""

    def begin(self, settings: RunSettings = AS_WRITTEN) -> Run:
        """Begin a run as the training is written."""
        return super().begin(replace(settings, dtype="float32"))


def row_of(arguments: Arguments) -> Row:
    """Return what the comparison of one architecture came to."""
    line = {"arguments": dict(arguments), "line": spell(arguments)}
    other = compared(arguments)
    found: Row = {**line, **told(other), **counted()}
    if isinstance(other, str) or other.error:
        return found
    return {**found, **errors(arguments)}


def compared(arguments: Arguments) -> ComparedTraining | str:
    """Return the comparison, or why eager does not run."""
    eager, compiled = (_made(arguments, compiles) for compiles in (False, True))
    dtype = "float64" if arguments["dtype"] == "float64" else "float32"
    try:
        return compare_trainings(eager, [compiled], ComparisonOptions(dtype=dtype)).others[0]
    except SymmetryError as error:
        return str(error)


def told(other: ComparedTraining | str) -> Row:
    """Return what a comparison says, in JSON."""
    if isinstance(other, str):
        return {"outcome": "not run", "why": other}
    if other.error:
        return {"outcome": "raises", "why": other.error}
    (result,) = other.results
    outcome = {True: "same", False: "differs", None: "not judged"}[other.same]
    ratio = None if result.ratio is None or math.isinf(result.ratio) else result.ratio
    first = other.first.text if other.first else ""
    found = {
        "ratio": ratio,
        "arrays": result.arrays,
        "limit": result.threshold,
        "array": result.array,
        "first": first,
    }
    return {"outcome": outcome, "why": result.note, **found, "notes": list(other.notes)}


def counted() -> Row:
    """Return how many kernels the compiler wrote since the process began, and what it left out."""
    from torch._dynamo.utils import counters
    from torch._inductor import metrics

    breaks = list(counters["graph_break"])
    return {"kernels": metrics.generated_kernel_count, "graph_breaks": breaks}


def errors(arguments: Arguments) -> Row:
    """Return how far both are from the same step in float64, where they are not in it themselves.

    Each is the largest relative error of an array after the first step. ``excess`` is how many
    times as far as eager, or as one ulp, compiled is at the worst array.
    """
    if arguments["dtype"] not in EPS:
        return {}
    ulp = EPS[arguments["dtype"]]
    eager, compiled = (
        FunctionTraining("", partial(training, **arguments, compiles=compiles))
        for compiles in (False, True)
    )
    truth, one, other = (
        _after(each, dtype)
        for each, dtype in ((eager, "float64"), (eager, "float32"), (compiled, "float32"))
    )
    found = {
        name: (difference(one[name], array) / most, difference(other[name], array) / most)
        for name, array in truth.items()
        if (most := size(array)) > 0 and name in one and name in other
    }
    if not found:
        return {}
    worst = max(found, key=lambda name: found[name][1] / max(found[name][0], ulp))
    mine, theirs = found[worst]
    return {"excess": theirs / max(mine, ulp), "at": worst, "eager": mine, "compiled": theirs}


def smallest(row: Row) -> Row:
    """Return the row of the smallest architecture that was found to fail in the same way."""
    arguments, left = row["arguments"], ATTEMPTS
    improved = True
    while improved:
        improved = False
        for simpler in simpler_than(arguments):
            if not left:
                break
            left -= 1
            found = told(compared(simpler))
            if found["outcome"] == row["outcome"] and _kind(found) == _kind(row):
                arguments, row, improved = simpler, {**found, "line": spell(simpler)}, True
                break
    return {**row, **errors(arguments)} if row["outcome"] == "differs" else row


def simpler_than(arguments: Arguments) -> list[Arguments]:
    """Return architectures that are simpler by one thing, the simplest first."""
    kind, *words = arguments["layers"].split("/")
    fewer = [[word] for word in words] + [words[:k] + words[k + 1 :] for k in range(len(words))]
    chains = fewer if len(words) > 1 else []
    for k, word in enumerate(words):
        if word.startswith("+"):
            chains.append([*words[:k], word[1:], *words[k + 1 :]])
    found: list[Mapping[str, Any]] = [{"layers": "/".join([kind, *chain])} for chain in chains]
    settings = ("dynamic", "rule", "loss", "dtype")
    found += [{name: PLAIN[name]} for name in settings if arguments[name] != PLAIN[name]]
    for name in ("width", "size", "batch"):
        value = arguments[name]
        found += [{name: v} for v in dict.fromkeys([1, 2, value // 2, value - 1]) if 0 < v < value]
    return [{**arguments, **changes} for changes in found]


def _kind(row: Row) -> str:
    """Return the kind of an error, or nothing."""
    return row["why"].partition(":")[0] if row["outcome"] == "raises" else ""


def _made(arguments: Arguments, compiles: bool) -> FunctionTraining:
    make = partial(training, **arguments, compiles=compiles)
    kind = AsWritten if arguments["dtype"] == "float64" else FunctionTraining
    return kind("compiled" if compiles else "eager", make)


def _after(each: FunctionTraining, dtype: str) -> State:
    run = each.begin(RunSettings(dtype=dtype))
    run.step()
    return {name: array.astype("float64") for name, array in run.state().items()}
