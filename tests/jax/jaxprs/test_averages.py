"""Running averages whose new value no later step is given."""

from __future__ import annotations

import pytest

from tests.conftest import needs

pytestmark = needs("jax")


def dropped_by(after):
    """Return what is dropped by a step of one parameter; ``after`` returns the next state."""
    import jax
    import jax.numpy as jnp

    from symmetry.jax.begin import begin
    from symmetry.jax.parts.saving import JaxHandingOn

    def step(state, i):
        w, old, other = state
        x = jax.random.normal(jax.random.fold_in(jax.random.key(0), i), (3,))

        def loss(w):
            return (jnp.tanh(x * w) ** 2).sum()

        return after(w, old, other, jax.grad(loss)(w), x)

    start = jnp.ones(3), jnp.zeros(3), jnp.full(3, 0.5)
    return [each.name for each in JaxHandingOn(begin("training", lambda: (start, step))).dropped()]


def adam(w, old, other, gradient, x):
    new = 0.9 * old + 0.1 * gradient
    return w - 0.1 * new, new, other


def chosen(w, old, other, gradient, x):
    """Return what an optimiser does that may skip updates, and never does."""
    import jax

    new = jax.lax.cond(False, lambda: 0 * old, lambda: 0.9 * old + 0.1 * gradient)
    return w - 0.1 * new, old, other


def of_haiku(w, old, other, gradient, x):
    """Return an average of weights by numbers that are computed, as those of Haiku are."""
    import jax.numpy as jnp

    return (w - gradient, old, other), 0.9 * old + w * (jnp.ones([], old.dtype) - 0.9)


def mixed(w, old, other, gradient, x):
    """Return a score of weights that are mixed with others, beside the state."""
    new = w - 0.1 * gradient
    return (new, old, other), (x * (0.9 * other + 0.1 * new)).sum()


@pytest.mark.parametrize(
    ("after", "names"),
    [
        (adam, []),
        (lambda *given: (adam(*given)[0], *given[1:3]), ["model.1"]),
        (lambda w, m, o, g, x: (w - 0.1 * (0.9 * m + g), m, o), ["model.1"]),
        (lambda w, m, o, g, x: (w - 0.1 * (0.9 * o + g), m, o), []),
        (lambda w, m, o, g, x: (0.1 * (w - g) + 0.9 * o, m, o), []),
        (lambda w, m, o, g, x: ((w - g, m, o), 0.9 * m + 0.1 * w), ["model.1"]),
        (chosen, ["model.1"]),
        (of_haiku, ["model.1"]),
        (mixed, []),
    ],
    ids=[
        *("handed on", "Adam", "momentum", "a constant force", "pulled back", "of weights"),
        *("in a branch", "with a decay that is computed", "scored"),
    ],
)
def test_a_new_value_that_no_step_is_given_is_dropped(after, names):
    assert dropped_by(after) == names


def test_an_inner_optimiser_that_begins_anew_in_each_step_drops_nothing():
    import jax
    import jax.numpy as jnp

    def after(w, old, other, gradient, x):
        inner, moment = w, old
        for _ in range(2):
            found = jax.grad(lambda v: (jnp.tanh(x * v) ** 2).sum())(inner)
            moment = 0.9 * moment + 0.1 * found
            inner = inner - 0.1 * moment
        return w + 0.5 * (inner - w), old, other

    assert dropped_by(after) == []
