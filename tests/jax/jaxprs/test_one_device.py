"""A step that is mapped over devices is judged as one on one device."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest

from symmetry.training.target import FunctionTraining
from tests.checking import check_target
from tests.conftest import needs

pytestmark = needs("jax")


def training(mapped: bool, clip: Any = lambda gradient: gradient) -> Any:
    """Return a training of one hidden layer with dropout, whose devices average gradients."""
    import jax
    import jax.numpy as jnp

    one, other = jax.random.split(jax.random.key(0))
    params = {"a": jax.random.normal(one, (5, 6)), "b": jax.random.normal(other, (6, 2))}

    def update(params: Any, x: Any, number: Any) -> Any:
        def loss(params: Any) -> Any:
            key = jax.random.fold_in(jax.random.key(1), number)
            hidden = jnp.tanh(x @ params["a"])
            hidden = jnp.where(jax.random.bernoulli(key, 0.8, hidden.shape), hidden / 0.8, 0)
            return ((hidden @ params["b"]) ** 2).mean()

        value, gradients = jax.value_and_grad(loss)(params)
        gradients = jax.tree.map(clip, jax.lax.pmean(gradients, "devices"))
        after = jax.tree.map(lambda p, g: p - 0.1 * g, params, gradients)
        return after, jax.lax.pmean(value, "devices")

    def batch(number: int) -> Any:
        x = np.random.default_rng(number).standard_normal((1, 4, 5)).astype(np.float32)
        return x, np.full(1, number, np.int32)

    every = jax.pmap(update, "devices") if mapped else jax.vmap(update, axis_name="devices")
    start = jax.tree.map(lambda p: p[None], params)
    step = jax.jit(every) if not mapped else every
    return start, lambda state, batch: step(state, *batch), {"batch": batch, "batch_axis": 1}


def last_column_kept(gradient: Any) -> Any:
    return gradient.at[..., -1].multiply(0.5)


def test_its_parameters_loss_and_noise_are_seen():
    from symmetry.jax.begin import begin

    run, other = (begin("training", partial(training, mapped)) for mapped in (True, False))
    for each in (run, other):
        each.step()
    assert {*run.parameters} == {"model.a", "model.b"}
    assert [draw.name for draw in run.traced.noise] == ["bernoulli"]
    assert run.loss == pytest.approx(other.loss, rel=1e-6)
    for name, array in other.state().items():
        np.testing.assert_allclose(run.state()[name], array, rtol=1e-6)


def test_functions_with_constants_of_their_own_are_looked_into():
    import jax
    import jax.numpy as jnp

    from symmetry.jax.jaxprs.one_device import on_one_device

    table = jnp.arange(3.0)
    closed = jax.make_jaxpr(lambda x: jax.lax.scan(lambda c, r: (c + table, r), x, None, 2)[0])
    assert on_one_device(closed(table)).in_avals == closed(table).in_avals
    draws = jax.make_jaxpr(lambda key: jax.random.normal(key, (5, 8)))(jax.random.key(0))
    assert on_one_device(draws) is draws


def mapped(function: Any, ins: Any, outs: Any, **options: Any) -> Any:
    """Return a function of arrays of (8, 4) and (4,) as a jaxpr over two by two devices."""
    import jax
    import jax.numpy as jnp

    mesh = jax.sharding.AbstractMesh((2, 2), ("a", "b"))
    step = jax.shard_map(function, mesh=mesh, in_specs=ins, out_specs=outs, **options)
    return jax.make_jaxpr(jax.jit(step))(jnp.ones((8, 4)), jnp.ones(4))


def test_what_several_devices_compute_is_the_same_on_one():
    import jax
    import jax.numpy as jnp
    from jax.sharding import PartitionSpec

    from symmetry.jax.jaxprs.one_device import on_one_device

    def step(x: Any, w: Any) -> Any:
        gradient = jax.grad(lambda w: ((x @ w) ** 2).sum())(w)  # summed
        number = 2 * jax.lax.axis_index("a") + jax.lax.axis_index("b")
        return gradient, x + number, jax.lax.pmean(x[:1], "a"), jax.lax.pmax(x.max(), ("a", "b"))

    rows = PartitionSpec(("a", "b"))
    closed = mapped(
        step, (rows, PartitionSpec()), (PartitionSpec(), rows, PartitionSpec("b"), PartitionSpec())
    )
    found = on_one_device(closed)
    x, w = jax.random.normal(jax.random.key(0), (8, 4)), jnp.arange(4.0)
    gradient, moved, means, largest = jax.core.eval_jaxpr(found.jaxpr, found.consts, x, w)
    assert "shard_map" not in str(found)
    np.testing.assert_allclose(gradient, 2 * x.T @ (x @ w), rtol=1e-5)
    np.testing.assert_allclose(moved, x + np.repeat(np.arange(4), 2)[:, None])
    np.testing.assert_allclose(means, (x[0:4:2] + x[4::2]) / 2, rtol=1e-6)
    assert largest == x.max()


def test_a_result_that_is_not_the_same_on_all_devices_keeps_its_map():
    from jax.sharding import PartitionSpec

    from symmetry.jax.jaxprs.one_device import on_one_device

    specs = PartitionSpec("a"), PartitionSpec()
    closed = mapped(lambda x, w: w + x.sum(), specs, PartitionSpec(), check_vma=False)
    assert on_one_device(closed) is closed


def test_loops_in_a_map_and_operations_on_its_results_are_on_one_device():
    import jax
    import jax.numpy as jnp
    from jax.sharding import PartitionSpec

    from symmetry.jax.jaxprs.one_device import on_one_device

    def total(x: Any, w: Any) -> Any:
        def add(before: Any, row: Any) -> Any:
            return before + row * jax.lax.pcast(w, ("a", "b"), to="varying"), None

        zeros = jax.lax.pcast(jnp.zeros(4), ("a", "b"), to="varying")
        return jax.lax.psum(jax.lax.scan(add, zeros, x)[0], ("a", "b"))

    mesh, rows = jax.sharding.AbstractMesh((2, 2), ("a", "b")), PartitionSpec(("a", "b"))
    whole = PartitionSpec()
    step = jax.shard_map(total, mesh=mesh, in_specs=(rows, whole), out_specs=whole)

    def scaled(x: Any, w: Any) -> Any:
        found = step(x, w)
        return w + found / jnp.full(found.shape, jnp.linalg.norm(found))

    found = on_one_device(jax.make_jaxpr(scaled)(jnp.ones((8, 4)), jnp.ones(4)))
    x, w = jax.random.normal(jax.random.key(0), (8, 4)), jnp.arange(4.0)
    (after,) = jax.core.eval_jaxpr(found.jaxpr, found.consts, x, w)
    assert "shard_map" not in str(found)
    np.testing.assert_allclose(after, w + x.sum(0) * w / np.linalg.norm(x.sum(0) * w), rtol=1e-5)


def test_results_of_a_map_over_devices_are_a_list():
    import jax
    from jax.sharding import PartitionSpec

    from symmetry.jax.jaxprs.interpreter import bind
    from symmetry.jax.jaxprs.walk import equations_in

    specs = PartitionSpec("a"), PartitionSpec()
    closed = mapped(lambda x, w: w + x.sum(), specs, PartitionSpec(), check_vma=False)
    (equation,) = (e for _, e in equations_in(closed.jaxpr) if e.primitive.name == "shard_map")
    again = jax.make_jaxpr(lambda *args: bind(equation, args, equation.params))(*closed.in_avals)
    assert [aval.shape for aval in again.out_avals] == [(4,)]


@pytest.mark.parametrize(
    ("clip", "kind"), [(lambda gradient: gradient, "holds"), (last_column_kept, "violated")]
)
def test_its_units_are_judged(clip, kind):
    target = FunctionTraining("training", partial(training, True, clip))
    checked = check_target(target, only="symmetry/permutation", dtype="float32")
    assert [verdict.kind for verdict in checked.verdicts] == [kind]
    assert len(checked.coverage.groups) == 2  # the outputs, too, which are squared alike


def test_a_mesh_of_one_device_adds_no_axis():
    import jax
    import jax.numpy as jnp
    from jax.sharding import PartitionSpec

    from symmetry.jax.jaxprs.one_device import on_one_device
    from symmetry.jax.jaxprs.walk import equations_in

    def step(x: Any, w: Any) -> Any:
        gradient = jax.lax.pmean(jax.grad(lambda w: ((x @ w) ** 2).sum())(w), "a")
        return w - gradient, x + jax.lax.axis_index("a"), jax.lax.all_gather(x.sum(), "a")

    mesh, rows, whole = jax.sharding.AbstractMesh((1,), ("a",)), PartitionSpec("a"), PartitionSpec()
    mapped = jax.shard_map(
        step, mesh=mesh, in_specs=(rows, whole), out_specs=(whole, rows, rows), check_vma=False
    )
    found = on_one_device(jax.make_jaxpr(jax.jit(mapped))(jnp.ones((8, 4)), jnp.ones(4)))
    (product, *_) = (e for _, e in equations_in(found.jaxpr) if e.primitive.name == "dot_general")
    assert [atom.aval.shape for atom in product.invars] == [(8, 4), (4,)]
    x, w = jax.random.normal(jax.random.key(0), (8, 4)), jnp.arange(4.0)
    after, same, total = jax.core.eval_jaxpr(found.jaxpr, found.consts, x, w)
    np.testing.assert_allclose(after, w - 2 * x.T @ (x @ w), rtol=1e-5)
    np.testing.assert_allclose(same, x)
    np.testing.assert_allclose(total, x.sum()[None], rtol=1e-5)
