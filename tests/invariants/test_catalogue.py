from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from symmetry.base.errors import SymmetryError, TargetError
from symmetry.invariants.catalogue import catalogue
from symmetry.steps.invariants.splits import elaborated
from tests.catalogues import STEPS, select, select_trainings
from tests.invariants.helpers import (
    exact_step,
    make_problem,
    numpy_step,
    start_for,
    trainer,
    with_clones,
)

NAMES = [
    "symmetry/w1-columns",
    "symmetry/w2-rows",
    "symmetry/clones",
    "symmetry/permutation",
    "symmetry/samples",
    "symmetry/inputs",
    "symmetry/classes",
    "symmetry/dead-inputs",
    "symmetry/repeatable",
    "symmetry/pure",
    "network/first-step",
    "network/gradient",
    "network/collapsed",
]


def names(*args):
    return [invariant.name for invariant in select(*args)]


def test_they_come_in_the_order_of_the_design():
    assert [invariant.name for invariant in STEPS] == NAMES


@pytest.mark.parametrize("invariant", STEPS, ids=lambda invariant: invariant.name)
def test_entries_say_what_they_must(invariant):
    for text in (invariant.statement, invariant.reason, invariant.witness, invariant.targets):
        assert text
        assert "\n" not in text
        assert not text.endswith(".")
    assert invariant.weights <= {"zero", "cloned", "random"}


@pytest.mark.parametrize("invariant", STEPS, ids=lambda invariant: invariant.name)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_network_itself_holds_with_a_witness(invariant, dtype):
    problem = with_clones(make_problem(h=7, dtype=dtype), [0, 0, 2, 0, 2, 0, 2])
    x = problem.x.copy()
    x[:, 1] = 0
    start = start_for(invariant, trainer(exact_step), replace(problem, x=x))
    found = invariant.measure(start)
    assert found.counted
    assert found.violation is None
    assert found.max_ulps == 0 or invariant.compared != "exact"
    assert (found.margin is None) == (invariant.compared == "exact")


@pytest.mark.parametrize("invariant", STEPS, ids=lambda invariant: invariant.name)
def test_measuring_leaves_the_problem_alone(invariant):
    problem = make_problem()
    for array in (problem.x, problem.y, problem.w1, problem.w2):
        array.flags.writeable = False
    before = [array.copy() for array in (problem.x, problem.y, problem.w1, problem.w2)]
    invariant.measure(replace(problem, target=trainer(numpy_step)))
    for array, copy in zip((problem.x, problem.y, problem.w1, problem.w2), before, strict=True):
        assert array.tobytes() == copy.tobytes()


@pytest.mark.parametrize("invariant", STEPS, ids=lambda invariant: invariant.name)
def test_measuring_minds_no_one_s_floating_point_settings(invariant):
    """Saturated units and logits in the thousands underflow everywhere, and that is right."""
    problem = with_clones(make_problem(h=7, scale=1000, lr=1e-300), [0, 0, 2, 0, 2, 0, 2])
    with np.errstate(all="raise"):
        start = start_for(invariant, trainer(tail_differs), problem)
        found = invariant.measure(start)
        if found.violation and invariant.splits:
            elaborated(start, found.violation)


def tail_differs(x, y, w1, w2, lr):
    w1, w2 = numpy_step(x, y, w1, w2, lr)
    w1[0, -1], w2[-1] = 1e308, -1e308
    return w1, w2


@pytest.mark.parametrize("invariant", STEPS, ids=lambda invariant: invariant.name)
def test_what_the_trainer_raises_passes_through(invariant):
    def raising(x, y, w1, w2, lr):
        raise ValueError("no")

    problem = with_clones(make_problem(), [0, 0, 2, 2, 4, 4])
    x = problem.x.copy()
    x[:, 0] = 0
    start = start_for(invariant, trainer(raising), replace(problem, x=x))
    with pytest.raises(TargetError, match="ValueError: no"):
        invariant.measure(start)


def test_select_takes_patterns_and_keeps_the_order():
    assert names() == NAMES
    assert names(["network/*", "symmetry/clones"]) == [NAMES[2], *NAMES[10:]]
    assert names(["*"], ["network/*"]) == NAMES[:10]
    assert names((), ["symmetry/w?-*"]) == NAMES[2:]


def test_trainings_are_checked_for_what_the_others_rest_on_first():
    found = [invariant.name for invariant in catalogue() if invariant.default]
    assert found[:4] == [
        f"symmetry/{name}" for name in ("repeatable", "permutation", "clones", "samples")
    ]
    assert not {"training/gradient", "training/replicas"} & {*found}  # on request, under torchrun
    assert {"training/gradient", "training/replicas"} <= {i.name for i in select_trainings(["*"])}


def test_skip_wins():
    assert names(["symmetry/clones", "symmetry/pure"], ["*/clones"]) == ["symmetry/pure"]


@pytest.mark.parametrize(
    "patterns", [(["clones"],), (["*"], ["network/clones"]), (["SYMMETRY/*"],)]
)
def test_a_pattern_that_matches_nothing_is_an_error(patterns):
    told = r"^no invariant matches '.+'(, did you mean '.+'\?|; there are symmetry/\*, .*) "
    with pytest.raises(SymmetryError, match=rf"{told}\(symmetry check --list\)$"):
        select(*patterns)


def test_leaving_nothing_is_an_error():
    with pytest.raises(SymmetryError, match="leave no invariant to check"):
        select(["network/*"], ["*"])
