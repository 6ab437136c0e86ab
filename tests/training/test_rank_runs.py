"""Gradients of several ranks against those of one, in multiples of the response."""

from __future__ import annotations

import numpy as np

from symmetry.training.rank_runs import RankRun, RankRuns

EPS = float(np.finfo(np.float32).eps)
WEIGHT, BIAS = np.float32([1.0, -2.0]), np.float32([6e-9, -3e-9])


def run(**gradients):
    empty = {"parameters": (), "loaded": (), "rows": (), "draws": (), "inputs": "", "backwards": 1}
    return RankRun(**empty, trained={}, replicates=True, gathers=False, gradients=gradients)


def runs(together, *rounded):
    alone = run(weight=WEIGHT, bias=BIAS)
    return RankRuns((), together=together, alone=alone, rounded=rounded)


def test_without_other_rounding_an_ulp_of_the_largest_entry_counts():
    other = WEIGHT + np.float32([0, 8 * EPS])
    assert runs(run(weight=other, bias=BIAS)).ratios == {"weight": 4.0, "bias": 0.0}


def test_rounding_explains_as_much_as_it_moves_a_gradient():
    other = WEIGHT + np.float32([0, 64 * EPS])
    near = [{"weight": WEIGHT + np.float32(n * EPS), "bias": BIAS} for n in (2, 16, 8)]
    assert runs(run(weight=other, bias=BIAS), *near).ratios == {"weight": 4.0, "bias": 0.0}


def test_a_gradient_that_is_rounding_as_a_whole_is_not_judged():
    """The bias of a convolution before a normalisation over all ranks has no effect."""
    together = run(weight=WEIGHT, bias=-BIAS)
    assert runs(together).ratios["bias"] > 1e6
    assert runs(together, {"weight": WEIGHT, "bias": 0.5 * BIAS}).ratios == {"weight": 0.0}


def test_without_both_runs_nothing_is_compared():
    assert runs(None).ratios == {}
