"""One training in a process of its own: ``python -m tests.studies.frameworks.one TRIAL``.

Settings of libraries count only if they are there before the import.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from importlib.metadata import version
from itertools import islice
from typing import Any

import numpy as np
from llvmlite.binding import get_host_cpu_name

from symmetry.experiment.data.dataset import load_mnist
from symmetry.steps.start import hidden_units
from symmetry.units import compare
from symmetry.units.compare import Floats
from symmetry.units.words import groups_in_words
from tests.studies.frameworks.contestants import Iteration, contestant

PACKAGES = {"torch-autograd": "torch"}  # of a trainer whose name is another one


def spread(units: Floats) -> float:
    """Return how far apart hidden units, rows of a matrix, are relative to their size.

    It is the largest distance of a unit from the first one, divided by the length of the longest: 0
    if all are identical, near 1 if they are as far from each other as from zero.
    """
    if compare.all_equal(units):
        return 0.0
    exact = units.astype(np.float64)
    scale = float(abs(exact).max())
    lengths = np.linalg.norm(exact / scale, axis=1)
    return float(np.linalg.norm((exact - exact[0]) / scale, axis=1).max() / lengths.max())


def watched(training: Iterator[Iteration], hidden: int) -> dict[str, Any]:
    """Return when equal hidden units split, by how much, and which are identical in the end."""
    units = hidden_units(hidden)
    split, spreads, found = None, [0.0], {}
    for number, (loss, _, w1, w2) in enumerate(training, 1):
        weights = {"w1": np.array(w1), "w2": np.array(w2)}
        matrices = [units.rows(weights, part) for part in units.parts]
        ulps = max(map(compare.spread_ulps, matrices))
        spreads.append(max(map(spread, matrices)))
        if ulps and split is None:
            split = {"iteration": number, "ulps": ulps}
        found = {"loss": loss, "groups": groups_in_words(units.groups(weights))}
    return {"split": split, **found, "largest_spread": max(spreads), "spread": spreads[-1]}


def measured(trial: dict[str, Any]) -> dict[str, Any]:
    """Return the row of a trial."""
    trainer, setting, hidden = trial["trainer"], trial["setting"], trial["hidden"]
    if (trainer, setting) == ("jax", "threads=1") and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])  # it has a thread for each
    if setting == "deterministic":
        import torch

        torch.use_deterministic_algorithms(True)
    data = load_mnist()
    shapes = (data.inputs + 1, hidden), (hidden + 1, data.classes)
    w1, w2 = (np.zeros(shape, trial["dtype"]) for shape in shapes)
    training = islice(contestant(trainer)(data, w1, w2, 0.01), trial["iterations"])
    package = PACKAGES.get(trainer, trainer)
    machine = {"library": f"{package} {version(package)}", "processor": get_host_cpu_name()}
    return {**watched(training, hidden), **machine}


if __name__ == "__main__":
    print(json.dumps(measured(json.loads(sys.argv[1]))))
