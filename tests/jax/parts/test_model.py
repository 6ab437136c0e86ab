"""The gradients that a step shows: as they were computed, and added up."""

from __future__ import annotations

import numpy as np
import pytest

from symmetry.training.capabilities.model import Differentiating
from symmetry.training.target import FunctionTraining
from tests.conftest import needs

pytestmark = needs("jax")


def test_gradients_of_single_samples_and_of_two_calls_are_added_up():
    import jax
    import jax.numpy as jnp

    x = np.arange(6, dtype=np.float32).reshape(3, 2)

    def training():
        def step(w, i):
            each = jax.vmap(jax.grad(lambda w, x: (w * x).sum()), in_axes=(None, 0))(w, x)
            more = jax.grad(lambda w: (w**2).sum())(w)
            return w - 0.1 * (each.mean(0) + more)

        return jnp.ones(2), step

    run = FunctionTraining("training", training).begin()
    run.step()
    gradients = run.capability(Differentiating).gradients()
    assert np.allclose(gradients["model.state"], x.sum(0) + 2)


@pytest.mark.parametrize(
    ("given", "shape"),
    [
        ((2, 3), (2, 3)),
        ((4, 2, 3), (2, 3)),  # of four samples
        ((2, 4, 3), (2, 3)),
        ((5, 4, 2, 3), (2, 3)),
        ((2, 3, 5, 4), (4, 2, 3, 5)),  # mapped along another axis
        ((2, 3), (1, 2, 3)),  # of one device
        ((4,), ()),
    ],
)
def test_a_gradient_gets_the_shape_of_its_parameter(given, shape):
    from symmetry.jax.parts.model import shaped

    array = np.random.default_rng(0).standard_normal(given)
    found = shaped(array, shape)
    assert found.shape == shape
    assert found.sum() == pytest.approx(array.sum())
