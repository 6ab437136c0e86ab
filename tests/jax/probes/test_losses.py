"""The losses of JAX trainings, judged by the laws of losses."""

from __future__ import annotations

import linecache
import re
from functools import partial
from typing import Any

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
