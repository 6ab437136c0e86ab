"""Settings of JAX that must not matter: a step without ``jax.jit``."""

from __future__ import annotations

import pytest

from symmetry.training.target import FunctionTraining
from tests.checking import check_target
from tests.conftest import needs

pytestmark = needs("jax")


@pytest.mark.parametrize(("dtype", "kind"), [("float32", "holds"), ("bfloat16", "vacuous")])
def test_a_step_that_computes_in_16_bits_is_not_judged_without_jit(dtype, kind):
    import jax
    import jax.numpy as jnp

    def step(w, _):
        def loss(w):
            return (jnp.tanh(jnp.arange(6.0).astype(dtype) * w.astype(dtype)) ** 2).sum()

        return w - 0.1 * jax.grad(loss)(w)

    training = FunctionTraining("training", lambda: (jnp.ones(6), jax.jit(step)))
    (verdict,) = check_target(training, only="training/jit").verdicts
    assert verdict.kind == kind
