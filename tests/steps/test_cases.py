from __future__ import annotations

import hashlib
import subprocess
import sys
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from symmetry.law.case import DATA, DTYPES, WEIGHTS, Case
from symmetry.steps.cases import make_start
from symmetry.steps.drawn_cases import draw_cases
from tests.conftest import slow

CASE = Case(200, 20, 12, 5, 0.1, 3, "float64", "pixels", "scaled", 7)
DIGEST = "74fd5e20246096be68748253bd7e37afa57501996f7c05e6209e41432c4b1487"
RANDOM = [name for name in WEIGHTS if name != "zero"]


def pre_activations(p):
    return p.w1[0] + p.x @ p.w1[1:]


def logits(p):
    with np.errstate(over="ignore"):
        hidden = 1 / (1 + np.exp(-pre_activations(p)))
    return p.w2[0] + hidden @ p.w2[1:]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("data", DATA)
@pytest.mark.parametrize("weights", WEIGHTS)
def test_arrays_have_the_shapes_and_the_dtype_of_their_case(data, weights, dtype):
    for n, i, h, c in ((1, 1, 1, 1), (2, 3, 2, 4), (7, 2, 3, 1), (5, 4, 9, 3)):
        p = make_start(replace(CASE, n=n, i=i, h=h, c=c, data=data, weights=weights, dtype=dtype))
        arrays = p.x, p.y, p.w1, p.w2
        assert [a.shape for a in arrays] == [(n, i), (n, c), (i + 1, h), (h + 1, c)]
        assert {a.dtype.name for a in arrays} == {dtype}
        assert all(np.isfinite(a).all() and a.flags.c_contiguous for a in arrays)
        assert not any(a.flags.writeable for a in arrays)
        assert (p.y.sum(axis=1) == 1).all()
        assert ((p.y == 0) | (p.y == 1)).all()
        assert (p.lr, p.iterations, p.seed) == (CASE.lr, CASE.iterations, CASE.seed)


def clones_of(start):
    return start.hidden_units.groups(start.state)


def test_the_same_case_gives_the_same_arrays_and_another_seed_others():
    one, same, other = (make_start(replace(CASE, seed=seed)) for seed in (1, 1, 2))
    for name in ("x", "y", "w1", "w2"):
        assert (getattr(one, name) == getattr(same, name)).all()
        assert (getattr(one, name) != getattr(other, name)).any()


def test_both_dtypes_get_the_same_numbers():
    wide, narrow = (make_start(replace(CASE, dtype=dtype)) for dtype in ("float64", "float32"))
    for name in ("x", "y", "w1", "w2"):
        assert (getattr(wide, name).astype("float32") == getattr(narrow, name)).all()


def test_arrays_are_these_ones_on_every_machine():
    p = make_start(replace(CASE, n=9, i=4, h=5, c=3))
    little = (a.astype(a.dtype.newbyteorder("<")).tobytes() for a in (p.x, p.y, p.w1, p.w2))
    assert hashlib.sha256(b"".join(little)).hexdigest() == DIGEST


def test_another_number_of_hidden_units_keeps_the_samples():
    few, many = make_start(CASE), make_start(replace(CASE, h=30))
    assert (few.x == many.x).all()
    assert (few.y == many.y).all()


def test_pixels_look_like_those_of_mnist():
    p = make_start(replace(CASE, n=2000, i=100))
    assert ((p.x == np.round(p.x)) & (p.x >= 0) & (p.x <= 255)).all()
    assert p.x.max() > 250
    live = p.x.any(axis=0)
    assert 0.03 < 1 - live.mean() < 0.25
    assert 0.78 < (p.x[:, live] == 0).mean() < 0.84


