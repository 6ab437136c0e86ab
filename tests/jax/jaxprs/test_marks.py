"""Gradients in loops and branches: of all rounds where the parameters stay, zero elsewhere."""

from __future__ import annotations

import numpy as np
import pytest

from symmetry.training.capabilities.model import Differentiating
from symmetry.training.run import RunSettings
from symmetry.training.target import FunctionTraining
from tests.conftest import needs

pytestmark = needs("jax")
ROWS = np.arange(6, dtype=np.float32).reshape(3, 2)


def after_steps(step, state, dtype, steps=1):
    run = FunctionTraining("training", lambda: (state, step)).begin(RunSettings(dtype=dtype))
    for _ in range(steps):
        run.step()
    return run


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_gradients_that_a_scan_adds_up_are_those_of_all_rounds(dtype):
    import jax
    import jax.numpy as jnp

    def step(w, _):
        def add(total, x):
            loss, gradient = jax.value_and_grad(lambda w: (w * x).sum())(w)
            return total + gradient, loss

        total, losses = jax.lax.scan(add, jnp.zeros(2), ROWS)
        return w - 0.1 * total, losses.sum()

    run = after_steps(step, jnp.ones(2), dtype)
    gradients = run.capability(Differentiating).gradients()
    assert np.allclose(gradients["model.state"], ROWS.sum(0))
    assert run.loss == pytest.approx(ROWS.sum())


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("taken", [0, 1])
def test_a_branch_that_is_not_taken_has_a_gradient_of_zero(dtype, taken):
    import jax
    import jax.numpy as jnp

    def step(state, _):
        def learn(w):
            loss, gradient = jax.value_and_grad(lambda w: (w * ROWS).sum())(w)
            return w - 0.1 * gradient, loss

        w, number = state
        w, loss = jax.lax.cond(number == taken, learn, lambda w: (w, 0.0), w)
        return (w, number), loss

    run = after_steps(step, (jnp.ones(2), jnp.int32(0)), dtype)
    gradients = run.capability(Differentiating).gradients()
    expected = np.zeros(2) if taken else ROWS.sum(0)
    assert np.allclose(gradients["model.0"], expected)
    assert run.loss == pytest.approx(0 if taken else ROWS.sum())
