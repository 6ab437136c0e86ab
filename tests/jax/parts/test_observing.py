"""Steps of JAX trainings seen from inside: compared, and recorded."""

from __future__ import annotations

import pytest

from symmetry import compare, explain
from tests.conftest import needs
from tests.jax.faulty import clipping_leaves_out_the_last_column
from tests.jax.sound import cross_entropy, plain_mlp
from tests.jax.sound import mlp as plain

pytestmark = needs("jax")


def with_another_loss():
    return plain(entropy=lambda logits, labels: cross_entropy(2 * logits, labels))


def test_a_training_is_the_same_as_itself():
    (other,) = compare(plain_mlp, plain_mlp).others
    assert other.same


@pytest.mark.parametrize(
    ("changed", "phase"),
    [(clipping_leaves_out_the_last_column, "update"), (with_another_loss, "gradient")],
)
def test_the_first_difference_is_named(changed, phase):
    (other,) = compare(plain_mlp, changed, dtype="float64").others
    assert other.same is False
    assert other.first.phase == phase


@needs("flax")
def test_the_module_is_named_if_the_library_names_it():
    import flax.linen as nn
    import jax
    import jax.numpy as jnp

    def training(epsilon):
        class Net(nn.Module):
            @nn.compact
            def __call__(self, x):
                x = nn.LayerNorm(epsilon=1e-6)(nn.Dense(6)(x))
                return nn.Dense(1)(nn.LayerNorm(epsilon=epsilon)(nn.Dense(6)(x)))

        net = Net()

        def step(params, i):
            x = jax.random.normal(jax.random.fold_in(jax.random.key(1), i), (4, 5))
            value, g = jax.value_and_grad(lambda p: (net.apply(p, x) ** 2).mean())(params)
            return jax.tree.map(lambda p, g: p - 0.1 * g, params, g), value

        return net.init(jax.random.key(0), jnp.ones((1, 5))), step

    (other,) = compare(lambda: training(1e-6), lambda: training(1e-3), dtype="float64").others
    assert (other.first.phase, other.first.module) == ("forward", "LayerNorm_1")


def test_the_operation_that_treats_one_unit_differently_is_named():
    found = explain(clipping_leaves_out_the_last_column)
    (culprit,) = found.culprits
    assert culprit.operation == "scatter"
    assert culprit.file.endswith("tests/jax/faulty.py")
    assert "raises" not in " ".join(culprit.evidence)
