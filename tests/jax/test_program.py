"""The leaves of a state from step to step: their dtypes, and keys among them."""

from __future__ import annotations

import numpy as np
import pytest

import symmetry
from symmetry.training.run import RunSettings
from symmetry.training.target import FunctionTraining
from tests.conftest import needs

pytestmark = needs("jax")


def begun(step, state, dtype="float32"):
    training = FunctionTraining("training", lambda: (state, step))
    return training.begin(RunSettings(dtype=dtype))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_whole_number_that_a_step_makes_a_float_is_a_float(dtype):
    import jax
    import jax.numpy as jnp

    def step(state, _):
        w, chance = state
        return w - 0.1 * jax.grad(lambda w: (w**2).sum() * 0.5)(w), chance * 0.5 + 0.25

    run = begun(step, (jnp.ones(3), 1), dtype)
    for _ in range(3):
        run.step()
    assert run.state()["1"] == pytest.approx(0.5625)
    assert run.state()["model.0"] == pytest.approx(np.full(3, 0.9**3), rel=1e-5)


def test_a_float_that_a_step_shortens_keeps_its_dtype():
    import jax
    import jax.numpy as jnp

    def step(state, _):
        w, kept = state
        return w - 0.1 * jax.grad(lambda w: (w**2).sum())(w), (kept * 0.5).astype(jnp.bfloat16)

    run = begun(step, (jnp.ones(3), jnp.ones(3)))
    for _ in range(2):
        run.step()
    assert run.leaves.values[1].dtype == np.float32
    assert np.asarray(run.leaves.values[1]) == pytest.approx(np.full(3, 0.25))


def test_keys_that_no_loss_reads_are_no_constants():
    import jax
    import jax.numpy as jnp

    keys = jax.random.split(jax.random.key(0), 4)

    def step(w, _):
        noise = jax.vmap(lambda key: jax.random.normal(key))(keys).sum()
        return w - 0.1 * jax.grad(lambda w: (w**2).sum())(w) + 1e-3 * noise

    (constant,) = begun(step, jnp.ones(3)).constants_outside_forward(2)
    assert constant.random  # by these keys


@pytest.mark.parametrize("period", [1, 5])
def test_a_network_that_is_replaced_by_the_model_at_some_steps_has_its_units(period):
    import jax
    import jax.numpy as jnp

    w, v = jax.random.split(jax.random.key(0))
    params = {"w": jax.random.normal(w, (4, 16)), "v": jax.random.normal(v, (16, 2))}

    def outputs(params, x):
        return jax.nn.relu(x @ params["w"]) @ params["v"]

    def step(state, _):
        params, target, count = state
        is_due = count % period == 0
        target = jax.lax.cond(is_due, lambda new, _: new, lambda _, old: old, params, target)
        x = jax.random.normal(jax.random.fold_in(jax.random.key(1), count), (8, 4))
        goal = jax.lax.stop_gradient(outputs(target, x + 1).max(1, keepdims=True))
        gradient = jax.grad(lambda p: ((outputs(p, x) - goal) ** 2).mean())(params)
        return (jax.tree.map(lambda p, g: p - 0.1 * g, params, gradient), target, count + 1)

    start = params, params, jnp.zeros((), jnp.int32)
    coverage = symmetry.find_units(lambda: (start, step))
    assert [len(group.parts) for group in coverage.groups] == [4, 2]  # hidden, outputs
