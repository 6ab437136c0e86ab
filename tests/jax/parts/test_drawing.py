"""Random numbers of a run: what is known of the noise of its model."""

from __future__ import annotations

import numpy as np
import pytest

from symmetry.training.capabilities.drawing import Keyed
from symmetry.training.target import FunctionTraining
from tests.conftest import needs

pytestmark = needs("jax")


@pytest.mark.parametrize(
    ("batch", "differs"),
    [
        (lambda i: np.full(3, i, "f4"), True),
        (lambda i: np.ones(3 + i, "f4"), True),
        (lambda i: (np.ones(3, "f4"), i), False),
        (None, False),
    ],
    ids=["other numbers", "other sizes", "only the number", "none"],
)
def test_a_training_has_batches_if_their_arrays_differ(batch, differs):
    def training():
        import jax.numpy as jnp

        return jnp.ones(3), lambda state, given: state, {"batch": batch} if batch else {}

    run = FunctionTraining("training", training).begin()
    assert run.capability(Keyed).has_batches == differs
