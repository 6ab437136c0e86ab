"""Training steps with one fault each, on products that treat every hidden unit alike."""

from __future__ import annotations

import io
import runpy
from collections.abc import Callable
from contextlib import chdir, redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np

from symmetry.base.files import write_all
from symmetry.explanation.explained import Culprit, Explained
from symmetry.law.case import Case
from symmetry.steps.cases import start_of_case
from symmetry.steps.explain import explain_step
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


def explained(
    step: Callable[..., Any], beginning: StepStart | None = None, **options: Any
) -> Explained:
    return explain_step(as_step_target(step, "step"), beginning or start(), **options)


def run_script(found: Culprit, folder: Path) -> str:
    """Return what a culprit's script prints."""
    assert found.script is not None
    file = folder / "script.py"
    write_all(found.script.files(file))
    with chdir(folder), redirect_stdout(io.StringIO()) as out:  # a process would import PyTorch
        runpy.run_path(str(file), run_name="__main__")
    return out.getvalue().strip()


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


FACTOR = np.float32(1.01)


RNG = np.random.default_rng(7)


def multiply_last_unit(g1):
    g1[:, -1] *= FACTOR


def add_to_one_entry(w1):
    w1[0, 3] += np.float32(1e-7)


def where_by_number(g1):
    return np.where(np.arange(g1.shape[1]) % 3 == 0, g1 * 2, g1)


def cumulative(hidden):
    return hidden + np.cumsum(hidden, axis=1) * np.float32(1e-3)


def dropout(hidden):
    return hidden * (RNG.random(hidden.shape) < 0.8)


def loop_over_blocks(factor):
    """Return a gradient that is copied block by block, the last ones times a factor."""

    def copy(g1):
        filled = np.empty_like(g1)
        for first in range(0, g1.shape[1], 4):
            block = g1[:, first : first + 4]
            filled[:, first : first + 4] = block * (factor if first >= 8 else np.float32(1))
        return filled

    return copy


def unit_by_unit(odd):
    """Return a hidden layer that is made unit by unit, by another function for unit 2."""

    def make(hidden):
        columns = [
            (odd if unit == 2 else np.tanh)(hidden[:, unit]) for unit in range(hidden.shape[1])
        ]
        return np.array(columns).T

    return make
