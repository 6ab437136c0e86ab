"""Guessing which modules may be exchanged as a whole, by their names and shapes."""

from __future__ import annotations

from symmetry.finding.siblings import siblings
from symmetry.units.units import Part

EXPERTS = {
    f"model.experts.{k}.{name}": shape
    for k in range(3)
    for name, shape in {"inside.weight": (5, 4), "out.weight": (4, 5)}.items()
}
SHAPES = {"model.router.weight": (3, 4), **EXPERTS, "model.head.weight": (2, 4)}
ROUTER = Part("model.router.weight", 0)


def found(shapes, free, holds):
    return [*siblings(shapes, free, holds)]


def test_modules_in_a_list_are_exchanged_with_what_has_a_slice_for_each():
    def holds(units):
        return ROUTER in units.parts

    (units,) = found(SHAPES, [("model.router.weight", 0)], holds)
    assert units.count == 3
    assert units.chosen
    assert units.parts[0].arrays == tuple(f"model.experts.{k}.inside.weight" for k in range(3))
    assert units.parts[-1] == ROUTER


def test_stacked_arrays_are_exchanged_with_what_has_a_slice_for_each():
    shapes = {
        "model.mlp.gate.weight": (3, 4),
        "model.mlp.experts.up": (3, 4, 5),
        "model.mlp.experts.up_bias": (3, 5),
        "model.mlp.experts.down": (3, 5, 4),
    }
    free = [(name, 0) for name in shapes]
    (units,) = found(shapes, free, lambda units: {p.array for p in units.parts} == {*shapes})
    assert units.count == 3
    assert units.chosen


def test_the_first_of_several_guesses_that_holds_is_taken():
    (units,) = found(SHAPES, [("model.router.weight", 0)], lambda _: True)
    assert ROUTER not in units.parts


def test_modules_of_other_shapes_are_no_siblings():
    shapes = {**SHAPES, "model.experts.2.out.weight": (4, 6)}
    guesses = []
    assert found(shapes, [], lambda units: bool(guesses.append(units))) == []
    assert {units.count for units in guesses} == {2}


def test_runs_of_layers_in_one_module_are_networks_in_turn():
    shapes = {f"model.net.{k}.weight": shape for k, shape in enumerate([(4, 3), (1, 4)] * 2)}
    (units,) = found(shapes, [], lambda units: len(units.parts) == 2)
    assert sorted(part.arrays for part in units.parts) == [
        ("model.net.0.weight", "model.net.2.weight"),
        ("model.net.1.weight", "model.net.3.weight"),
    ]
