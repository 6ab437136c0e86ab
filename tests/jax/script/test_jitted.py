"""The arrays and numbers that a jitted function reads from around it."""

from __future__ import annotations

import numpy as np
import pytest

from symmetry.jax.script.script import JaxScript
from symmetry.sandbox.source import Source
from tests.checking import check_target
from tests.conftest import needs

pytestmark = needs("jax")

OUTER, LATE = np.ones(2), 3.0


def helper(x):
    return x * OUTER


def made(value):
    def inner():
        return helper(value) + LATE

    def other(new):
        nonlocal value
        value = new

    return inner, other


def test_names_of_enclosing_functions_and_modules_are_read_also_in_functions_that_it_calls():
    from symmetry.jax.script.jitted import Captured

    first, second = np.zeros(2), np.full(2, 5.0)
    inner, other = made(first)
    captured = Captured(inner)
    before = captured.now()
    assert {name for _, name in before} == {"value", "OUTER", "LATE"}
    other(second)
    assert next(v for (_, name), v in captured.now().items() if name == "value") is not first
    with captured.standing_for(before):
        assert np.array_equal(inner(), [3.0, 3.0])
    assert np.array_equal(inner(), [8.0, 8.0])


def test_an_array_that_is_filled_anew_is_remembered_as_it_was():
    from symmetry.jax.script.jitted import Captured

    array = np.zeros(2)
    captured = Captured(made(array)[0])
    before = captured.now()
    array[:] = 7
    values = [
        next(v for (_, n), v in now.items() if n == "value") for now in (before, captured.now())
    ]
    assert [value.tolist() for value in values] == [[0, 0], [7, 7]]


def test_a_tree_of_arrays_stays_as_it_was_until_one_of_them_is_another():
    from symmetry.jax.script.jitted import Captured

    array = np.zeros(2)
    batch = {"x": array, "of": [np.ones(3), None]}

    def read():
        return batch

    captured = Captured(read)
    (first,) = captured.now().values()
    (same,) = captured.now().values()
    array[:] = 7
    (later,) = captured.now().values()
    assert same is first
    assert first["x"].tolist() == [0, 0]
    assert later is not first
    assert later["x"].tolist() == [7, 7]
    assert later["of"][1] is None


def test_what_holds_other_things_than_arrays_is_not_remembered():
    from symmetry.jax.script.jitted import Captured

    mixed, shape, unordered = {"x": np.zeros(2), "name": "train"}, (3, 4), {1: np.ones(2), "": 2}

    class Table(dict):  # JAX knows of no leaves in it
        pass

    table = Table(x=np.zeros(2))

    def read():
        return mixed, shape, unordered, table

    assert not Captured(read).now()


SCRIPT = """
import jax
import jax.numpy as jnp
import numpy as np

rng = np.random.default_rng(0)
params = {{"w": 0.3 * rng.normal(size=(5, 8)), "v": 0.3 * rng.normal(size=(8, 3))}}
params = jax.tree.map(lambda w: jnp.asarray(w, jnp.float32), params)
loss_log = []

def loss_of(params):
    scores = jax.nn.log_softmax(jnp.tanh({x} @ params["w"]) @ params["v"])
    return -jnp.take_along_axis(scores, {y}[:, None], 1).mean()

def batch():
    return rng.normal(size=(8, 5)).astype("float32"), rng.integers(0, 3, 8)

x, y = batch()
first_x, first_y, pair = x, y, {{"x": x, "of": (y, None)}}

@jax.jit
def step(params):
    loss, gradient = jax.value_and_grad(loss_of)(params)
    return jax.tree.map(lambda p, g: p - 0.1 * g, params, gradient), loss

for epoch in range(30):
    x, y = batch()
    pair = {{"x": x, "of": (y, None)}}
    params, loss = step(params)
    loss_log.append(loss)
"""


@pytest.mark.parametrize(
    ("x", "y", "kind", "names"),
    [
        pytest.param("x", "y", "violated", "x, y", id="each batch is a new one"),
        pytest.param("pair['x']", "pair['of'][0]", "violated", "pair", id="it holds both"),
        pytest.param("first_x", "first_y", "holds", "", id="one batch, which stays"),
    ],
)
def test_data_that_jit_freezes_is_accused(x, y, kind, names, tmp_path):
    (file := tmp_path / "train.py").write_text(SCRIPT.format(x=x, y=y))
    training = JaxScript(Source("train.py", file, (), folder=tmp_path))
    try:
        checked = check_target(training, only="training/jit", dtype="float32")
        (verdict,) = checked.verdicts
        assert verdict.kind == kind
        if kind == "violated":
            assert f"jax.jit keeps {names} of its first call" in verdict.message
    finally:
        training.close()
