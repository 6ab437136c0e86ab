"""Copies of parameters on two devices, and along the first axis."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from symmetry.training.target import FunctionTraining
from tests.checking import check_target
from tests.conftest import needs

pytestmark = needs("jax")

CHECK = """
import sys, symmetry
from tests.jax import test_devices
training = lambda: test_devices.on_two_devices(sys.argv[1])
for verdict in symmetry.check(training, only="training/devices", dtype="float32").verdicts:
    print(verdict.kind, verdict.violation.line if verdict.violation else "")
"""


def on_two_devices(reduced):
    import jax
    import jax.numpy as jnp
    import numpy as np
    from jax.sharding import Mesh, PartitionSpec

    mesh = Mesh(np.array(jax.devices()), ("devices",))
    x = np.random.default_rng(0).standard_normal((4, 3)).astype(np.float32)

    def update(params, x):
        def loss(params):
            return ((jnp.tanh(x @ params["w"]) @ params["v"]) ** 2).mean()

        gradients = jax.grad(loss)(params)
        if reduced == "averaged":
            gradients = jax.lax.pmean(gradients, "devices")
        if reduced == "rounded":  # what each device adds to the sum rounds it differently
            noise = 1e-6 * (1 + jax.lax.axis_index("devices"))
            gradients = jax.tree.map(
                lambda g: (g + noise) - noise, jax.lax.pmean(gradients, "devices")
            )
        return jax.tree.map(lambda p, g: p - 0.1 * g, params, gradients)

    whole, parts = PartitionSpec(), PartitionSpec("devices")
    step = jax.shard_map(
        update, mesh=mesh, in_specs=(whole, parts), out_specs=whole, check_vma=False
    )
    w, v = jax.random.split(jax.random.key(0))
    params = {"w": jax.random.normal(w, (3, 5)), "v": jax.random.normal(v, (5,))}
    return params, lambda params, _: step(params, x)


@pytest.mark.parametrize(
    ("kind", "verdict"),
    [
        ("averaged", "not"),
        ("left out", "violated"),
        pytest.param("rounded", "holds", marks=pytest.mark.slow),
    ],
)
def test_a_gradient_that_is_not_averaged_makes_copies_differ(kind, verdict):
    flags = "--xla_force_host_platform_device_count=2"
    done = subprocess.run(
        [sys.executable, "-c", CHECK, kind],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"},
    )
    assert done.stdout.split()[:1] == [verdict], done.stdout


@pytest.mark.slow
def test_steps_on_several_devices_run_in_float64_and_their_units_are_found():
    code = """
import symmetry
from tests.jax import test_devices
names = ["symmetry/samples", "symmetry/repeatable", "symmetry/permutation"]
training = lambda: test_devices.on_two_devices("averaged")
checked = symmetry.check(training, only=names, dtype="float64")
for verdict in checked.verdicts:
    print(verdict.invariant, verdict.kind, verdict.message)
"""
    flags = "--xla_force_host_platform_device_count=2"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"},
    )
    assert "symmetry/repeatable holds" in done.stdout
    assert "symmetry/permutation holds" in done.stdout


def along_an_axis(averaged, equal=True):
    import jax
    import jax.numpy as jnp

    keys = jax.random.split(jax.random.key(0), 2)
    params = jax.vmap(lambda key: jax.random.normal(key, (3,)))(keys)
    if equal:
        params = jnp.stack([params[0]] * 2)
    x = jax.random.normal(jax.random.key(1), (2, 4, 3))

    def update(w, x):
        value, gradient = jax.value_and_grad(lambda w: ((x @ w) ** 2).mean())(w)
        return w - 0.1 * (jax.lax.pmean(gradient, "copies") if averaged else gradient), value

    def step(params, _):
        params, values = jax.vmap(update, axis_name="copies")(params, x)
        return params, values.mean()

    return params, step


@pytest.mark.parametrize(
    ("averaged", "equal", "notes"),
    [(True, True, []), (False, False, []), (False, True, ["training/copies"])],
    ids=["data parallel", "ensemble", "left out"],
)
def test_equal_copies_that_drift_apart_are_noted(averaged, equal, notes):
    target = FunctionTraining("training", lambda: along_an_axis(averaged, equal))
    checked = check_target(target, only="training/devices")
    assert [note.name for note in checked.notes] == notes
    assert not any(verdict.gates for verdict in checked.verdicts)
