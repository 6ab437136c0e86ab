"""Goals of values, in JAX: with a gradient by mistake, and without."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from symmetry.training.target import FunctionTraining
from tests.checking import check_target
from tests.conftest import needs

pytestmark = [needs("jax"), needs("optax")]


def of_values(goal_of, *, error):
    """Return a training of values; ``goal_of`` makes the goal of each from the next state."""
    import jax

    w, v = jax.random.split(jax.random.key(0))
    params = {"w": jax.random.normal(w, (4, 8)), "v": jax.random.normal(v, (8, 2))}

    def values(params, x):
        return jax.nn.relu(x @ params["w"]) @ params["v"]

    def step(state, batch):
        params, copy = state

        def loss(own):
            goal = batch["r"] + 0.9 * goal_of(values, own, params, copy, batch["y"])
            return error(values(own, batch["x"])[:, 0], goal).mean()

        gradient = jax.grad(loss)(params)
        return jax.tree.map(lambda p, g: p - 0.01 * g, params, gradient), copy

    def batch(number):
        random = np.random.default_rng(number)
        x, y, r = (random.normal(size=(16, n)).astype("f4") for n in (4, 4, 1))
        return {"x": x, "y": y, "r": r[:, 0]}

    return (params, jax.tree.map(lambda p: p + 0.1, params)), step, {"batch": batch}


def squares(output, goal):
    return (output - goal) ** 2


def huber(output, goal):
    import optax

    return optax.huber_loss(output, goal)


def notes_of(goal_of, error):
    target = FunctionTraining("training", partial(of_values, goal_of, error=error))
    (verdict,) = check_target(target, only="loss/inputs", dtype="float64").verdicts
    assert not verdict.gates
    return [note.text for note in verdict.notes]


@pytest.mark.parametrize("error", [squares, huber])
def test_a_goal_with_a_gradient_is_a_note(error):
    (text,) = notes_of(lambda values, own, params, copy, y: values(own, y).max(1), error)
    assert "a gradient flows through the goal of this loss" in text


def stopped(values, own, params, copy, y):
    import jax

    return jax.lax.stop_gradient(values(own, y).max(1))


def chosen_by_the_network_itself(values, own, params, copy, y):
    """Let the network choose, and its copy value what it has chosen."""
    import jax.numpy as jnp

    return jnp.take_along_axis(values(copy, y), values(own, y).argmax(1)[:, None], 1)[:, 0]


@pytest.mark.parametrize(
    "goal_of",
    [
        stopped,
        chosen_by_the_network_itself,
        lambda values, own, params, copy, y: values(copy, y).max(1),
        lambda values, own, params, copy, y: values(params, y).max(1),  # without a gradient
    ],
)
def test_a_goal_without_a_gradient_is_none(goal_of):
    assert notes_of(goal_of, squares) == notes_of(goal_of, huber) == []
