"""The arguments of jitted functions have the names of their user, also where Equinox jits them."""

from __future__ import annotations

import numpy as np

from tests.conftest import needs
from tests.jax.script.test_script import leaves_of, made

pytestmark = [needs("jax"), needs("equinox"), needs("optax")]
__all__ = ["made"]  # a fixture

TEXT = """
import equinox as eqx
import optax

class Net(eqx.Module):
    layers: list
    act: callable

    def __init__(self, key):
        one, other = jax.random.split(key)
        self.layers = [eqx.nn.Linear(5, 6, key=one), eqx.nn.Linear(6, 3, key=other)]
        self.act = jnp.tanh

    def __call__(self, x):
        return self.layers[1](self.act(self.layers[0](x)))

@eqx.filter_jit
def step(model, state, x, y, optimizer):
    def loss_of(model):
        scores = jax.vmap(model)(x)
        return optax.softmax_cross_entropy_with_integer_labels(scores, y).mean()
    loss, gradient = eqx.filter_value_and_grad(loss_of)(model)
    changes, state = optimizer.update(gradient, state, eqx.filter(model, eqx.is_array))
    return eqx.apply_updates(model, changes), state, loss

model, optimizer = Net(jax.random.key(0)), optax.adam(1e-2)
state = optimizer.init(eqx.filter(model, eqx.is_array))
for x, y in batches(30):
    model, state, loss = step(model, state, x, y=y, optimizer=optimizer)
"""


def test_moments_follow_the_parameters_of_a_filtered_step(made):
    from symmetry.jax.names import path_of

    state, step, extras = made(TEXT)
    import jax

    names = {".".join(path_of(keys)) for keys, _ in jax.tree_util.tree_flatten_with_path(state)[0]}
    layers = {f"layers.{k}.{name}" for k in (0, 1) for name in ("weight", "bias")}
    followers = {f"state.0.{moment}.{layer}" for moment in ("mu", "nu") for layer in layers}
    assert names == {f"model.{layer}" for layer in layers} | followers | {"state.0.count"}
    first = extras["batch"](0)
    assert {name for name, value in first["batch"].items() if leaves_of(value)} == {"x", "y"}
    after, _ = step(state, first)
    moved = [
        a is not b and not np.array_equal(a, b)
        for a, b in zip(*map(leaves_of, (state, after)), strict=True)
    ]
    assert all(moved)
