"""Units without gradient; layers whose units are all 0, by hand-written traces and a training."""

from __future__ import annotations

import numpy as np
import pytest
from torch import nn

from symmetry.base.errors import SymmetryError
from symmetry.explanation.explain import explain_training
from symmetry.finding.find import find
from symmetry.finding.idle import dead_layers, modules_without_gradient, units_without_gradient
from symmetry.training.target import FunctionTraining
from symmetry.units.units import Part, Units
from tests.finding import models
from tests.finding.traces import Steps, normal, square_error

LAYERS = {"model.a.weight": (1, 4), "model.b.weight": (1, 6)}


def relu(x):
    return np.maximum(x, 0)


def trace(shift_a=0.0, shift_b=0.0, *, skip=False):
    """Return the trace of two layers with ReLUs; ``skip`` leads a path around the second one."""
    steps = Steps(
        **{"model.a.weight": normal(3, 4), "model.b.weight": normal(4, 6)},
        **{"model.c.weight": normal(6, 2), "model.d.weight": normal(4, 2)},
    )
    leaf = steps.trace.leaves.__getitem__
    value = steps.data(normal(7, 3))
    for layer, shift in (("a", shift_a), ("b", shift_b)):
        first = value
        value = steps.apply(np.matmul, value, leaf(f"model.{layer}.weight"))
        value = steps.apply(relu, steps.apply(np.add, value, steps.data(shift)))
    value = steps.apply(np.matmul, value, leaf("model.c.weight"))
    if skip:
        value = steps.apply(np.add, value, steps.apply(np.matmul, first, leaf("model.d.weight")))
    return steps.end(steps.apply(square_error, value, steps.data(normal(7, 2, seed=9))))


@pytest.mark.parametrize(
    ("shifts", "silent", "found"),
    [
        ((0.0, -90.0), ("a", "b"), [("b", 6, ("a", "b"))]),
        ((-90.0, 0.0), ("a",), [("a", 4, ("a",))]),
        ((0.0, 0.0), ("a",), []),  # units that are not all 0 are not the reason
        ((0.0, -90.0), (), []),
    ],
)
def test_the_layer_is_the_last_one_before_the_zeros(shifts, silent, found):
    layers = dead_layers(trace(*shifts), LAYERS, silent)
    assert [(layer.module, layer.units, layer.silent) for layer in layers] == found


def test_a_path_around_the_zeros_lets_a_gradient_pass():
    found = dead_layers(trace(shift_b=-90.0, skip=True), LAYERS, ("a", "b"))
    assert [layer.silent for layer in found] == [("b",)]


def test_zeros_behind_another_shape_are_no_layers_units():
    assert [*dead_layers(trace(shift_b=-90.0), {"model.a.weight": (1, 4)}, ("a", "b"))] == []


def dead():
    model, step = models.mlp()
    nn.init.constant_(model[0].bias, -50.0)
    return model, step


def test_a_training_with_dead_units_is_named_wherever_units_are_lacking():
    training = FunctionTraining("dead", dead)
    (layer,) = find(training).dead
    assert (layer.module, layer.operation, layer.silent) == ("0", "aten.relu", ("0",))
    assert layer.text.startswith("layer 0: all 7 units are 0 for every sample of the first steps (")
    try:
        said = explain_training(training).remarks
    except SymmetryError as error:
        said = (str(error),)
    assert any(layer.text in text for text in said)


def test_units_without_gradient_are_those_with_none_in_any_part():
    units = Units("", 3, (Part("w", 0), Part("b", 0)))
    reached = {"w": np.array([[True], [False], [False]]), "b": np.array([False, False, True])}
    assert units_without_gradient(units, reached) == (1,)
    assert units_without_gradient(units, {}) == ()


def test_modules_without_gradient_are_the_outermost():
    silent, live = np.zeros(2, bool), np.ones(2, bool)
    reached = {
        "model.head.weight": live,
        "model.pool.fc.weight": silent,
        "model.pool.fc.bias": silent,
        "model.body.0.weight": live,
        "model.body.1.weight": silent,
        "model.frozen.weight": silent,
    }
    trained = {*reached} - {"model.frozen.weight"}
    assert modules_without_gradient(trained, reached) == ("body.1", "pool")
    assert modules_without_gradient(trained, {}) == ()
