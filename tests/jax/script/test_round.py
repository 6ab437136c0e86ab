"""Rounds of calls: several jitted functions that take a step together."""

from __future__ import annotations

from contextlib import suppress

import numpy as np
import pytest

from symmetry.base.errors import NotCheckable
from tests.conftest import needs

pytestmark = needs("jax")

ROUNDS = 16


def training(loop):
    """Return the training that a loop makes; it is given a function that jits."""
    import jax

    from symmetry.jax.script.calls import Enough, JittedCalls
    from symmetry.jax.script.repeated_step import training_of

    calls = JittedCalls()
    with calls.watching(), suppress(Enough):
        loop(jax.jit)
        raise AssertionError("it was not ended after enough steps")
    return training_of("train.py", calls.functions, calls.log, "")


def numbers(*shape):
    """Return numbers that are as good as random ones."""
    return np.sin(np.arange(np.prod(shape))).reshape(shape).astype("float32")


ROWS = numbers(40, 4, 3)


def apart(jit, *, update_every=1, rate=0.1):
    """Run a loop whose gradients and updates are jitted apart."""
    import jax
    import jax.numpy as jnp

    def loss_of(w, x):
        return jnp.tanh(x @ w).sum()

    gradient_of = jit(jax.value_and_grad(loss_of))

    def moved(w, v, g, rate):
        v = 0.9 * v + g
        return w - rate * v, v

    update = jit(moved, static_argnames="rate")
    w, v = jnp.ones(3), jnp.zeros(3)
    for number, x in enumerate(ROWS):
        _, gradient = gradient_of(w, x)
        if number % update_every == 0 or number in (3, 4):
            w, v = update(w, v, gradient, rate=rate)


def test_gradients_and_updates_that_are_jitted_apart_are_one_step():
    import jax
    import jax.numpy as jnp

    state, step, extras = training(apart)
    paths = [jax.tree_util.keystr(keys) for keys, _ in jax.tree_util.tree_leaves_with_path(state)]
    assert paths == ["['loss_of']['w']", "['moved']['v']"]
    batch = extras["batch"]
    assert [np.shape(leaf) for leaf in jax.tree.leaves(batch(0)["batch"])] == [(4, 3)]
    w, v = jnp.ones(3), jnp.zeros(3)
    for number in range(ROUNDS):
        gradient = jax.grad(lambda w, x: jnp.tanh(x @ w).sum())(w, ROWS[number])
        v = 0.9 * v + gradient
        w = w - 0.1 * v
        state, _ = step(state, batch(number))
        found = [np.asarray(leaf) for leaf in jax.tree.leaves(state)]
        assert all(np.allclose(a, b, 1e-3, 1e-5) for a, b in zip(found, (w, v), strict=True))


def adversaries(jit, *, in_turns=2):
    """Run a loop that trains a critic several times, then a generator, and shows samples."""
    import jax
    import jax.numpy as jnp

    def loss_of(g, d, x):
        return ((x @ g) @ d).sum()

    def ascend(d, g, x):
        return d + 0.1 * jax.grad(loss_of, 1)(g, d, x)

    def descend(g, d):
        return g - 0.1 * jax.grad(loss_of)(g, d, jnp.ones((4, 3)))

    critic, generator = jit(ascend), jit(descend)
    sample = jit(lambda g: g.sum())
    g, d = jnp.asarray(numbers(3, 5)), jnp.ones(5)
    for number in range(100):
        for turn in range(in_turns):
            d = critic(d, g, ROWS[(number * in_turns + turn) % len(ROWS)])
        g = generator(g, d)
        if number % 3 == 0:
            sample(g)


def test_networks_that_are_trained_in_turns_are_one_training():
    import jax

    state, step, extras = training(adversaries)
    assert sorted(np.shape(leaf) for leaf in jax.tree.leaves(state)) == [(3, 5), (5,)]
    first, second = (jax.tree.leaves(extras["batch"](n)["batch"]) for n in range(2))
    assert [np.array_equal(a, b) for a, b in zip(first, ROWS[:2], strict=True)] == [True, True]
    assert [np.array_equal(a, b) for a, b in zip(second, ROWS[2:4], strict=True)] == [True, True]
    after, rest = step(state, extras["batch"](0))
    again, _ = step(after, extras["batch"](1))
    assert all(
        not np.array_equal(a, b)
        for a, b in zip(jax.tree.leaves(after), jax.tree.leaves(again), strict=True)
    )
    assert sorted(rest) == ["ascend", "ascend 2", "descend"]
    assert extras["batch"](ROUNDS - 1) is not None


def test_calls_that_come_in_no_order_are_refused():
    with pytest.raises(NotCheckable, match="its step moved takes results of loss_of"):
        training(lambda jit: apart(jit, update_every=2))
