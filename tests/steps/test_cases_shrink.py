from __future__ import annotations

from dataclasses import replace

import pytest

from symmetry.law.case import Case
from symmetry.steps import cases as module
from symmetry.steps.cases import MAX_RUNS, shrink, sizes_below

CASE = Case(1000, 60, 129, 10, 0.0372, 40, "float32", "missing-classes", "wide", 77)


def run(fails, case=CASE):
    """Shrink with a predicate; return the case, the failure and all cases that were run."""
    tried = []

    def outcome(candidate):
        tried.append(candidate)
        return f"at {candidate.h}" if fails(candidate) else None

    return *shrink(case, f"at {case.h}", outcome), tried


def test_what_always_fails_becomes_as_small_as_a_case_can_be():
    case, failure, tried = run(lambda _: True)
    assert case == Case(1, 1, 1, 1, 1.0, 1, "float32", "zeros", "scaled", 0)
    assert failure == "at 1"
    assert len(tried) < 40


def test_what_never_fails_again_stays():
    case, failure, tried = run(lambda _: False)
    assert case == CASE
    assert failure == "at 129"
    assert len(tried) == len(set(tried)) <= MAX_RUNS


@pytest.mark.parametrize("key", ["n", "i", "h", "c", "iterations"])
@pytest.mark.parametrize("least", [2, 5, 7])
def test_a_threshold_is_found(key, least):
    case, _, _ = run(lambda candidate: getattr(candidate, key) >= least)
    assert getattr(case, key) == least


def test_thresholds_in_several_sizes_are_found():
    case, failure, _ = run(lambda c: c.n >= 12 and c.h >= 5 and c.h % 2 and c.data != "zeros")
    assert (case.n, case.i, case.h, case.c, case.iterations) == (12, 1, 5, 1, 1)
    assert case.data == "constant"
    assert failure == "at 5"


def test_a_failure_by_chance_is_tried_with_other_seeds():
    """Of eight small cases about one fails: with one seed for each size, hardly any would."""
    case, _, _ = run(lambda c: c == CASE or hash((c.n, c.i, c.h, c.c, c.seed)) % 8 == 0)
    assert case.work < CASE.work / 100


def test_the_kind_of_start_is_kept():
    for weights, kinds in (
        ("zero", {"zero"}),
        ("cloned-wide", {"cloned", "cloned-small", "cloned-wide"}),
        ("wide", {"scaled", "small", "tiny", "wide"}),
    ):
        start = replace(CASE, weights=weights)
        for fails in (lambda _: True, lambda c: c == start):  # noqa: B023
            case, _, tried = run(fails, start)
            assert {candidate.weights for candidate in tried} | {case.weights} <= kinds


def test_the_work_is_limited(monkeypatch):
    monkeypatch.setattr(module, "MAX_WORK", 10 * CASE.work)
    *_, tried = run(lambda _: False)
    assert 0 < sum(case.work for case in tried) <= 10 * CASE.work


def test_the_number_of_runs_is_limited():
    tried = []
    shrink(CASE, "it fails", tried.append, max_runs=25)
    assert len(tried) == 25


def test_sizes_below():
    assert sizes_below(1) == ()
    assert sizes_below(3) == (1, 2)
    assert sizes_below(100) == (1, 2, 3, 4, 5, 12, 25, 50, 75, 92, 96, 98, 99)
