"""Which random draws are noise of the model, and which of these are dropout."""

from __future__ import annotations

import pytest

from tests.conftest import needs

pytestmark = needs("jax")


def draws_of(change):
    """Return the noise of a layer whose results are changed by a key."""
    import jax
    import jax.numpy as jnp

    from symmetry.jax.jaxprs.noise import noise_in

    def loss(w, x, key):
        return (change(jnp.tanh(x @ w), key) @ w.T).sum()

    traced = jax.make_jaxpr(loss)(jnp.ones((3, 4)), jnp.ones((2, 3)), jax.random.key(0))
    return noise_in(traced, [True, False, False], [True, True, False])


def kept(key, x, chance=0.5):
    import jax

    return jax.random.bernoulli(key, chance, x.shape)


@pytest.mark.parametrize(
    "change",
    [
        lambda x, key: __import__("jax").numpy.where(kept(key, x), x / 0.5, 0.0),
        lambda x, key: x * kept(key, x) / 0.5,
        lambda x, key: x * (kept(key, x) / 0.5),
        lambda x, key: x * (__import__("jax").random.uniform(key, x.shape) > 0.5),
    ],
    ids=["chosen", "multiplied", "scaled first", "compared"],
)
def test_a_mask_that_leaves_out_activations_is_dropout(change):
    (draw,) = draws_of(change)
    assert (draw.drops, draw.fixed, draw.keys) == (True, True, ())


def test_noise_that_is_added_is_none():
    import jax

    (draw,) = draws_of(lambda x, key: x + jax.random.normal(key, x.shape))
    assert not draw.drops


def test_a_choice_between_two_values_is_none():
    import jax.numpy as jnp

    (draw,) = draws_of(lambda x, key: jnp.where(kept(key, x), x, -x))
    assert not draw.drops


def test_a_mask_of_one_axis_chooses_samples():
    import jax

    def masked(x, key):
        return x * jax.random.bernoulli(key, 0.5, x.shape[:1])[:, None]

    (draw,) = draws_of(masked)
    assert not draw.drops


def test_noise_that_only_other_outputs_depend_on_is_left_out():
    import jax
    import jax.numpy as jnp

    from symmetry.jax.jaxprs.noise import noise_for

    def step(w, x, key):
        hidden = jnp.tanh(x @ w)
        return w - hidden.sum(), (hidden * kept(key, hidden)).sum()

    traced = jax.make_jaxpr(step)(jnp.ones((3, 4)), jnp.ones((2, 3)), jax.random.key(0))
    origins = [True, False, False], [True, True, False]
    assert noise_for([0], traced, *origins) == ()
    assert len(noise_for([1], traced, *origins)) == 1
