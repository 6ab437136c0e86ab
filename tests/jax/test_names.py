"""The names of a state's leaves."""

from __future__ import annotations

from symmetry.jax.names import names_of


def named(leaves, parameters, **options):
    paths = [tuple(path.split(".")) for path in leaves]
    numbers = [number for number, path in enumerate(leaves) if path in parameters]
    given = {"read": numbers, "others": []} | options
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
        "g.mu.w",
        "model.d.params.w",
        "d.mu.d.params.w",
    ]


def test_lists_of_arrays_follow_only_as_a_copy_of_the_whole_model():
    copied = {"0.0": (2, 3), "0.1": (3,), "1.0": (2, 3), "1.1": (3,)}
    assert named(copied, ["0.0", "0.1"]) == ["model.0", "model.1", "1.0", "1.1"]
    other = {"0.0": (2, 3), "0.1": (3,), "1.0": (), "1.1": (3,)}
    assert named(other, ["0.0", "0.1"]) == ["model.0", "model.1", "1.0", "1.1"]
