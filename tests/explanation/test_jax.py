from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.conftest import needs
from tests.explanation.steps import explained, start
from tests.explanation.steps import step as numpy_step

pytestmark = needs("jax")


@pytest.fixture(autouse=True, scope="module")
def jax() -> Any:
    import jax

    return jax


def gradient_step(change):
    """Return a step with a compiled loss; ``change`` acts on the hidden layer."""
    import jax
    import jax.numpy as jnp

    @jax.jit
    def loss(w1, w2, x, y):
        hidden = change(jax.nn.sigmoid(jnp.sum(x[:, :, None] * w1[1:], axis=1) + w1[0]))
        logits = jnp.sum(hidden[:, :, None] * w2[1:], axis=1) + w2[0]
        return jnp.sum((logits - y) ** 2)

    def step(x, y, w1, w2, lr):
        g1, g2 = jax.grad(loss, argnums=(0, 1))(w1, w2, x, y)
        return np.asarray(w1 - lr * g1), np.asarray(w2 - lr * g2)

    return step


def small():
    return start(n=4, i=2, c=3, hidden=6, lr=0.01)


def test_a_compiled_step_without_a_fault(jax):
    assert explained(gradient_step(lambda hidden: hidden), small()).outcome == "nothing split"


def test_inside_of_a_compiled_function(jax):
    import jax.numpy as jnp

    explanation = explained(
        gradient_step(lambda hidden: hidden * jnp.linspace(1, 1.1, hidden.shape[1])), small()
    )
    found = explanation.culprits[0]
    assert found.operation == "mul"
    assert found.file == "tests/explanation/test_jax.py"
    assert found.difference.groups == "all 6 differ"
    assert "repeated alone: the same unequal result" in found.evidence
    assert found.script is None
    assert "JAX's operations were evaluated one by one, not compiled" in explanation.remarks


def test_a_random_mask(jax):
    def drop(hidden):
        return hidden * jax.random.bernoulli(jax.random.key(0), 0.5, hidden.shape)

    found = explained(gradient_step(drop), small()).culprits[0]
    assert "random numbers that differ between the units" in found.cause


def test_only_the_compiled_step_breaks(jax):
    import jax.numpy as jnp

    def step(x, y, w1, w2, lr):
        w1, w2 = numpy_step(x, y, w1, w2, lr)
        array = jnp.asarray(w2) * 1
        if not jax.config.jax_disable_jit:
            array = array.at[2].multiply(1.01)
        return w1, np.asarray(array)

    explanation = explained(step, small())
    assert explanation.outcome == "compiled only"
    assert explanation.difference.groups == "unit 1 alone"


def test_nothing_stays_observed(jax):
    from jax._src.core import EvalTrace

    before = EvalTrace.process_primitive
    explained(gradient_step(lambda hidden: hidden), small())
    assert EvalTrace.process_primitive is before
    assert not jax.config.jax_disable_jit


def test_that_jax_is_evaluated_is_said_of_an_exchange_as_well(jax):
    import jax.numpy as jnp

    def step(x, y, w1, w2, lr):
        moved = jnp.asarray(w1) - lr * jnp.sum(x)
        return np.asarray(moved / (1 + jnp.linalg.norm(moved[:, :3]))), w2 - np.float32(lr)

    explanation = explained(step, small())
    assert explanation.difference is None
    assert explanation.culprits[0].file == "tests/explanation/test_jax.py"
    assert "JAX's operations were evaluated one by one, not compiled" in explanation.remarks
