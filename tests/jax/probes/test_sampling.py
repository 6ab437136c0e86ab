"""Models in JAX that mix the samples of a batch, judged by ``model/samples``."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from symmetry.training.target import FunctionTraining
from tests.checking import check_target
from tests.conftest import needs

pytestmark = needs("jax")

SAMPLES, LENGTH, WIDTH = 6, 6, 4


def batch(step):
    random = np.random.default_rng(step)
    x = random.standard_normal((SAMPLES, LENGTH, WIDTH)).astype(np.float32)
    return x, random.standard_normal((SAMPLES, LENGTH)).astype(np.float32)


def training(model):
    import jax

    keys = jax.random.split(jax.random.key(0), 3)
    params = {
        "a": jax.random.normal(keys[0], (WIDTH, WIDTH)),
        "time": jax.random.normal(keys[1], (LENGTH, LENGTH)),
        "b": jax.random.normal(keys[2], (WIDTH,)),
    }

    def step(params, given):
        x, y = given

        def loss(params):
            return ((model(params, x) - y) ** 2).mean()

        value, gradients = jax.value_and_grad(loss)(params)
        return jax.tree.map(lambda p, g: p - 0.1 * g, params, gradients), value

    return params, step, {"batch": batch}


def over_time(params, x, axis=0):
    """Mix the places of each text, mapped over an axis that should be that of the texts."""
    import jax
    import jax.numpy as jnp

    def one(x):
        return jnp.tanh(params["time"] @ (x @ params["a"])) @ params["b"]

    return jax.vmap(one, in_axes=axis, out_axes=axis)(x)


def softmaxed(params, x, axis=1):
    import jax

    return jax.nn.softmax(x @ params["a"], axis=axis) @ params["b"]


def normalised(params, x):
    import jax.numpy as jnp

    hidden = x @ params["a"]
    hidden = (hidden - hidden.mean((0, 1))) / hidden.std((0, 1))
    return jnp.tanh(hidden) @ params["b"]


def normalised_by_name(params, x):
    """Normalise as Equinox's BatchNorm does, over the rows of a map."""
    import jax
    import jax.numpy as jnp

    def one(x):
        hidden = x @ params["a"]
        hidden = hidden - jax.lax.pmean(hidden.mean(0), "samples")
        variance = jax.lax.pmean((hidden**2).mean(0), "samples")
        return jnp.tanh(hidden / jnp.sqrt(variance)) @ params["b"]

    return jax.vmap(one, axis_name="samples")(x)


def attending(params, x):
    """Let samples attend to each other, as some models for tables do."""
    import jax
    import jax.numpy as jnp

    weights = jax.nn.softmax(jnp.einsum("btd,ctd->tbc", x @ params["a"], x))
    return jnp.einsum("tbc,ctd->btd", weights, x) @ params["b"]


def judged(model):
    target = FunctionTraining("training", partial(training, model))
    checked = check_target(target, only="model/samples", dtype="float64")
    (verdict,) = checked.verdicts
    return verdict, [note.name for note in checked.notes]


def summed_in_parts(params, given):
    import jax

    x, y = given

    def loss(params, part):
        return ((over_time(params, x[part]) - y[part]) ** 2).mean()

    halves = [slice(0, SAMPLES // 2), slice(SAMPLES // 2, SAMPLES)]
    parts = [jax.value_and_grad(loss)(params, part) for part in halves]
    gradients = jax.tree.map(lambda a, b: a + b, *(each[1] for each in parts))
    return jax.tree.map(lambda p, g: p - 0.1 * g, params, gradients), parts[0][0]


@pytest.mark.parametrize("model", [over_time, softmaxed, normalised, normalised_by_name])
def test_samples_that_stay_apart_hold(model):
    verdict, notes = judged(model)
    assert (verdict.kind, notes) == ("holds", [])


@pytest.mark.parametrize(
    ("model", "words", "source"),
    [
        (partial(over_time, axis=1), "with a parameter sums over axis", over_time),
        (partial(softmaxed, axis=0), "this softmax runs over axis 0", softmaxed),
    ],
)
def test_the_operation_that_mixes_samples_is_named(model, words, source):
    verdict, _ = judged(model)
    assert verdict.kind == "violated"
    assert words in verdict.message
    assert "evaluation" not in verdict.message
    first = source.__code__.co_firstlineno
    assert verdict.violation.line in range(first, first + 10)


def test_attention_over_samples_is_a_note():
    verdict, notes = judged(attending)
    assert not verdict.gates
    assert notes == ["model/mixed-samples"]


def recurrent(params, x):
    """Read the first axis as time, as plain recurrent networks do."""
    import jax
    import jax.numpy as jnp

    def cell(state, token):
        state = jnp.tanh(token @ params["a"] + state)
        return state, state @ params["b"]

    return jax.lax.scan(cell, jnp.zeros((LENGTH, WIDTH)), x)[1]


def test_a_loop_along_the_first_axis_is_not_judged():
    verdict, notes = judged(recurrent)
    assert (verdict.kind, notes) == ("vacuous", [])
    assert "a loop of JAX" in verdict.message


def in_turns():
    """Return a training that updates a critic twice, and then what the updated critic judges."""
    import jax
    import jax.numpy as jnp

    keys = jax.random.split(jax.random.key(0))
    start = {"critic": jax.random.normal(keys[0], (WIDTH,)), "own": jnp.eye(WIDTH)}

    def step(params, given):
        x, y = given

        def critical(critic):
            return ((x @ critic - y) ** 2).mean()

        def fooling(own):
            return (((x @ own) @ critic - y) ** 2).mean()

        critic = params["critic"]
        for _ in range(2):
            critic = critic - 0.1 * jax.grad(critical)(critic)
        return {"critic": critic, "own": params["own"] - 0.1 * jax.grad(fooling)(params["own"])}

    return start, step, {"batch": batch}


def test_an_update_before_a_loss_mixes_no_samples():
    target = FunctionTraining("training", in_turns)
    checked = check_target(target, only="model/samples", dtype="float64")
    assert [(v.kind, [*checked.notes]) for v in checked.verdicts] == [("holds", [])]


def test_micro_batches_with_as_many_places_as_samples_mix_none():
    def micro_batches():
        params, _, extras = training(over_time)
        return params, summed_in_parts, extras

    checked = check_target(FunctionTraining("training", micro_batches), only="model/samples")
    assert [verdict.kind for verdict in checked.verdicts] == ["vacuous"]
    assert checked.notes == ()
