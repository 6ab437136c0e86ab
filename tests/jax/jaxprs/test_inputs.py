"""The inputs that each output of a jaxpr is computed from."""

from __future__ import annotations

import pytest

from tests.conftest import needs

pytestmark = needs("jax")


def _noise(w, key, rate):
    import jax

    kept = jax.random.bernoulli(key, 0.5, w.shape)
    return jax.numpy.where(kept, w, 0.0) * rate, jax.random.split(key)[0]


def _rows(w, data, i):
    import jax

    return w * jax.lax.dynamic_slice_in_dim(data, i, 2), w * data[i]


def _scan(w, total, rows):
    import jax

    def body(carry, row):
        w, total = carry
        return (w * row.sum(), total + row.sum()), w

    return jax.lax.scan(body, (w, total), rows)


def _while(w, count, rate):
    import jax

    return jax.lax.while_loop(lambda c: c[1] < 3, lambda c: (c[0] * rate, c[1] + 1), (w, count))


def _cond(w, count, other):
    import jax

    return jax.lax.cond(count > 2, lambda a, b: (a, b), lambda a, b: (a * 2, b), w, other)


@pytest.mark.parametrize(
    ("function", "shapes", "expected", "whole"),
    [
        (_noise, [(2,), "key", ()], [{0, 2}, set()], [{0, 1, 2}, {1}]),
        (_rows, [(2,), (8,), "int"], [{0, 1}, {0, 1}], [{0, 1, 2}, {0, 1, 2}]),
        (_scan, [(2,), (), (3, 2)], [{0, 2}, {1, 2}, {0, 2}], [{0, 2}, {1, 2}, {0, 2}]),
        (_while, [(2,), "int", ()], [{0, 1, 2}, {1}], [{0, 1, 2}, {1}]),
        (_cond, [(2,), "int", (2,)], [{0, 1}, {2}], [{0, 1}, {2}]),
    ],
)
def test_inputs_of_outputs(function, shapes, expected, whole):
    import jax

    from symmetry.jax.jaxprs.inputs import inputs_of

    special = {"key": jax.random.key(0), "int": 1}
    given = [special[s] if isinstance(s, str) else jax.numpy.ones(s) for s in shapes]
    jaxpr = jax.make_jaxpr(jax.jit(function))(*given)
    assert [*map(set, inputs_of(jaxpr))] == expected
    assert [*map(set, inputs_of(jaxpr, whole=True))] == whole