@pytest.mark.parametrize("data", ["pixels", "unit", "one-class", "missing-classes"])
def test_of_two_inputs_one_may_be_dead_but_a_single_one_need_not_be(data):
    both = [make_start(replace(CASE, i=2, data=data, seed=s)).x.any(axis=0) for s in range(20)]
    assert all(live.sum() < 2 for live in both)
    assert any(live.any() for live in both)
    assert any(make_start(replace(CASE, i=1, data=data, seed=s)).x.any() for s in range(20))


def test_what_the_names_of_data_promise():
    x = {name: make_start(replace(CASE, data=name)).x for name in DATA}
    y = {name: make_start(replace(CASE, data=name)).y for name in DATA}
    assert not x["zeros"].any()
    assert len(np.unique(x["constant"])) == 1
    assert x["constant"].any()
    assert ((x["unit"] >= 0) & (x["unit"] < 1)).all()
    assert x["normals"].all()
    assert (x["normals"] < 0).any()
    assert len(np.unique(x["duplicates"], axis=0)) == 3
    assert (y["one-class"].sum(axis=0) > 0).sum() == 1
    assert (y["missing-classes"].sum(axis=0) > 0).sum() == 3  # of five
    assert (y["pixels"].sum(axis=0) > 0).all()


def test_zero_weights_are_zero():
    p = make_start(replace(CASE, weights="zero"))
    assert not p.w1.any()
    assert not p.w2.any()


@pytest.mark.parametrize("data", DATA)
@pytest.mark.parametrize("sizes", [(1, 1, 1), (8, 784, 64), (500, 3, 257)])
def test_scaled_weights_give_numbers_of_order_one(data, sizes):
    n, i, h = sizes
    cases = [
        replace(CASE, n=n, i=i, h=h, c=10, data=data, weights="scaled", seed=s) for s in range(5)
    ]
    for values in (pre_activations, logits):
        size = np.mean([np.mean(values(make_start(case)) ** 2) for case in cases]) ** 0.5
        assert 0.2 < size < 3


@pytest.mark.parametrize(("weights", "factor"), [("small", 0.1), ("tiny", 0.001), ("wide", 10)])
def test_other_scales_are_multiples_of_it(weights, factor):
    one, other = make_start(CASE), make_start(replace(CASE, weights=weights))
    assert (other.w1 == one.w1 * factor).mean() > 0.9
    np.testing.assert_allclose(other.w1, one.w1 * factor, rtol=1e-15)
    np.testing.assert_allclose(other.w2, one.w2 * factor, rtol=1e-15)


def test_wide_weights_saturate_and_steep_ones_leave_the_range_of_exp():
    wide, steep = (make_start(replace(CASE, weights=name)) for name in ("wide", "steep"))
    assert (abs(pre_activations(wide)) > 6).mean() > 0.3
    assert abs(logits(steep)).max() > 710  # beyond float64


@pytest.mark.parametrize("weights", ["cloned", "cloned-small", "cloned-wide"])
@pytest.mark.parametrize("h", [3, 4, 5, 16, 97])
def test_cloned_weights_have_groups_and_the_last_unit_is_in_one(weights, h):
    for seed in range(10):
        p = make_start(replace(CASE, h=h, weights=weights, seed=seed))
        groups = clones_of(p)
        assert 2 <= len(groups) < h
        assert next(len(group) for group in groups if h - 1 in group) > 1


def test_two_cloned_units_are_alike():
    assert clones_of(make_start(replace(CASE, h=2, weights="cloned"))) == ((0, 1),)


@pytest.mark.parametrize("weights", [name for name in RANDOM if not name.startswith("cloned")])
def test_other_random_units_all_differ(weights):
    assert len(clones_of(make_start(replace(CASE, weights=weights)))) == CASE.h


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
        "from symmetry.steps.drawn_cases import draw_cases\n"
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
        "from symmetry.steps.drawn_cases import draw_cases\n"
        f"print(*(case.to_json() for case in draw_cases(30, {seed}, ['float32'])), sep='\\n')"
    )
    outside = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert outside.stdout.splitlines() == [case.to_json() for case in inside]
