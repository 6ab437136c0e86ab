"""The leaves of a state from step to step: their dtypes, and keys among them."""

from __future__ import annotations

import numpy as np
import pytest

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
