"""The names of a state's leaves."""

from __future__ import annotations

from symmetry.training.target import FunctionTraining
from tests.conftest import needs

pytestmark = needs("jax")


def named(leaves, parameters, **options):
    from symmetry.jax.names import names_of

    paths = [tuple(path.split(".")) for path in leaves]
    numbers = [number for number, path in enumerate(leaves) if path in parameters]
    given = {"read": numbers, "others": [], "behind": {}} | options
    return names_of(paths, [*leaves.values()], numbers, **given)


def test_what_follows_a_parameter_ends_in_its_name():
    leaves = {
        "0.a.kernel": (2, 3),
        "0.b.kernel": (3, 4),
        "1.0.count": (),
        "1.0.mu.b.kernel": (3, 4),
    }
    assert named(leaves, ["0.a.kernel", "0.b.kernel"]) == [
        "model.a.kernel",
        "model.b.kernel",
        "1.0.count",
        "1.0.mu.b.kernel",
    ]


def test_of_two_networks_the_one_beside_an_array_owns_it():
    leaves = {"g.params.w": (2,), "g.mu.w": (2,), "d.params.w": (2,), "d.mu.params.w": (2,)}
    assert named(leaves, ["g.params.w", "d.params.w"]) == [
        "model.g.params.w",
        "g.mu.g.params.w",
        "model.d.params.w",
        "d.mu.d.params.w",
    ]


def test_of_two_networks_the_one_whose_gradient_makes_an_array_owns_it():
    leaves = {"dp.linear.w": (2,), "gp.linear.w": (2,), "gs.mu.linear.w": (2,)}
    parameters = ["dp.linear.w", "gp.linear.w"]
    for owner, name in ((0, "gs.mu.dp.linear.w"), (1, "gs.mu.gp.linear.w")):
        assert named(leaves, parameters, behind={2: {owner}})[2] == name


def test_the_gradient_behind_a_moment_is_told_where_one_update_depends_on_another():
    import jax
    import jax.numpy as jnp

    def loss(a, b):
        x = jnp.tanh(jnp.ones((2, 3)) @ a["layer"]["w"])
        return ((x[:, None] * b["layer"]["w"]) ** 2).sum()

    def updated(w, moment, gradient):
        moment = jax.tree.map(lambda m, g: 0.9 * m + g, moment, gradient)
        return jax.tree.map(lambda w, m: w - 0.1 * m, w, moment), moment

    def step(state, _):
        a, b, one, other = state
        a, one = updated(a, one, jax.grad(loss)(a, b))
        b, other = updated(b, other, jax.grad(loss, 1)(a, b))
        return a, b, one, other

    w = {"layer": {"w": jnp.ones(3)}}
    run = FunctionTraining("t", lambda: ((w, w, w, w), step)).begin()
    assert run.leaves.names == ["model.0.layer.w", "model.1.layer.w", "2.0.layer.w", "3.1.layer.w"]


def test_lists_of_arrays_follow_only_as_a_copy_of_the_whole_model():
    copied = {"0.0": (2, 3), "0.1": (3,), "1.0": (2, 3), "1.1": (3,)}
    assert named(copied, ["0.0", "0.1"]) == ["model.0", "model.1", "1.0", "1.1"]
    other = {"0.0": (2, 3), "0.1": (3,), "1.0": (), "1.1": (3,)}
    assert named(other, ["0.0", "0.1"]) == ["model.0", "model.1", "1.0", "1.1"]
