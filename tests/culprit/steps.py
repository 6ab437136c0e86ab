"""Training steps with one fault each, on products that treat every hidden unit alike."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from symmetry.base.files import write_all
from symmetry.culprit.explain import explain_step
from symmetry.culprit.explained import Culprit, Explained
from symmetry.steps.case import Case
from symmetry.steps.recipes import start_of_case
from symmetry.steps.start import StepStart
from symmetry.targets.resolve import as_step_target
from tests.sound.exact import cross_entropy, logistic, prepend_bias, product

HIDDEN = 12


def start(weights: str = "zero", hidden: int = HIDDEN, **changes: Any) -> StepStart:
    values: dict[str, Any] = {
        "n": 20,
        "i": 5,
        "c": 4,
        "lr": 0.5,
        "iterations": 3,
        "dtype": "float32",
        "data": "unit",
        "seed": 1,
    }
    return start_of_case(Case(h=hidden, weights=weights, **{**values, **changes}))


def explained(step: Callable[..., Any], beginning: StepStart | None = None) -> Explained:
    return explain_step(as_step_target(step, "step"), beginning or start())


def run_script(found: Culprit, folder: Path) -> str:
    """Return what a culprit's script prints."""
    assert found.script is not None
    file = folder / "script.py"
    write_all(found.script.files(file))
    done = subprocess.run([sys.executable, file], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def culprit(step: Callable[..., Any], beginning: StepStart | None = None) -> Culprit:
    """Return the only culprit."""
    explanation = explained(step, beginning)
    assert explanation.outcome in ("explained", "rounding")
    (found,) = explanation.culprits
    return found


def same(array: Any) -> Any:
    return array


def step(x, y, w1, w2, lr, *, weights=same, hidden=same, g1=same, g2=same):
    """Take one step; each function sees and may change what it is named after."""
    w1, inputs = weights(w1), prepend_bias(x)
    layer, slope = logistic(product(inputs, w1))
    layer = hidden(layer)
    outputs = prepend_bias(layer)
    delta = cross_entropy(product(outputs, w2), y)
    back = product(delta, w2[1:].T) * slope
    return (
        w1 - lr * g1(product(inputs.T, back) / len(x)),
        w2 - lr * g2(product(outputs.T, delta) / len(x)),
    )


def faulty(**changes: Callable[[Any], Any]) -> Callable[..., Any]:
    """Return a step that does something else with one of its arrays."""

    def faulty_step(x, y, w1, w2, lr):
        return step(x, y, w1, w2, lr, **changes)

    return faulty_step


def changed(function):
    """Return a function that changes a copy of its array."""

    def change(array):
        copy = array.copy()
        function(copy)
        return copy

    return change


def numbers(shape: tuple[int, ...], dtype: str = "float32") -> Any:
    return np.arange(np.prod(shape), dtype=dtype).reshape(shape)
