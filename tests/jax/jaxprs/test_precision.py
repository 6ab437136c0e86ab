"""Jaxprs that round in another way: which numbers move, by how much, and which have to stay."""

from __future__ import annotations

import operator
from functools import partial

import numpy as np
import pytest

from symmetry.training.target import FunctionTraining
from tests.conftest import needs

pytestmark = needs("jax")

EPS = float(np.finfo(np.float32).eps)
NUMBERS = np.random.default_rng(0).normal(size=40).astype(np.float32)


def moved(function, *args, seed=1, promoted=False):
    """Return what a function returns if its operations are rounded as a seed says."""
    import jax

    from symmetry.jax.jaxprs.precision import rounded

    made = jax.make_jaxpr(function)(*args)
    results = rounded(made.jaxpr, promoted=promoted)(np.uint32(seed), made.consts, args)
    return np.asarray(results[0])


def test_results_move_by_up_to_an_eps_and_the_same_for_a_seed():
    one, again, other = (moved(operator.mul, NUMBERS, NUMBERS, seed=n) for n in (1, 1, 2))
    exact = NUMBERS * NUMBERS
    assert 0 < abs(one - exact).max() <= 2 * EPS * exact.max()
    assert (abs(one - exact) <= 1.5 * EPS * exact).all()
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)


def test_a_sum_that_cancels_moves():
    terms = np.float32([0.1, 0.3, -0.1, -0.3])
    assert 0 < max(abs(moved(lambda x: x.sum(), terms, seed=n)) for n in range(4)) < 4 * EPS


@pytest.mark.parametrize(
    "function",
    [
        lambda jnp, x: jnp.where(x > 0, x, -x),
        lambda jnp, x: jnp.sort(x.reshape(4, 10))[:, ::-1],
        lambda jnp, x: jnp.clip(x, -0.5, 0.5),
        lambda jnp, x: jnp.zeros(40).at[jnp.arange(40)].set(x),
        lambda jnp, x: (jnp.floor(x) + 1) * 65536.0,  # whole numbers: counters, labels, loss scales
    ],
)
def test_what_rounds_nothing_stays(function):
    import jax.numpy as jnp

    function = partial(function, jnp)
    assert np.array_equal(moved(function, NUMBERS), function(NUMBERS))


def test_a_large_number_is_no_counter():
    import jax

    assert not np.array_equal(moved(lambda x: x * 1.5e9, NUMBERS), NUMBERS * np.float32(1.5e9))
    least = np.full(4, np.finfo(np.float32).min)
    assert np.isfinite(moved(lambda x: jax.nn.softmax(x + 1e30), least)).all()


def test_operations_in_loops_move():
    import jax

    def total(x):
        def body(carry, row):
            return carry + row / 3, row * carry

        return jax.lax.scan(body, 0.0, x)[1]

    assert 0 < abs(moved(total, NUMBERS) - total(NUMBERS)).max() < 1e-5


def test_in_float64_what_has_fewer_bits_stays():
    assert np.array_equal(moved(lambda x: x * x, NUMBERS, promoted=True), NUMBERS * NUMBERS)


def test_ties_are_broken_and_equal_arrays_stay_equal():
    """Copies on several devices perform the same operations on the same bits."""
    import jax

    scores = np.full((64, 4), 0.3, np.float32)
    chances = moved(lambda x: jax.nn.softmax(x, 1), scores)
    assert len(np.unique(chances)) > 1
    assert np.array_equal(chances, moved(lambda x: jax.nn.softmax(x, 1), scores.copy()))


def test_a_run_rounds_in_another_way_if_it_is_looked_at_closely():
    import jax
    import jax.numpy as jnp

    def training():
        def loss(w):
            return jnp.abs(w["a"] @ jnp.arange(3.0) - 1.5).sum()

        def step(w, i):
            value, gradient = jax.value_and_grad(loss)(w)
            return jax.tree.map(lambda p, g: p - 0.1 * g, w, gradient), value

        return {"a": jnp.asarray(NUMBERS[:12].reshape(4, 3))}, step

    states = []
    for seed, closely in ((None, False), (1, False), (1, True), (2, True)):
        run = FunctionTraining("t", training).begin()
        run.round_by(seed, closely=closely)
        states.append([*run.states(2)][-1]["model.a"])
    plain, glance, one, other = states
    assert np.array_equal(plain, glance)
    assert not np.array_equal(plain, one)
    assert not np.array_equal(one, other)
    np.testing.assert_allclose(one, plain, rtol=1e-5)
