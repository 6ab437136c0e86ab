"""Operations between the jitted calls of a script are a part of its step."""

from __future__ import annotations

import numpy as np
import pytest

from symmetry.base.errors import NotCheckable
from tests.cli.inside import symmetry as command
from tests.conftest import needs
from tests.jax.script.test_round import numbers
from tests.jax.script.test_script import HEAD, made  # noqa: F401

pytestmark = needs("jax")

LOOP = """
gradient_of = jax.jit(jax.value_and_grad(loss_of))
moments = jax.tree.map(jnp.zeros_like, params)
for x, y in batches(30):
    loss, g = gradient_of(params, x, y)
    norm = sum((each ** 2).sum() for each in g.values()) ** 0.5
    g = {name: each / jnp.maximum(norm, 0.05) for name, each in g.items()}
    moments = jax.tree.map(lambda m, g: 0.9 * m + g, moments, g)
    params = jax.tree.map(lambda p, m: p - 0.1 * m, params, moments)
    if loss < 1.0:
        print((params["w1"] ** 2).sum())
"""
CLIPS = """    g["w1"] = g["w1"].at[:, :-1].set(jnp.clip(g["w1"][:, :-1], -1e-3, 1e-3))
"""
MIXED = "    moments = {each: 0.9 * moments[each] + sum(g.values()) for each in g}\n"
NOISY = (
    "    moments = {each: 0.9 * moments[each] + g[each] + rng.normal(size=(5, 5)) for each in g}\n"
)


def test_gradients_that_operations_clip_and_apply_are_a_step(made):  # noqa: F811
    import jax

    state, step, extras = made(LOOP)
    assert sorted(np.shape(leaf) for leaf in jax.tree.leaves(state)) == [(5, 6)] * 2 + [(6, 3)] * 2
    assert sorted(state)[0] == "loss_of"
    weights = {name: np.asarray(leaf) for name, leaf in state["loss_of"]["params"].items()}
    moments = {(5, 6): "w1", (6, 3): "w2"}
    held = {
        moments[np.shape(leaf)]: np.asarray(leaf)
        for name in sorted(state)[1:]
        for leaf in jax.tree.leaves(state[name])
    }
    given = extras["batch"](0)
    x, y = (np.asarray(leaf) for leaf in jax.tree.leaves(given["batch"]))

    def loss_of(params):
        import jax.numpy as jnp

        scores = jax.nn.log_softmax(jnp.tanh(x @ params["w1"]) @ params["w2"])
        return -jnp.take_along_axis(scores, y[:, None], 1).mean()

    gradient = jax.grad(loss_of)(weights)
    norm = sum(float((each**2).sum()) for each in gradient.values()) ** 0.5
    after, _ = step(state, given)
    for name, weight in after["loss_of"]["params"].items():
        moment = 0.9 * held[name] + gradient[name] / max(norm, 0.05)
        assert np.allclose(weight, weights[name] - 0.1 * moment, 1e-3, 1e-5)


@pytest.mark.parametrize("line", [MIXED, NOISY])
def test_moments_of_several_parameters_and_noise_are_refused(made, line):  # noqa: F811
    square = HEAD.replace("(5, 6)", "(5, 5)").replace("(6, 3)", "(5, 5)")
    old = next(line for line in LOOP.splitlines(keepends=True) if "0.9 * m" in line)
    with pytest.raises(NotCheckable, match="the outputs of no jitted function"):
        made(LOOP.replace(old, line), square)


def test_the_gradient_behind_a_moment_is_followed_past_a_norm_of_all():
    import jax.numpy as jnp

    from symmetry.jax.jaxprs.behind import parameters_behind
    from tests.jax.jaxprs.test_walk import slope, traced

    def step(a, b, m, x):
        g, h = slope(a, x), slope(b, x)
        m = 0.9 * m + g / ((g**2).sum() + (h**2).sum())
        return a - m, b - h, m

    given = [jnp.asarray(numbers(3))] * 4
    assert parameters_behind(traced(step, *given, leaves=3)) == {0: {0}, 1: {1}, 2: {0}}


@pytest.mark.slow
def test_moments_that_operations_compute_and_drop_are_a_note(tmp_path):
    text = HEAD + LOOP.replace("    moments = jax.tree", "    new = jax.tree")
    text = text.replace("0.9 * m + g", "0.9 * m + 0.1 * g").replace(
        "params, moments)", "params, new)"
    )
    (tmp_path / "train.py").write_text(text)
    done = command("check", "train.py", "--only", "training/handed-on", "--gate", "*", cwd=tmp_path)
    assert done.status == 1, done.err
    line = text[: text.index("    new = ")].count("\n") + 1
    assert f"train.py:{line}: the new value of an array of shape (5, 6) that it is" in done.out
    assert "found by  training/dropped-averages" in done.out


@pytest.mark.slow
def test_a_gradient_that_operations_clip_but_for_its_last_column_is_named(tmp_path):
    at = "    moments = jax.tree.map(lambda"
    text = HEAD + LOOP.replace(at, CLIPS + at)
    (tmp_path / "train.py").write_text(text)
    done = command("check", "train.py", "--only", "symmetry/*", cwd=tmp_path)
    assert done.status == 1, done.err
    line = text[: text.index(CLIPS)].count("\n") + 1
    assert f"train.py:{line} treats unit" in done.out
    (tmp_path / "train.py").write_text(HEAD + LOOP)
    done = command("check", "train.py", "--only", "symmetry/*", cwd=tmp_path)
    assert (done.status, "train.py: sound" in done.out) == (0, True), done.out + done.err
