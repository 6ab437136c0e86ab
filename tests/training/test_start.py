"""The start of a training: its runs, what is known of them, and their response to rounding."""

from __future__ import annotations

import math

import numpy as np
import pytest

from symmetry.base.errors import TrainingError
from symmetry.training.baseline import FirstRuns
from symmetry.training.origin import Origin
from symmetry.training.response import GLANCE, Response
from symmetry.training.run import RunSettings
from symmetry.training.start import TrainingStart
from symmetry.training.target import FunctionTraining
from symmetry.units.state import difference, has_moved, identical, largest
from symmetry.units.units import Part, Units
from tests.training.small import training


def start(step=None, inner=None, dtype="float32"):
    def make():
        import torch

        layers = [torch.nn.Linear(3, 4), torch.nn.Tanh(), *([inner()] if inner else [])]
        model = torch.nn.Sequential(*layers, torch.nn.Linear(4, 2))
        optimizer = torch.optim.Adam(model.parameters(), 0.1)

        def usual(i):
            optimizer.zero_grad()
            loss = model(torch.ones(5, 3)).square().mean()
            loss.backward()
            optimizer.step()

        return model, usual if step is None else lambda i: step(model, i)

    return TrainingStart(FunctionTraining("training", make), dtype)


def test_runs_begin_where_arrays_are_changed_and_others_stay():
    first = start()
    other = first.at({"model.0.bias": np.zeros(4, np.float32)})
    assert not other.begin().state()["model.0.bias"].any()
    np.testing.assert_array_equal(
        other.begin().state()["model.0.weight"], first.state["model.0.weight"]
    )
    assert other.baseline is first.baseline


def test_units_lie_in_what_the_optimiser_keeps_as_well():
    first = start().with_units((Units("0 units", 4, (Part("model.0.bias", 0),)),))
    (units,) = first.groups
    kept = ("optimizer.exp_avg.0.bias", "optimizer.exp_avg_sq.0.bias")
    assert units.arrays == ("model.0.bias", *kept)


def test_the_response_grows_with_draws_and_is_of_the_size_of_rounding():
    first = start()
    first = first.with_units((Units("0 units", 4, (Part("model.0.weight", 0),)),))
    few, many = first.responses(), first.responses(closely=True)
    assert all(many[0][name] >= few[0][name] for name in few[0])
    assert 0 < many[0]["model.0.weight"] < 1e-2


def test_a_glance_is_one_draw_unless_nearly_no_array_can_be_judged():
    first = start()
    glance, few = first.glance(), first.responses()
    assert [step.keys() for step in glance] == [step.keys() for step in few]
    assert all(0 < glance[0][name] <= few[0][name] for name in few[0])


def test_a_glance_says_nothing_where_more_draws_may_leave_no_array():
    first = start()
    origin = Origin(FirstRuns(first.target, RunSettings(dtype=first.dtype)))
    one, *others = first.result[0]

    def glance(shares):
        moved = [{n: shares.get(n, 1e-6) * origin.scale[n] for n in s} for s in origin.result]
        response = Response(origin, GLANCE, moved)
        return TrainingStart(
            first.target, first.dtype, 0, 4, first.model_units, origin=origin, response=response
        ).glance()

    assert set(glance({one: 0.02})[0]) == {*others}
    assert glance(dict.fromkeys((one, *others), 0.02)) is None
    assert glance(dict.fromkeys((one, *others), 0.005)) is None


def test_observers_share_a_run_unless_it_raises(monkeypatch):
    from symmetry.training import baseline

    begun = []

    def first(run, steps):
        begun.append(run)
        for _ in range(steps):
            yield
        return run.taken

    def second(run, steps):
        yield from first(run, steps)
        return "second"

    def failing(run, steps):
        yield
        raise TrainingError("of this observer")

    monkeypatch.setattr(baseline, "OBSERVERS", [first, second])
    one = start()
    assert (one.observed(first), one.observed(second)) == (one.steps, "second")
    assert begun[0] is begun[1]
    monkeypatch.setattr(baseline, "OBSERVERS", [first, failing])
    assert start().observed(first) == one.steps
    with pytest.raises(TrainingError, match="of this observer"):
        start().observed(failing)


def test_nearby_parameters_are_an_ulp_away():
    first = start(dtype="float64")
    for name, array in first.nearby(0).items():
        allowed = 2 * np.finfo(float).eps * largest(array)
        assert 0 < difference(array, first.state[name]) <= allowed


def test_noise_is_left_out_where_there_is_any():
    import torch

    first = start(inner=lambda: torch.nn.Dropout(0.5))
    a, b = (next(first.begin(noise=True).states(1))["model.0.weight"] for _ in range(2))
    assert len(first.result) == 2
    (quiet,) = first.begin().states(1)
    assert [name for name, _ in first.random] == ["bernoulli"]
    np.testing.assert_array_equal(a, b)  # the same random numbers
    assert not np.array_equal(a, quiet["model.0.weight"])


def test_noise_is_drawn_under_a_setting():
    import torch

    first = start(inner=lambda: torch.nn.Dropout(0.5))
    drawn, undropped = first.under("loops"), first.under("undropped")
    assert difference(drawn.result[1]["model.0.weight"], first.result[1]["model.0.weight"]) > 0.01
    assert drawn.random == ()
    assert all(gap < 1e-6 for gap in drawn.responses()[1].values())
    for name, array in first.first_run[1].items():
        np.testing.assert_allclose(drawn.result[1][name], array, atol=1e-6)
        np.testing.assert_array_equal(undropped.result[1][name], first.result[1][name])


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (lambda model, i: None, "compute no gradients"),
        (lambda model, i: model[0].weight.sum() * math.inf, r"the loss of step 1 is (nan|-?inf)"),
        (lambda model, i: 1 / 0, "ZeroDivisionError"),
    ],
)
def test_what_cannot_be_checked_is_told(step, message):
    with pytest.raises(TrainingError, match=message):
        _ = start(step).baseline


def test_differences_of_arrays():
    a, b = np.array([1.0, 2.0]), np.array([1.0, 2.5])
    assert difference(a, b) == 0.5
    assert difference(a, np.zeros(3)) == math.inf
    assert has_moved({"a": a}, [{"a": a, "more": b}, {"a": b}])
    assert not has_moved({"a": a}, [{"a": a, "more": b}])
    assert largest(np.array([-3.0, 2.0])) == 3


def test_large_states_that_were_released_come_again(monkeypatch):
    start = TrainingStart(FunctionTraining("t", training()), dtype="float32")
    before = start.result
    start.release()
    assert start.result is before
    monkeypatch.setattr("symmetry.training.start.LARGE", 0)
    start.release()
    assert start.baseline.size == sum(array.nbytes for array in before[-1].values())
    assert start.result is not before
    for again in (start.result, start.first_run):
        for one, other in zip(before, again, strict=True):
            assert identical(one, other)
