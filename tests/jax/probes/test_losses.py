"""The losses of JAX trainings, judged by the laws of losses."""

from __future__ import annotations

import linecache
import re
from functools import partial
from typing import Any

import numpy as np
import pytest

from symmetry.training.target import FunctionTraining
from tests.checking import check_target
from tests.conftest import needs
from tests.jax.probes import material
from tests.jax.probes.material import BROKEN, SOUND, trained_on

pytestmark = [needs("jax"), needs("optax")]


def judged(loss, *names):
    target = FunctionTraining("training", partial(trained_on, loss))
    return check_target(target, only=names, dtype="float64").verdicts


@pytest.mark.parametrize("loss", SOUND, ids=lambda loss: loss.__name__)
def test_a_sound_loss_is_not_accused(loss):
    assert [v.message for v in judged(loss, "loss/*") if v.gates] == []


@pytest.mark.parametrize("loss", BROKEN, ids=lambda loss: loss.__name__)
def test_a_broken_loss_is_seen_with_its_line(loss):
    name, text, source = BROKEN[loss]
    (verdict,) = judged(loss, name)
    assert verdict.kind == "violated"
    assert text in verdict.message
    assert not re.search(r"_with_logits|nll_loss|(?<!jax\.nn\.)log_softmax", verdict.message)
    found = verdict.violation
    assert found.file.endswith("material.py")
    assert source in linecache.getline(material.__file__, found.line)


def test_keys_that_a_loop_takes_row_by_row_are_no_tokens():
    def training() -> Any:
        import jax
        import jax.numpy as jnp

        keys = jax.random.split(jax.random.key(0), (4, 3))

        def step(w: Any, _: Any) -> Any:
            def loss(w: Any) -> Any:
                def row(total: Any, keys: Any) -> Any:
                    return total + jax.random.normal(keys[0], ()) * (w**2).sum(), None

                return jax.lax.scan(row, jnp.zeros(()), keys)[0] ** 2

            return w - 0.1 * jax.grad(loss)(w)

        return jnp.ones(3), step

    checked = check_target(FunctionTraining("training", training), only="loss/*", dtype="float64")
    assert {verdict.kind for verdict in checked.verdicts} <= {"holds", "not applicable"}


@pytest.mark.parametrize("goal_of", ["the network itself", "its copy"])
@pytest.mark.parametrize(("shape", "kind"), [((16, 1), "violated"), ((16,), "")])
def test_a_goal_outside_of_the_differentiated_function_is_seen(goal_of, shape, kind):
    def training() -> Any:
        import jax
        import jax.numpy as jnp

        w, v = jax.random.split(jax.random.key(0))
        params = {"w": jax.random.normal(w, (4, 16)), "v": jax.random.normal(v, (16, 2))}

        def values(params: Any, x: Any) -> Any:
            return jax.nn.relu(x @ params["w"]) @ params["v"]

        def step(state: Any, batch: Any) -> Any:
            params, copy = state
            other = params if goal_of == "the network itself" else copy
            goal = batch["r"] + 0.9 * values(other, batch["y"]).max(1)

            def loss(params: Any) -> Any:
                return ((values(params, batch["x"])[jnp.arange(16), 0] - goal) ** 2).mean()

            gradient = jax.grad(loss)(params)
            return jax.tree.map(lambda p, g: p - 0.01 * g, params, gradient), copy

        def batch(number: int) -> Any:
            random = np.random.default_rng(number)
            x, y = (random.normal(size=(16, 4)).astype("f4") for _ in range(2))
            return {"x": x, "y": y, "r": random.normal(size=shape).astype("f4")}

        return (params, jax.tree.map(lambda p: p + 0.1, params)), step, {"batch": batch}

    target = FunctionTraining("training", training)
    (verdict,) = check_target(target, only="loss/pairs", dtype="float64").verdicts
    assert verdict.kind == kind or (not kind and not verdict.gates)
    if kind == "violated":
        assert 'goal = batch["r"]' in linecache.getline(__file__, verdict.violation.line)
