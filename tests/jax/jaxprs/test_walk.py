"""The walk over jaxprs, and what is read off the jaxpr of a step: on jaxprs of a few equations.

The same is tested end to end elsewhere: ``test_step``, ``test_marks``. Here each primitive that
holds a jaxpr has a case of its own.
"""

from __future__ import annotations

import numpy as np
import pytest

from tests.conftest import needs

pytestmark = needs("jax")


def marked(function, *args):
    """Return the jaxpr of a function, with marks."""
    import jax

    from symmetry.jax.jaxprs.marks import marking

    with marking():
        return jax.make_jaxpr(function)(*args)


def traced(function, *args, leaves, returned=None):
    """Return a function as a step: so many of its arguments are leaves."""
    from symmetry.jax.jaxprs.step import TracedStep

    return TracedStep(marked(function, *args), leaves, returned, varying=len(args))


def slope(w, x):
    import jax

    return jax.grad(lambda w: ((w * x) ** 2).sum())(w)


def called_by(kind):
    """Return a function (w, rows) that differentiates with respect to w inside of a primitive."""
    import jax
    import jax.numpy as jnp

    def scanned(w, rows):
        return jax.lax.scan(lambda total, x: (total + slope(w, x), None), 0 * w, rows)[0]

    def carried(w, rows):
        return jax.lax.scan(lambda w, x: (w - slope(w, x), None), w, rows)[0]

    def scanned_over(w, rows):
        return jax.lax.scan(lambda total, v: (total + slope(v, v), None), 0 * rows[0], w)[0]

    def repeated(w, rows):
        return jax.lax.fori_loop(0, rows[0, 0].astype(int), lambda _, w: w - slope(w, rows[0]), w)

    def chosen(w, rows):
        return jax.lax.cond(rows[0, 0] > 0, lambda w: slope(w, rows[0]), lambda w: w, w)

    def mapped(w, rows):
        mesh = jax.make_mesh((1,), ("one",))
        spec = jax.sharding.PartitionSpec()
        inner = jax.shard_map(
            lambda w, x: slope(w, x), mesh=mesh, in_specs=(spec, spec), out_specs=spec
        )
        return inner(w, rows[0])

    def cast(w, rows):
        return slope(w.astype(jnp.bfloat16), rows[0])

    def changed(w, rows):
        return slope(2 * w, rows[0])

    return {
        "plain": lambda w, rows: slope(w, rows[0]),
        "jit": lambda w, rows: jax.jit(slope)(w, rows[0]),
        "remat": lambda w, rows: jax.checkpoint(slope)(w, rows[0]),
        "scan": scanned,
        "carry of scan": carried,
        "rows of scan": scanned_over,
        "while": repeated,
        "cond": chosen,
        "shard_map": mapped,
        "cast": cast,
        "changed": changed,
    }[kind]


@pytest.mark.parametrize(
    ("kind", "every", "steady"),
    [
        ("plain", True, True),
        ("jit", True, True),
        ("remat", True, True),
        ("cast", True, True),
        ("cond", True, True),
        ("shard_map", True, True),
        ("scan", True, True),
        ("carry of scan", True, False),  # another value in each round
        ("while", True, False),
        ("rows of scan", False, False),  # a row is not the leaf
        ("changed", False, False),
    ],
)
def test_a_marked_parameter_is_the_leaf_that_reaches_it_unchanged(kind, every, steady):
    import jax.numpy as jnp

    from symmetry.jax.jaxprs.marks import leaves_of

    rows = jnp.ones((2, 3))
    closed = marked(called_by(kind), rows if kind == "rows of scan" else jnp.ones(3), rows)
    assert [*leaves_of(closed, 1).values()] == [0] * every
    assert [*leaves_of(closed, 1, carried=False).values()] == [0] * steady


def drawn_by(kind):
    """Return a function (w, x, key) that draws inside of a primitive."""
    import jax

    def masked(w, x, key):
        return (w * x * jax.random.bernoulli(key, 0.5, (3,))).sum()

    def batch(w, x, key):
        return jax.random.normal(key, (2, 3)) @ (w * x)

    def unread(w, x, key):
        return (w * x).sum(), jax.random.normal(key, (3,))

    def looped(w, x, key):
        return jax.lax.scan(lambda c, _: (masked(w, x, key) + c, None), 0.0, None, 2)[0]

    return {
        "plain": masked,
        "jit": jax.jit(masked),
        "remat": jax.checkpoint(masked),
        "scan": looped,
        "batch": batch,
        "unread": unread,
    }[kind]


