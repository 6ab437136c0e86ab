"""Guessing which modules may be exchanged as a whole, by their names and shapes."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from symmetry.finding.find import _modules
from symmetry.finding.siblings import siblings
from symmetry.units.units import Part

EXPERTS = {
    f"model.experts.{k}.{name}": shape
    for k in range(3)
    for name, shape in {"inside.weight": (5, 4), "out.weight": (4, 5)}.items()
}
SHAPES = {"model.router.weight": (3, 4), **EXPERTS, "model.head.weight": (2, 4)}
ROUTER = Part("model.router.weight", 0)


def found(shapes, free, holds, trained=None):
    return [*siblings(shapes, shapes if trained is None else trained, free, holds)]


def test_modules_in_a_list_are_exchanged_with_what_has_a_slice_for_each():
    def holds(units):
        return ROUTER in units.parts

    (units,) = found(SHAPES, [("model.router.weight", 0)], holds)
    assert units.count == 3
    assert units.selectable
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
    assert units.selectable


def test_the_first_of_several_guesses_that_holds_is_taken():
    (units,) = found(SHAPES, [("model.router.weight", 0)], lambda _: True)
    assert ROUTER not in units.parts


def test_modules_of_other_shapes_are_no_siblings():
    shapes = {**SHAPES, "model.experts.2.out.weight": (4, 6)}
    guesses = []
    assert found(shapes, [], lambda units: bool(guesses.append(units))) == []
    assert {units.count for units in guesses} == {2}


def test_a_module_that_is_trained_is_no_sibling_of_one_that_is_not():
    shapes = {f"model.{name}.fc.weight": (5, 4) for name in ("policy", "reference", "critic")}
    both = {"model.policy.fc.weight", "model.critic.fc.weight"}
    (units,) = found(shapes, [], lambda _: True, trained=both)
    assert set(units.parts[0].arrays) == both


def test_runs_of_layers_in_one_module_are_networks_in_turn():
    shapes = {f"model.net.{k}.weight": shape for k, shape in enumerate([(4, 3), (1, 4)] * 2)}
    (units,) = found(shapes, [], lambda units: len(units.parts) == 2)
    assert sorted(part.arrays for part in units.parts) == [
        ("model.net.0.weight", "model.net.2.weight"),
        ("model.net.1.weight", "model.net.3.weight"),
    ]


def test_a_router_may_choose_blocks_of_experts_and_then_experts_in_them():
    shapes = {"model.gate.weight": (12, 4), "model.experts.up": (12, 4, 5)}
    free = [(name, 0) for name in shapes]

    def holds(units):  # three blocks of four
        part = units.parts[0]
        whole = part.block == 4 or (units.count <= 4 and part.block == 1 and part.first % 4 == 0)
        return len(units.parts) == 2 and whole

    *inside, blocks = found(shapes, free, holds)
    assert [(units.count, units.parts[0].first) for units in inside] == [(4, 0), (4, 4), (4, 8)]
    assert blocks.count == 3
    assert {*blocks.parts} == {Part(name, 0, stride=4, block=4) for name in shapes}
    assert all(units.selectable for units in (*inside, blocks))


def test_a_router_may_take_as_many_numbers_as_there_are_experts():
    shapes = {"model.gate.weight": (3, 3), "model.experts.up": (3, 4, 5)}
    free = [("model.gate.weight", 0), ("model.gate.weight", 1), ("model.experts.up", 0)]
    router = Part("model.gate.weight", 0)
    (units,) = found(shapes, free, lambda units: [*units.parts[1:]] == [router])
    assert units.count == 3


BOTH = "model.layer.0", "model.layer.1"


@pytest.mark.parametrize(
    ("trained", "matters", "count"), [((), True, 0), (BOTH, False, 0), (BOTH, True, 1)]
)
def test_arrays_are_no_modules_if_none_is_trained_or_no_loss_depends_on_them(
    trained, matters, count
):
    """A mean and a variance that no loss depends on yet could be exchanged: they are no units.

    And a loss of advantages that cancel, times a ratio that is 1, depends on nothing.
    """
    start = {"model.layer.0": np.zeros(6), "model.layer.1": np.zeros(6)}
    first = SimpleNamespace(trained=frozenset(trained), gradients=SimpleNamespace(entries={}))
    rehearsal = SimpleNamespace(
        start=start,
        first=first,
        steps=SimpleNamespace(buffers=[*start], agreed=lambda mine: mine),
        survivors=lambda units, *_: units,
        matters=lambda _: matters,
    )
    proof = SimpleNamespace(holds=lambda _: True, excused=set())
    reasons = SimpleNamespace(free_axes=lambda _: [], has_gradient=lambda _: True)
    solver, search = SimpleNamespace(selects=False), SimpleNamespace(proof=proof)
    assert len(_modules(rehearsal, solver, search, reasons, [])) == count
