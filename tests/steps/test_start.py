"""The start of a two-layer step: its arrays, its units, and how it is run."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from symmetry.law.case import Case
from symmetry.steps.cases import start_of_case
from symmetry.steps.target import StepTarget
from symmetry.units.state import identical


def start(step=None, weights="scaled", **sizes):
    values = {"n": 6, "i": 3, "h": 4, "c": 2, "iterations": 3, "seed": 1, **sizes}
    found = start_of_case(Case(lr=0.5, dtype="float32", data="unit", weights=weights, **values))
    return replace(found, target=StepTarget("step", step)) if step else found


def decaying(x, y, w1, w2, lr):
    return w1 * (1 - w1.dtype.type(lr)), w2


SIZES = st.fixed_dictionaries({key: st.integers(1, 5) for key in ("n", "i", "h", "c")})


@given(SIZES)
def test_each_kind_of_units_has_its_size(sizes):
    found = start(**sizes)
    counts = {kind: found.units(kind).count for kind in ("samples", "inputs", "classes")}
    assert counts == {"samples": sizes["n"], "inputs": sizes["i"], "classes": sizes["c"]}
    assert found.hidden == found.hidden_units.count == sizes["h"]
    assert found.groups == (found.hidden_units,)


@pytest.mark.parametrize("kind", ["hidden units", "samples", "inputs", "classes"])
def test_a_rearrangement_moves_units_that_differ(kind):
    found = start()
    ((units, order),) = found.orders([found.units(kind)])
    assert sorted(order) == [*range(units.count)]
    assert not identical(units.rearranged(found.state, order), found.state)


def test_equal_units_are_not_rearranged():
    zero = start(weights="zero")
    assert zero.orders([zero.hidden_units]) == []
    assert start(h=1).orders([start(h=1).hidden_units]) == []


def test_a_run_goes_on_from_its_own_weights_and_ends_where_it_is_not_finite():
    found = start(decaying)
    states = [state["w1"] for state in found.run()]
    assert len(states) == 3
    np.testing.assert_array_equal(states[-1], found.w1 / 8)
    assert found.states({"w1": 2 * found.w1})[0]["w1"].tolist() == found.w1.tolist()

    def overflowing(x, y, w1, w2, lr):
        return w1 * np.float32(np.inf), w2

    assert len([*start(overflowing).run()]) == 1


def test_other_arrays_make_another_start():
    found = start(decaying)
    other = found.at({"w1": np.zeros_like(found.w1)})
    assert not other.w1.any()
    assert found.w1.any()
    assert other.target is found.target


def test_the_limit_grows_with_the_longest_sum():
    assert start().limit == 16
    assert start(n=900).limit == start(h=900).limit == 120


def test_other_runs_have_other_sizes_and_other_numbers():
    shapes = []

    def noted(x, y, w1, w2, lr):
        shapes.append((*x.shape, w1.shape[1]))
        return w1, w2

    found = start(noted)
    for run in found.runs_from_other_starts():
        assert len([*run]) == 2
    assert shapes == [(3, 2, 5)] * 2 + [(6, 3, 4)] * 2


def test_a_response_is_of_the_size_of_rounding():
    (found,) = start(decaying).responses()
    assert 0 < found["w1"] < 1e-5
