"""A step as a jaxpr: what is trained, its losses and gradients, in each manner."""

from __future__ import annotations

import numpy as np
import pytest

from symmetry.training.run import RunSettings
from symmetry.training.target import FunctionTraining
from tests.conftest import needs
from tests.jax.sound import mlp

pytestmark = needs("jax")


def begun(training, **options):
    return FunctionTraining("training", training).begin(RunSettings(**options))


def with_dropout():
    import jax

    def act(x):
        kept = jax.random.bernoulli(jax.random.key(0), 0.5, x.shape)
        return jax.numpy.where(kept, jax.nn.relu(x) / 0.5, 0)

    return mlp(act=act)


def test_what_is_differentiated_is_trained_and_what_follows_it_is_named_so():
    run = begun(mlp)
    assert run.trained == {f"model.{layer}.{name}" for layer in range(3) for name in "wb"}
    assert {*run.state()} - run.trained == {f"1.{layer}.{n}" for layer in range(3) for n in "wb"}


def test_the_second_of_two_updates_does_not_read_the_moments():
    state, step = mlp()

    def twice(state, i):
        state, _ = step(state, i)
        return step(state, i + 1)

    run = begun(lambda: (state, twice))
    assert {*run.state()} - run.trained == {f"1.{layer}.{n}" for layer in range(3) for n in "wb"}


def test_a_run_in_float64_takes_the_same_steps_with_more_digits():
    written, promoted = begun(mlp), begun(mlp, dtype="float64")
    for run in (written, promoted):
        run.step()
    one, other = written.state(), promoted.state()
    assert {array.dtype for array in other.values()} == {np.dtype("float64")}
    assert all(np.allclose(one[name], other[name], rtol=1e-4, atol=1e-6) for name in one)
    assert abs(written.loss - promoted.loss) < 1e-5


def test_noise_is_left_out_by_its_mean():
    quiet = begun(with_dropout, noise=False)
    ((name, place),) = quiet.random
    assert (name, place.rpartition(":")[0]) == ("bernoulli", "tests/jax/jaxprs/test_step.py")
    without = begun(lambda: mlp(act=lambda x: x * (x > 0)), noise=False)
    for run in (quiet, without):
        run.step()
    assert abs(quiet.loss - without.loss) < 1e-5


@pytest.mark.parametrize("drawn", ["bernoulli", "uniform"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_noise_in_a_loop_that_is_differentiated_is_left_out_by_its_mean(drawn, dtype):
    import jax
    import jax.numpy as jnp

    def draw(key):
        if drawn == "bernoulli":
            return jnp.where(jax.random.bernoulli(key, 0.8, (3,)), 1.25, 0.0)
        return jax.random.uniform(key, (3,), minval=0.5, maxval=1.5)

    data = np.ones(3, np.float32)

    def training():
        def loss(w):
            def layer(x, own):
                return jnp.tanh(x * own[0]) * draw(own[1]), None

            x, _ = jax.lax.scan(layer, data, (w, jax.random.split(jax.random.key(0), 2)))
            return x.sum()

        def step(w, _):
            value, gradient = jax.value_and_grad(loss)(w)
            return w - 0.1 * gradient, value

        return jnp.ones((2, 3)), step

    run = begun(training, noise=False, dtype=dtype)
    run.step()
    assert run.loss == pytest.approx(3 * np.tanh(np.tanh(1.0)), rel=1e-5)
    assert np.abs(run.state()["model.state"] - 1).min() > 1e-3


def test_a_step_that_needs_its_plain_number_is_traced_once_for_each():
    import jax

    batches = np.random.default_rng(0).standard_normal((3, 4, 8)).astype(np.float32)

    def training():
        def loss(w, x):
            return ((x @ w) ** 2).mean()

        def step(w, i):
            return w - 0.1 * jax.grad(loss)(w, batches[i])

        return np.ones((8, 2), np.float32), step

    run = begun(training)
    w = run.state()["model.state"]
    for i in range(2):
        run.step()
        w = w - 0.1 * (batches[i].T @ (batches[i] @ w)) / 4
        assert np.allclose(run.state()["model.state"], w, rtol=1e-4)


def test_in_float64_literals_have_the_digits_that_float32_drops():
    import jax
    import jax.numpy as jnp
    from jax.extend.core import Literal

    def training():
        def loss(w):
            return (jax.nn.gelu(w) * 1e-5 / 3.3).sum()

        return jnp.ones(3), lambda w, _: w - 0.1 * jax.grad(loss)(w)

    run = begun(training, dtype="float64")
    core = run.traced.flat(run.manner).jaxpr.jaxpr
    found = {
        float(atom.val)
        for equation in core.eqns
        for atom in equation.invars
        if isinstance(atom, Literal) and atom.aval.shape == ()
    }
    assert {1e-5, 3.3, 0.1, 0.044715, float(np.sqrt(2 / np.pi))} <= found


def test_an_operation_of_a_library_has_the_line_that_calls_it():
    import jax
    import jax.numpy as jnp

    from symmetry.jax.jaxprs.places import place_of

    def training():
        def loss(w):
            return jax.nn.relu(w).sum() + jax.nn.relu(-w).sum()

        return jnp.ones(3), lambda w, _: w - 0.1 * jax.grad(loss)(w)

    run = begun(training)
    forward = run.traced.losses_of(run.manner)
    lines = {place_of(e).line for e in forward.equations if e.primitive.name == "max"}
    assert lines == {training.__code__.co_firstlineno + 2}


def test_a_key_that_the_state_keeps_is_fixed():
    import jax
    import jax.numpy as jnp

    def training(split):
        def step(state, _):
            w, key = state

            def loss(w):
                return (w * 2 * jax.random.bernoulli(key, 0.5, (3,))).sum() ** 2

            after = jax.random.split(key)[0] if split else key
            return (w - 0.1 * jax.grad(loss)(w), after)

        return (jnp.ones(3), jax.random.key(0)), step

    for split in (False, True):
        (draw,) = begun(lambda split=split: training(split)).traced.noise
        assert draw.fixed is not split