@pytest.mark.parametrize(
    ("kind", "noise", "outside_of_loops"),
    [
        ("plain", ["bernoulli"], ["bernoulli"]),
        ("jit", ["bernoulli"], ["bernoulli"]),
        ("remat", ["bernoulli"], ["bernoulli"]),
        ("scan", ["bernoulli"], []),
        ("batch", [], ["normal"]),
        ("unread", [], ["normal"]),
    ],
)
@pytest.mark.parametrize("varies", [True, False])
def test_noise_is_a_draw_that_meets_activations(kind, noise, outside_of_loops, varies):
    import jax
    import jax.numpy as jnp

    from symmetry.jax.jaxprs.noise import draws_in, noise_in

    closed = jax.make_jaxpr(drawn_by(kind))(jnp.ones(3), jnp.ones(3), jax.random.key(0))
    found = noise_in(closed, [True, False, False], [True, True, varies])
    assert [draw.name for draw in found] == noise
    assert [draw.fixed for draw in found] == [not varies] * len(noise)
    all_draws = draws_in(closed)
    assert [draw.name for draw in all_draws] == outside_of_loops
    assert {d.site for d in found} <= {d.site for d in all_draws} or not outside_of_loops


@pytest.mark.parametrize(
    "kind", ["plain", "jit", "remat", "scan", "carry of scan", "while", "cond", "shard_map"]
)
@pytest.mark.parametrize("promote", [True, False])
def test_an_interpreter_computes_the_same_in_each_precision(kind, promote):
    import jax
    import jax.numpy as jnp

    from symmetry.jax.jaxprs.interpreter import Interpreter

    function = called_by(kind)
    w, rows = jnp.ones(3), jnp.arange(1.0, 7.0).reshape(2, 3)
    closed = jax.make_jaxpr(function)(w, rows)
    with jax.enable_x64(promote):
        dtype = "float64" if promote else "float32"
        given = [jnp.asarray(each, dtype) for each in (w, rows)]
        (found,) = Interpreter(promote=promote).run(closed, *given)
    assert found.dtype == dtype
    np.testing.assert_allclose(found, function(w, rows), rtol=1e-6)


def test_a_step_knows_its_leaves_by_the_way_values_flow():
    import jax
    import jax.numpy as jnp

    def step(w, mean, moment, rate, x, unread):
        def loss(w):
            return ((w * x - mean) ** 2).sum()

        value, gradient = jax.value_and_grad(loss)(w)
        moment = 0.9 * moment + gradient
        return w - rate * moment, 0.9 * mean + x, moment, rate, value, (w * unread).sum()

    args = [jnp.ones(3)] * 3 + [jnp.float32(0.1)] + [jnp.ones(3)] * 2
    found = traced(step, *args, leaves=4, returned=0)
    assert found.parameters == (0,)
    assert found.read == (0, 1)  # the loss reads them
    assert found.forward == (1, 3)  # no gradient reaches them
    assert found.kept == {3}
    assert found.losses == ("loss.0",)
    assert found.gradients == {"gradient.0.0": 0}
    assert {n: place.line for n, place in found.inputs_outside_forward.items()} == {
        5: step.__code__.co_firstlineno + 6
    }


@pytest.mark.parametrize("kind", ["plain", "scan", "carry of scan", "cond", "while"])
def test_a_recorded_step_is_computed_again_node_by_node(kind):
    import jax
    import jax.numpy as jnp

    from symmetry.jax.jaxprs.recorder import JaxprRecorder
    from symmetry.jax.jaxprs.step import StepManner

    w, rows = np.ones(3), np.arange(1.0, 7.0).reshape(2, 3)

    def step(w, rows):
        after = called_by(kind)(w, rows)
        return after, (after * rows).sum()

    with jax.enable_x64(True):
        made = traced(step, jnp.asarray(w), jnp.asarray(rows), leaves=1, returned=0)
        flat = made.flat(StepManner(promote=True)).only(("leaf.0", "aux.0"))
        recorder = JaxprRecorder({"w": w})
        outputs = recorder.record(flat, [jnp.asarray(w)], ["w"], [jnp.asarray(rows)])
        trace = recorder.end()
        expected, loss = step(jnp.asarray(w), jnp.asarray(rows))
    np.testing.assert_allclose(outputs["leaf.0"], expected)
    np.testing.assert_allclose(trace.arrays[trace.finals["w"]], expected)
    names = [node.operation for node in trace.nodes]
    assert {"scan", "while"}.isdisjoint(names)  # their rounds are recorded one by one
    known = {number: np.asarray(trace.arrays[number]) for number in range(len(trace.arrays))}
    for node in trace.nodes:
        again = node.perform(dict(enumerate(known[n] for n in node.inputs)))
        for number, array in zip(node.outputs, again, strict=True):
            np.testing.assert_allclose(array, known[number])
    assert np.isfinite(float(loss))
