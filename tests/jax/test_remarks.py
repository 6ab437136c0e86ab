"""Remarks on the units of JAX trainings: the line that leaves one of a layer out."""

from __future__ import annotations

from pathlib import Path

from symmetry.training.target import FunctionTraining
from tests.checking import check_target
from tests.conftest import needs

pytestmark = needs("jax")


def masked():
    """Return a training in which the last unit of a layer counts half."""
    import jax
    import jax.numpy as jnp
    import numpy as np

    keys = jax.random.split(jax.random.key(0), 3)
    params = {
        "first": jax.random.normal(keys[0], (5, 8)),
        "second": jax.random.normal(keys[1], (8, 6)),
        "third": jax.random.normal(keys[2], (6, 2)),
    }
    mask = np.array([1, 1, 1, 1, 1, 0.5], np.float32)

    @jax.jit
    def step(params, i):
        def loss(params):
            x = jax.random.normal(jax.random.fold_in(keys[0], i), (4, 5))
            hidden = jnp.tanh(jnp.tanh(x @ params["first"]) @ params["second"])
            return ((hidden * mask @ params["third"] - 1) ** 2).mean()

        return jax.tree.map(lambda p, g: p - 0.1 * g, params, jax.grad(loss)(params))

    return params, step


def test_a_layer_of_which_a_unit_is_masked_is_named_with_the_line():
    target = FunctionTraining("training", masked)
    checked = check_target(target, only="symmetry/permutation", dtype="float32")
    (remark,) = (text for text in checked.remarks if "treated equally" in text)
    start, _, end = remark.partition(" (tests/jax/test_remarks.py:")
    line, _, rest = end.partition(")")
    assert (start, rest) == (
        "second units: only 5 of 6 are treated equally",
        "; explain says why",
    )
    assert "* mask" in Path(__file__).read_text("utf-8").splitlines()[int(line) - 1]
