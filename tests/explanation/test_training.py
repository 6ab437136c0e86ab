"""PyTorch trainings with one fault each, and what is said of them in the user's terms."""

from __future__ import annotations

import importlib
from functools import cache
from pathlib import Path

import pytest

from symmetry import explain
from symmetry.explanation.explained import Explained
from symmetry.report.explained import named
from tests.conftest import slow

FAULTY = {
    "own_loop": "optimiser: mul_ on fc1.weight, rows 9 to 15, ",
    "clipping": "aten.linalg_vector_norm, ",
    "clamped_rows": "aten.clamp_ on the gradient of 0.weight, rows 0 to 6, ",
    "statistics": "optimiser: mul_ on norm.running_var, rows 5 to 7, ",
    "column_of_a_recurrent_gradient": "aten.zero_ on the gradient of rnn.weight_hh_l0, column 5, ",
    "rows_kept_in_half": "aten._to_copy, ",
    "custom_backward": "backward: mul, ",
    "straight_through": "backward: mul of layer 2, ",
    "damped_units": "forward: mul, ",
    "masked_head": "forward: add, ",
    "averaged_model": "optimiser: lerp_ on average.fc1.weight, rows 0 to 22, ",
    "shared_velocity": "aten.add_, ",
    "norm_of_some_rows": "aten.linalg_vector_norm, ",
    "rate_of_the_last_unit": "aten.abs, ",
    "detached_units": "backward: slice_backward, ",
    "wrong_axis_in_backward": "backward: sum, ",
    "frozen_expert": "aten.zero_ on the gradient of weight, row 2, ",
}
SLOW = {  # expensive ones, and those that others are like
    "masked_head",
    "rare_classes",
    "sound_convolution",
    "sound_attention",
    "unlike_experts",
    "rows_kept_in_half",
    "shared_velocity",
    "detached_units",
    "column_of_a_recurrent_gradient",
    "frozen_expert",
    "norm_of_some_rows",
}
SOUND = (
    "sound_net",
    "sound_convolution",
    "sound_attention",
    "sound_lstm",
    "rare_classes",
    "unlike_experts",
)


@cache
def explained(name: str) -> Explained:
    """Return the explanation of a training; several tests look at the same ones."""
    return explain(getattr(importlib.import_module("tests.explanation.trainings"), name))


@pytest.mark.parametrize("name", [slow(name) if name in SLOW else name for name in FAULTY])
def test_the_line_is_named(name: str) -> None:
    explanation = explained(name)
    culprit = explanation.culprits[0]
    assert explanation.outcome == "explained"
    assert culprit.source.endswith("# wrong")
    assert culprit.file == "tests/explanation/trainings.py"
    assert named(culprit).startswith(FAULTY[name])


@pytest.mark.parametrize(
    ("name", "goes", "lacks"),
    [
        ("clamped_rows", 2, 7),
        slow("column_of_a_recurrent_gradient", 5, 1),
        ("averaged_model", 10, 23),
    ],
)
def test_the_unit_that_goes_through_it_is_told_from_the_one_that_does_not(
    name: str, goes: int, lacks: int
) -> None:
    culprit = explained(name).culprits[0]
    unit = f"unit {goes} goes through it"
    assert culprit.cause == f"{unit}, and unit {lacks} through no such operation"


@pytest.mark.parametrize("name", ["norm_of_some_rows", "rate_of_the_last_unit"])
def test_units_that_stay_equal_are_told_apart_by_an_exchange(name: str) -> None:
    explanation = explained(name)
    culprit = explanation.culprits[0]
    assert explanation.difference is None
    assert "does more than exchange them in model." in repr(explanation)
    assert culprit.cause.endswith("goes through it, and the other does not")
    assert culprit.difference.groups.endswith(", exchanged")


@pytest.mark.parametrize("name", ["damped_units", slow("masked_head")])
def test_units_that_the_forward_treats_differently_were_supposed_to_be_equal(name: str) -> None:
    explanation = explained(name)
    assert "were proved equal, and all were supposed to be" in explanation.remarks[-1]


@pytest.mark.parametrize(
    ("name", "starts"),
    [
        ("scaled_layer", "forward: mul of fc1, "),
    ],
)
def test_the_line_that_makes_units_unequal_is_named(name: str, starts: str) -> None:
    explanation = explained(name)
    (culprit,) = explanation.culprits
    assert explanation.outcome == "unequal"
    assert culprit.source.endswith("# wrong")
    assert culprit.file == "tests/explanation/trainings.py"
    assert named(culprit).startswith(starts)


def test_the_module_is_named_where_the_forward_keeps_its_statistics() -> None:
    explanation = explained("statistics_in_the_forward")
    assert explanation.outcome == "explained"
    assert explanation.culprits[0].module == "norm"
    assert "were proved equal, and all were supposed to be" in explanation.remarks[-1]


@pytest.mark.parametrize("name", [slow(name) if name in SLOW else name for name in SOUND])
def test_no_operation_of_a_sound_training_is_accused(name: str) -> None:
    explanation = explained(name)
    assert explanation.outcome in ("nothing split", "rounding")
    assert not any("jump" in culprit.difference.size for culprit in explanation.culprits)


def test_a_unit_that_takes_its_gradient_from_a_neighbour_is_seen_beside_one_that_is_no_clone():
    from tests.faulty.trainings.units import wrong_row_in_backward

    explanation = explain(wrong_row_in_backward)
    assert explanation.outcome == "explained"
    assert explanation.culprits[0].source == "of_weight[-1] = of_weight[-2]"


@pytest.mark.slow
def test_numbers_that_numpy_has_not_are_followed_as_well():
    from tests.faulty.trainings.units import half_of_the_rows_in_bfloat16

    explanation = explain(half_of_the_rows_in_bfloat16)
    assert explanation.outcome == "explained"
    assert "bfloat16().float()" in explanation.culprits[0].source


@pytest.mark.slow
def test_an_optimiser_that_keeps_all_units_in_one_vector_is_not_accused():
    from tests.sound.trainings.steps import mlp_lbfgs

    assert explain(mlp_lbfgs, dtype="float64").outcome in ("nothing split", "rounding")


def test_the_forward_line_behind_a_backward_is_named() -> None:
    culprit = explained("straight_through").culprits[0]
    assert (culprit.phase, culprit.module) == ("backward", "2")
    assert culprit.source == "return x.detach() + (x - x.detach()) * self.scale  # wrong"
    assert Path(culprit.file).name == "trainings.py"


def test_a_sample_that_is_left_out_is_told_in_words_about_samples() -> None:
    explanation = explained("last_sample_left_out")
    culprit = explanation.culprits[0]
    assert "exchanging two samples changes model." in repr(explanation)
    assert culprit.source.endswith("# wrong")
    assert culprit.cause.startswith("one of samples ")
    assert "unit" not in repr(explanation)


def test_what_a_step_draws_for_each_sample_is_not_accused() -> None:
    assert explained("noisy_samples").outcome in ("nothing split", "rounding")


def test_the_update_that_carries_a_wrong_gradient_out_is_told_beside() -> None:
    culprit = explained("wrong_axis_in_backward").culprits[0]
    assert culprit.phase == "backward"
    assert any(
        remark.startswith("the units first differ in aten.add_") for remark in culprit.remarks
    )
