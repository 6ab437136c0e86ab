"""Plain numbers in the state: constants, as the sizes of layers, or counters of steps."""

from __future__ import annotations

from typing import Any

import pytest

from symmetry.base.errors import TrainingError
from tests.conftest import needs

pytestmark = needs("jax")


def begun(state: Any, step: Any) -> Any:
    from symmetry.jax.begin import begin

    return begin("training", lambda: (state, step))


def weights(state: Any) -> Any:
    """Return the weights after a step of descent, and their length as a plain number."""
    import jax
    import jax.numpy as jnp

    def loss(w: Any) -> Any:
        return ((w.reshape(state["size"], -1) + jnp.zeros((state["size"], 1))) ** 2).sum()

    return state["w"] - 0.1 * jax.grad(loss)(state["w"]), state["size"]


def start() -> Any:
    import jax.numpy as jnp

    return {"size": 3, "w": jnp.arange(6.0), "count": 0}


def test_a_size_stays_a_plain_number_and_is_no_leaf():
    def step(state: Any, _: Any) -> Any:
        w, size = weights(state)
        return {"size": size, "w": w, "count": state["count"] + 1}

    run = begun(start(), step)
    run.step()
    run.step()
    assert sorted(run.leaves.names) == ["count", "model.w"]
    assert int(run.leaves.values[run.leaves.names.index("count")]) == 2


def test_a_rate_that_a_compiled_step_hands_on_stays_a_leaf():
    import jax
    import jax.numpy as jnp

    @jax.jit
    def step(state: Any, _: Any) -> Any:
        gradient = jax.grad(lambda w: (w**2).sum())(state["w"])
        return {"rate": state["rate"], "w": state["w"] - state["rate"] * gradient}

    run = begun({"rate": 0.5, "w": jnp.ones(2)}, step)
    run.step()
    assert sorted(run.leaves.names) == ["model.w", "rate"]


def test_a_size_that_changes_cannot_be_a_plain_number():
    def step(state: Any, _: Any) -> Any:
        w, size = weights(state)
        return {"size": 2 * size, "w": w, "count": 0}

    with pytest.raises(TrainingError):
        begun(start(), step)
