"""Loops that train: which of them is found, and the step, the state and the batches it is."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest

from symmetry.training.target import FunctionTraining
from tests.conftest import needs

pytestmark = needs("jax")
ROWS = np.arange(24, dtype=np.float32).reshape(4, 3, 2)


def descend(w: Any, x: Any) -> Any:
    """Return the next weights, and the loss."""
    import jax

    loss, gradient = jax.value_and_grad(lambda w: ((x @ w - 1) ** 2).mean())(w)
    return w - 0.01 * gradient, loss


def scanned(w: Any, rows: Any = ROWS) -> Any:
    import jax

    return jax.lax.scan(descend, w, rows)


def counted(w: Any) -> Any:
    import jax

    return jax.lax.fori_loop(1, 4, lambda i, w: descend(w, jax.numpy.asarray(ROWS)[i])[0], w)


def awaited(w: Any) -> Any:
    import jax

    return jax.lax.while_loop(lambda w: w.sum() > 9, lambda w: descend(w, ROWS[2])[0], w)


def nested(w: Any) -> Any:
    """Return weights after two epochs, each in another order; other loops play before them."""
    import jax
    import jax.numpy as jnp

    def epoch(carry: Any, key: Any) -> Any:
        w, seen = carry
        played, _ = jax.lax.scan(lambda total, x: (total + x, None), jnp.zeros(2), ROWS[0])
        w, losses = scanned(w, jax.random.permutation(key, jnp.asarray(ROWS)))
        return (w, seen + played), losses

    return jax.lax.scan(epoch, (w, jnp.zeros(2)), jax.random.split(jax.random.key(0), 2))


def mapped(w: Any) -> Any:
    import jax
    import jax.numpy as jnp

    return jax.vmap(lambda scale: scanned(scale * w))(jnp.arange(1.0, 4.0))


def found(train: Any) -> Any:
    import jax
    import jax.numpy as jnp

    from symmetry.jax.loop_training import loop_in

    return loop_in(lambda: jax.jit(train)(jnp.ones(2)))


@pytest.mark.parametrize(
    ("train", "kind", "words"),
    [
        (scanned, "scan", "after its 4 rounds the first batch comes again"),
        (counted, "fori_loop", "after its 3 rounds the first batch comes again"),
        (awaited, "while_loop", "code around that loop is not checked"),
        (nested, "scan", "after its 4 rounds"),
        (mapped, "scan", "in the first copy that vmap maps"),
    ],
)
def test_the_innermost_loop_that_trains_is_a_training(train, kind, words):
    loop = found(train)
    assert (loop.kind, np.shape(loop.carry)) == (kind, (2,))
    made = loop.training()
    assert words in made.part
    state = made.state
    for number in range(5):
        given = number if made.batch is None else made.batch(number)
        state, _ = made.step(state, given)
    assert np.isfinite(state).all()
    assert not np.array_equal(state, made.state)


def test_rows_are_its_batches_in_their_order_and_come_again():
    import jax

    made = found(lambda w: jax.lax.scan(descend, w, ROWS, reverse=True)).training()
    batches = [made.batch(number)["batch"] for number in range(5)]
    assert all(np.array_equal(batches[n], ROWS[::-1][n % 4]) for n in range(5))


def test_keys_among_the_rows_belong_to_the_number_of_the_step():
    import jax

    def noisy(w: Any, row: Any) -> Any:
        return descend(w, row[0] + jax.random.normal(row[1], (3, 2)))

    keys = jax.random.split(jax.random.key(1), 4)
    made = found(lambda w: jax.lax.scan(noisy, w, (ROWS, keys))).training()
    first = made.batch(0)
    assert [np.shape(leaf) for leaf in jax.tree.leaves(first["batch"])] == [(3, 2)]
    one, other = (made.step(made.state, {**first, "number": np.int32(n)})[0] for n in (0, 1))
    assert not np.array_equal(one, other)


def test_a_loop_that_is_differentiated_is_no_training():
    import jax

    def learn(w: Any) -> Any:
        return jax.grad(lambda w: (scanned(w)[0] ** 2).sum())(w)

    assert found(learn) is None
    assert found(lambda w: jax.lax.scan(lambda w, x: (w + x.sum(), None), w, ROWS)) is None


def test_the_gradients_of_a_step_that_is_an_epoch_are_those_of_its_loop():
    import jax
    import jax.numpy as jnp

    from symmetry.training.capabilities.model import Differentiating
    from symmetry.training.capabilities.step_events import StepEvents

    training = FunctionTraining("training", lambda: (jnp.ones(2), lambda w, _: scanned(w)))
    run = training.begin()
    assert (
        "its step is descend (tests/jax/test_loop_training.py:" in run.capability(StepEvents).part
    )
    run.step()
    gradient = jax.grad(lambda w: ((ROWS[0] @ w - 1) ** 2).mean())(jnp.ones(2))
    assert np.allclose(run.capability(Differentiating).gradients()["model.state"], gradient)


def test_a_loop_that_cannot_be_taken_out_is_told():
    import jax
    import jax.numpy as jnp

    from symmetry.training.capabilities.step_events import StepEvents

    scan = partial(jax.lax.scan, descend)  # taken before it is looked for
    run = FunctionTraining("t", lambda: (jnp.ones(2), lambda w, _: scan(w, ROWS))).begin()
    assert "no gradient of it is seen" in run.capability(StepEvents).part
