"""Which arrays follow those of a model, and where units lie in them."""

from __future__ import annotations

import numpy as np
import pytest

from symmetry.training.optimizer_state import comparable, find_copies, with_optimizer_state
from symmetry.units.units import Part, Units

STATE = {
    "model.fc.weight": np.zeros((4, 3)),
    "model.fc.bias": np.zeros(4),
    "optimizer.exp_avg.fc.weight": np.zeros((4, 3)),
    "optimizer.row_var.fc.weight": np.zeros((4, 1)),
    "optimizer.col.fc.weight": np.zeros(3),
    "optimizer.gram.fc.weight": np.zeros((4, 4)),
    "optimizer.step.fc.weight": np.zeros(()),
    "ema.fc.bias": np.zeros(4),
    "other": np.zeros(2),
}
UNITS = Units("units", 4, (Part("model.fc.weight", 0), Part("model.fc.bias", 0)))


def test_parts_are_added_in_what_follows():
    added = with_optimizer_state([UNITS], STATE, {})[0].parts[2:]
    assert [(part.array, part.axis) for part in added] == [
        ("optimizer.exp_avg.fc.weight", 0),
        ("optimizer.row_var.fc.weight", 0),
        ("optimizer.gram.fc.weight", 0),
        ("ema.fc.bias", 0),
    ]


def test_conditions_follow_too_and_missing_axes_are_skipped():
    inside = Units("units", 3, (Part("model.fc.weight", 1, within=((0, 0, 2),)),))
    added = with_optimizer_state([inside], STATE, {})[0].parts[1:]
    assert [(p.array, p.axis, p.within) for p in added] == [
        ("optimizer.exp_avg.fc.weight", 1, ((0, 0, 2),)),
        ("optimizer.col.fc.weight", 0, ()),
    ]


def test_groups_that_a_copy_connects_are_one():
    predicted = Units("predicted", 2, (Part("model.p.weight", 0), Part("model.target.weight", 0)))
    outputs = Units("outputs", 2, (Part("model.online.weight", 0), Part("model.p.weight", 1)))
    hidden = Units("hidden", 3, (Part("model.online.weight", 1),))
    state = {f"model.{name}.weight": np.zeros((2, 3)) for name in ("p", "online", "target")}
    copies = {"model.target.weight": "model.online.weight"}
    found = with_optimizer_state([predicted, outputs, hidden], state, copies)
    assert [units.count for units in found] == [2, 3]
    assert {*found[0].parts} == {*predicted.parts, *outputs.parts}


def test_what_is_not_understood_is_not_compared():
    assert [name for name in STATE if not comparable(name, STATE, set())] == [
        "optimizer.gram.fc.weight",
        "other",
    ]


def test_what_an_optimiser_alone_holds_is_compared_where_units_lie_in_it():
    names = ["optimizer.held.0", "optimizer.exp_avg.optimizer.held.0"]
    state = {**STATE, **{name: np.zeros((4, 3)) for name in names}}
    held = Units("units", 4, (Part(names[0], 0),))
    assert [part.array for part in with_optimizer_state([held], state, {})[0].parts] == names
    found = with_optimizer_state([UNITS], state, {names[0]: "model.fc.weight"})[0].parts
    assert {*names} < {part.array for part in found}  # it may be a copy as well
    for name in names:
        assert comparable(name, state, {*names})
        assert not comparable(name, state, set())


@pytest.mark.parametrize("rounded", [1.0, 1 - 1e-7])  # as an average of equal numbers is
def test_frozen_copies_are_found_by_their_numbers_as_whole_modules(rounded):
    weight = np.arange(6.0)
    start = {
        "model.online.weight": weight,
        "model.online.bias": np.zeros(2),
        "model.target.weight": weight * rounded,
        "model.target.bias": np.zeros(2),
        "model.constant": np.zeros(2),
    }
    assert find_copies(start, {"model.online.weight", "model.online.bias"}) == {
        "model.target.weight": "model.online.weight",
        "model.target.bias": "model.online.bias",
    }


def test_numbers_that_are_only_near_are_no_copies():
    start = {"model.online.weight": np.arange(6.0), "model.target.weight": np.arange(6.0) * 1.001}
    assert find_copies(start, {"model.online.weight"}) == {}


def test_copies_in_lists_are_found_one_by_one():
    weight, bias = np.arange(6.0).reshape(2, 3), np.arange(2.0)
    start = {
        "model.weight": weight,
        "model.bias": bias,
        "model.gain": np.ones(2),
        "slow.0": weight.copy(),
        "slow.1": bias.copy(),
        "slow.2": np.ones(2),
        "ema.weight": weight.copy(),
    }
    assert find_copies(start, {"model.weight", "model.bias", "model.gain"}) == {
        "slow.0": "model.weight",
        "slow.1": "model.bias",
    }


def test_what_is_copied_may_lie_in_several_modules():
    names = ["net.weight", "online.head.weight", "target.net.weight", "target.head.weight"]
    start = {f"model.{n}": np.arange(6.0) + ("head" in n) for n in names}
    start |= {f"model.{n.replace('weight', 'bias')}": np.zeros(2) for n in names}
    trained = {name for name in start if "target" not in name}
    assert find_copies(start, trained) == {
        "model.target.net.weight": "model.net.weight",
        "model.target.head.weight": "model.online.head.weight",
        "model.target.net.bias": "model.net.bias",
        "model.target.head.bias": "model.online.head.bias",
    }


def test_what_an_optimiser_keeps_for_some_experts_only_follows_all_of_them():
    names = tuple(f"model.e.{k}.weight" for k in range(3))
    state = {name: np.zeros(2) for name in names} | {"adam.exp_avg.e.1.weight": np.zeros(2)}
    experts = Units("e modules", 3, (Part(names[0], 0, arrays=names),))
    (followed,) = with_optimizer_state([experts], state, {})
    assert [part.arrays for part in followed.parts] == [
        names,
        tuple(f"adam.exp_avg.e.{k}.weight" for k in range(3)),
    ]


def test_twins_have_a_target_each_under_any_name():
    twins = ("model.qf1.weight", "model.qf2.weight")
    targets = ("model.qf1_target.weight", "model.target2.weight")
    state = {name: np.zeros(2) for name in (*twins, *targets)}
    critics = Units("critics", 2, (Part(twins[0], 0, arrays=twins),))
    copies = dict(zip(targets, twins, strict=True))
    (followed,) = with_optimizer_state([critics], state, copies)
    assert [part.arrays for part in followed.parts] == [twins, targets]
    (alone,) = with_optimizer_state([critics], state, {targets[0]: twins[0]})
    assert [part.arrays for part in alone.parts] == [twins]
