"""A third framework: its units are found, and the law is checked, by the package as it is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from symmetry import find_units
from symmetry.training import frameworks
from symmetry.training.target import FunctionTraining
from tests.checking import check_target
from tests.toy.framework import LIBRARY, begin, recognises
from tests.toy.library import Network, backward, call

CORE = [f"symmetry/{name}" for name in ("repeatable", "permutation", "clones", "samples")]
calls: list[None] = []


@pytest.fixture(autouse=True)
def _registered(monkeypatch):
    toy = frameworks.Framework(begin, recognises, title="Toy")
    monkeypatch.setitem(frameworks._FRAMEWORKS, LIBRARY, toy)


def batch(i):
    random = np.random.default_rng(i)
    return random.normal(size=(12, 5)), random.normal(size=(12, 3))


def training(change=lambda network: None):
    """Return a training of two layers, which may ``change`` the gradients."""
    random = np.random.default_rng(0)
    shapes = {"w1": (5, 7), "b1": (7,), "w2": (7, 3), "b2": (3,)}
    network = Network(**{name: random.normal(size=shape) for name, shape in shapes.items()})

    def step(data):
        x, y = data
        hidden = call("tanh", call("add", call("matmul", x, network.w1), network.b1))
        out = call("add", call("matmul", hidden, network.w2), network.b2)
        backward(call("mean_square", out, y))
        change(network)
        network.update(0.1)

    return network, step, {"batch": batch}


def without_the_last_unit(network):
    network.w1.gradient[:, :-1] *= 0.5


def by_calls(network):
    calls.append(None)
    network.w1.gradient *= len(calls)


def kinds(change=lambda network: None):
    checked = check_target(FunctionTraining("toy", lambda: training(change)), only=CORE)
    return {(v.invariant, v.dtype): v.kind for v in checked.verdicts}


def test_its_units_are_found():
    (units,) = find_units(training).groups
    assert units.count == 7
    assert {*units.arrays} == {"model.w1", "model.b1", "model.w2"}


def test_a_sound_training_is_checked_for_the_core_of_the_law():
    found = kinds()
    assert {name for name, _ in found} == {*CORE}
    assert {*found.values()} <= {"holds", "rounding"}


def test_a_slice_that_leaves_out_a_unit_is_found():
    found = kinds(without_the_last_unit)
    assert {name for (name, _), kind in found.items() if kind == "violated"} == {*CORE[1:3]}


def test_a_number_that_outlives_a_run_is_found():
    assert kinds(by_calls)["symmetry/repeatable", "float32"] == "violated"


def test_it_takes_few_lines():
    folder = Path(__file__).parent
    assert sum(file.read_text().count("\n") for file in folder.glob("*.py")) <= 400
