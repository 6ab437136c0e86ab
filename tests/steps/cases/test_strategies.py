from __future__ import annotations

import subprocess
import sys
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from symmetry.steps.cases.strategies import draw_cases
from tests.conftest import slow


def size(case):
    return case.n * case.i * case.h


def parts(cases):
    """Return the drawn, the edge and the large ones of a hundred; and the twins of drawn ones."""
    return cases[:72], cases[76:96], cases[96:], cases[72:76]


@pytest.fixture(params=[0, 1, slow(2), slow(3)], scope="module")
def cases(request):
    return draw_cases(100, request.param, ["float32"])


@pytest.mark.parametrize("examples", [1, 4, 5, 24, 25, 100, slow(230)])
def test_there_are_as_many_different_cases_as_asked_for(examples):
    cases = draw_cases(examples, 3, ["float64"])
    assert len(set(cases)) == len(cases) == examples
    assert {case.dtype for case in cases} == {"float64"}


def test_every_dtype_gets_the_same_list():
    both = draw_cases(20, 0)
    assert [case.dtype for case in both] == ["float32"] * 20 + ["float64"] * 20
    for key in ("n", "i", "h", "c", "lr", "iterations", "data", "weights", "seed"):
        assert [getattr(case, key) for case in both[:20]] == [getattr(c, key) for c in both[20:]]


def test_another_seed_gives_another_list():
    both = set(draw_cases(100, 0)) & set(draw_cases(100, 1))
    assert len(both) <= 2  # each list has the simplest case, in each dtype


def test_drawn_cases_are_small_and_varied(cases):
    drawn, *_ = parts(cases)
    assert max(map(size, drawn)) <= 200_000
    assert max(case.work for case in drawn) <= 600_000
    assert max(case.iterations for case in drawn) >= 25
    for key in ("n", "i", "h", "lr", "seed"):
        (_, most), *_ = Counter(getattr(case, key) for case in drawn).most_common(1)
        assert most <= 20, key
    assert sum(case.h == 1 for case in drawn) <= 15
    assert len({case.data for case in drawn}) >= 6
    assert len({case.weights for case in drawn}) == 5


def test_learning_rates_range_over_eight_decades(cases):
    rates = [case.lr for case in cases]
    assert min(rates) < 1e-5
    assert max(rates) == 100
    assert all(1e-6 <= rate <= 100 for rate in rates)
    assert all(rate == float(f"{rate:.3g}") for rate in rates)  # fit to be read aloud


def test_some_sizes_come_twice_with_other_numbers(cases):
    drawn, _, _, twins = parts(cases)
    for twin in twins:
        (original,) = (case for case in drawn if replace(case, seed=twin.seed) == twin)
        assert original.seed != twin.seed


def test_half_of_the_edge_cases_are_above_100_000_and_their_hidden_sizes_vary(cases):
    _, edges, *_ = parts(cases)
    assert max(map(size, edges)) <= 3_000_000
    assert sum(size(case) >= 100_000 for case in edges) == 10
    hidden = Counter(case.h for case in edges)
    assert hidden[97] in (3, 4)
    assert all(case.n >= 4 for case in edges if case.h == 97)
    assert len(hidden) >= 17


def test_large_cases_are_large(cases):
    _, _, large, _ = parts(cases)
    assert all(5e6 <= size(case) <= 5e7 and case.h >= 64 for case in large)
    assert all(case.iterations == 2 for case in large)


def test_starts_are_random_and_mostly_scaled(cases):
    starts = Counter(case.weights for case in cases)
    assert starts["scaled"] >= 50
    assert not {"zero", "cloned"} & set(starts)


def test_the_list_does_not_depend_on_the_modules_that_are_loaded(tmp_path):
    """Hypothesis draws constants that it finds in local modules, where it can."""
    numbers = ", ".join(str(k) for k in range(100, 1000))
    (tmp_path / "constants.py").write_text(f"NUMBERS = [{numbers}]\n")
    code = (
        "import constants\n"
        "from symmetry.steps.cases.strategies import draw_cases\n"
        "print(*(case.to_json() for case in draw_cases(100, 0)), sep='\\n')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == [case.to_json() for case in draw_cases(100, 0)]


@pytest.mark.slow
@given(st.integers(1000, 1001))  # nobody else has drawn these
@settings(max_examples=2)
def test_cases_can_be_drawn_within_a_test_of_hypothesis(seed):
    before = settings.default
    inside = draw_cases(30, seed, ["float32"])
    assert settings.default is before
    code = (
        "from symmetry.steps.cases.strategies import draw_cases\n"
        f"print(*(case.to_json() for case in draw_cases(30, {seed}, ['float32'])), sep='\\n')"
    )
    outside = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert outside.stdout.splitlines() == [case.to_json() for case in inside]
