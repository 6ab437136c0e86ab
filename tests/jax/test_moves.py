"""Notes on parameters that stay, or move by their gradients, while others are trained."""

from __future__ import annotations

import pytest

from symmetry.training.target import FunctionTraining
from tests.checking import check_target
from tests.conftest import needs

pytestmark = needs("jax")


def training(update):
    import jax
    import jax.numpy as jnp

    def step(params, i):
        def loss(params):
            return ((jnp.arange(5.0) * params["a"]).sum() - params["b"]) ** 2

        gradients = jax.grad(loss)(params)
        a, b = params["a"], params["b"]
        return {"a": a - 0.01 * gradients["a"], "b": update(b, gradients["b"])}

    return {"a": jnp.ones(5), "b": jnp.zeros(())}, step


@pytest.mark.parametrize(
    ("update", "notes"),
    [
        (lambda p, _: p, ["training/still"]),
        (lambda p, g: p + g, ["training/raw"]),
        (lambda p, g: p - g, []),
    ],
    ids=["frozen", "raw", "trained"],
)
def test_a_parameter_that_is_not_trained_as_others_is_noted(update, notes):
    target = FunctionTraining("training", lambda: training(update))
    checked = check_target(target, only="training/moves")
    assert [note.name for note in checked.notes] == notes
    assert [verdict.kind for verdict in checked.verdicts] == ["holds"]
