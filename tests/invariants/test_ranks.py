"""The laws of ranks, on records of runs."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from symmetry.invariants.ranks.data import data
from symmetry.invariants.ranks.draws import draws
from symmetry.invariants.ranks.world import world
from symmetry.invariants.training.replicas import replicas
from symmetry.law.measurement import Measurement
from symmetry.observe.source_line import SourceLine
from symmetry.training.rank_runs import Draw, RankRun, RankRuns

LINE = SourceLine("train.py", 7)


def rank(**changes: Any) -> RankRun:
    gradients = {"model.a": np.array([1.0, 2.0]), "model.b": np.array([3.0])}
    run = RankRun(
        parameters=({},),
        trained={},
        loaded=("0", "1"),
        rows=(8, 8),
        draws=(Draw(LINE, "n"),),
        replicates=True,
        gathers=False,
        inputs="in",
        backwards=1,
        gradients=gradients,
    )
    return replace(run, **changes)


def measured(law: Any, *each: RankRun, **more: Any) -> Measurement:
    found: Measurement = law(SimpleNamespace(target=Target(RankRuns(each, **more))))
    return found


class Target:
    """A training with these runs on ranks."""

    def __init__(self, runs: RankRuns | None) -> None:
        self._runs = runs

    def on_ranks(self) -> RankRuns | None:
        return self._runs


def in_world(**gradients: list[float]) -> Measurement:
    found = {f"model.{name}": np.array(value) for name, value in gradients.items()}
    return measured(world, rank(), rank(), together=rank(gradients=found), alone=rank())


def holding(**digests: str) -> RankRun:
    return rank(parameters=(digests, digests), trained={name: name for name in digests})


def test_a_parameter_that_one_rank_lacks_is_no_copy() -> None:
    found = measured(replicas, holding(weight="a", average="b"), holding(weight="a"))
    assert found.violation is None


@pytest.mark.parametrize(
    ("name", "differs"),
    [("weight", True), ("average.weight", True), ("overweight", False), ("other.bias", False)],
)
def test_a_parameter_may_have_another_name_on_another_rank(name: str, differs: bool) -> None:
    """Another model may contain it; ranks that each train a part have other parameters."""
    found = measured(replicas, holding(**{name: "a", "more": "c"}), holding(weight="b"))
    assert (found.violation is not None) == differs


def test_the_same_gradients_hold() -> None:
    assert in_world(a=[1, 2], b=[3 + 1e-6]).counted


def test_one_other_gradient_is_a_violation() -> None:
    found = in_world(a=[1, 2], b=[1.5])
    assert found.violation is not None
    assert found.violation.array == "model.b"
    assert found.violation.message == (
        "on 2 ranks that are given the same batches the gradient of model.b differs by 0.5 of its "
        "norm from one rank's: an update then depends on the number of ranks"
    )


def test_a_factor_of_all_gradients_is_a_violation_unless_ranks_add_them_up() -> None:
    half = in_world(a=[0.5, 1], b=[1.5]).violation
    assert half is not None
    assert "all gradients are 0.5 times as large as on one rank" in half.message
    twice = in_world(a=[2, 4], b=[6])
    assert twice.violation is None
    assert "ranks add up their gradients" in twice.note


@pytest.mark.parametrize(
    ("alone", "why"),
    [
        (rank(inputs="others"), "one rank calls its model with other data"),
        (rank(backwards=3), "one rank accumulates other batches"),
        (rank(gradients={}), "one rank has another gradient of"),
        (None, "its batches come from no loader"),
    ],
)
def test_what_cannot_be_compared_is_not_judged(alone: RankRun | None, why: str) -> None:
    more = {"together": rank(), "alone": alone, "why": "its batches come from no loader"}
    found = measured(world, rank(), rank(), **more)
    assert found.violation is None
    assert why in found.note


def test_ranks_that_draw_the_same_are_noted_if_their_samples_differ() -> None:
    other = rank(loaded=("2", "3"))
    (note,) = measured(draws, rank(), other).notes
    assert (note.name, note.file, note.line) == ("ranks/draws", "train.py", 7)
    assert not measured(draws, rank(), replace(other, draws=(Draw(LINE, "m"),))).notes
    assert not measured(draws, rank(), rank()).applies


def test_ranks_that_load_the_same_are_noted_if_gradients_are_averaged() -> None:
    assert [note.name for note in measured(data, rank(), rank()).notes] == ["ranks/data"]
    assert measured(data, rank(), rank(loaded=("2", "3"))).counted
    assert not measured(data, *[rank(replicates=False)] * 2).applies
    assert not measured(data, *[rank(loaded=("0", "0"))] * 2).applies


@pytest.mark.parametrize("law", [world, draws, data])
def test_one_rank_has_no_laws(law: Any) -> None:
    found = law(SimpleNamespace(target=Target(None)))
    assert found.note == "it has one rank: --ranks 2 runs a script on two, and torchrun a function"
