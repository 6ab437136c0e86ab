"""Settings of JAX that must not matter: what ``jax.jit`` freezes."""

from __future__ import annotations

import pytest

from symmetry.training.target import FunctionTraining
from tests.checking import check_target
from tests.conftest import needs

pytestmark = needs("jax")


def verdict_of(step, state):
    training = FunctionTraining("training", lambda: (state, step))
    (verdict,) = check_target(training, only="training/jit").verdicts
    return verdict


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_step_is_the_same_where_each_is_traced_anew(dtype):
    import jax
    import jax.numpy as jnp

    @jax.jit
    def step(w, i):
        def loss(w):
            kept = jax.random.bernoulli(jax.random.fold_in(jax.random.key(0), i), 0.5, (6,))
            return (jnp.tanh(jnp.arange(6.0).astype(dtype) * w.astype(dtype) * kept) ** 2).sum()

        return w - 0.1 * jax.grad(loss)(w)

    verdict = verdict_of(step, jnp.ones(6))
    assert (verdict.kind, verdict.message) == ("holds", "")


def test_another_program_of_16_bits_is_not_judged():
    import jax
    import jax.numpy as jnp

    calls: list[None] = []

    @jax.jit
    def step(w, _):
        calls.append(None)

        def loss(w):
            x = jnp.arange(6.0).astype("bfloat16")
            return (jnp.tanh(x * w.astype("bfloat16")) ** 2).sum()

        return w - 0.1 / len(calls) * jax.grad(loss)(w)

    verdict = verdict_of(step, jnp.ones(6))
    assert verdict.kind == "vacuous"
    assert "results of 16 bits are rounded elsewhere" in verdict.message
