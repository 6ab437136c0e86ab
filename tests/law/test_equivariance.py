"""Rearranged units, samples, inputs and classes, and the response they are measured by."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from symmetry.base.randomness.random import Random
from symmetry.law import equivariance as law
from symmetry.law.judge import ratio
from symmetry.law.measurement import Measurement
from symmetry.steps.response import FIRST, PERTURBATIONS, response
from symmetry.steps.start import StepStart
from symmetry.units import compare
from tests.catalogues import select
from tests.invariants.helpers import (
    DTYPES,
    Adam,
    Momentum,
    any_problem,
    exact_step,
    gradients,
    make_problem,
    measuring,
    numpy_step,
    trainer,
    with_clones,
)

NAMES = ("symmetry/permutation", "symmetry/samples", "symmetry/inputs", "symmetry/classes")
permutation, samples, inputs, classes = map(measuring, NAMES)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("step", [numpy_step, exact_step, Adam, Momentum])
def test_sound_steps_are_not_accused(step, dtype):
    problems = [any_problem(seed, dtype) for seed in range(100)]
    founds = [permutation(trainer(step), problem) for problem in problems]
    assert not any(found.violation for found in founds)
    assert sum(found.counted for found in founds) > 45
    assert max(found.margin or 0 for found in founds) < 0.5


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("step", [numpy_step, Adam, Momentum])
def test_many_equal_samples_do_not_cry_wolf(step, dtype):
    """The case in which random perturbations alone had ratios of 271."""
    for seed in range(3):
        problem = make_problem(seed, 2000, 3, 9, 4, data="equal", dtype=dtype, lr=50.0)
        found = permutation(trainer(step), problem)
        assert found.counted
        assert found.violation is None


class Glancing(StepStart):
    """A start that has a response by few runs, of some ulps."""

    ulps = 4.0
    looked = 0

    def glance(self):
        eps = np.finfo(self.state["w1"].dtype).eps
        scale = {name: abs(array).max() for name, array in self.state.items()}
        return [{name: self.ulps * eps * most for name, most in scale.items()}]

    def responses(self, *, closely=False):
        Glancing.looked += 1
        return super().responses(closely=closely)


@pytest.mark.parametrize(("ulps", "looked"), [(100.0, False), (0.001, True)])
def test_a_glance_suffices_for_a_small_deviation(ulps, looked, monkeypatch):
    monkeypatch.setattr(Glancing, "ulps", ulps)
    monkeypatch.setattr(Glancing, "looked", 0)
    problem = make_problem(0, 20, 3, 9, 4)
    start = Glancing(**vars(replace(problem, target=trainer(numpy_step))))
    found = law.permutation(start)
    assert found.counted
    assert found.violation is None
    assert (Glancing.looked > 0) is looked


def last_unit_forgotten(x, y, w1, w2, lr):
    a, b = numpy_step(x, y, w1, w2, lr)
    a[:, -1] = w1[:, -1]
    return a, b


def by_position(x, y, w1, w2, lr):
    a, b = numpy_step(x, y, w1, w2, lr)
    position = np.arange(w1.shape[1], dtype=w1.dtype)
    return a * (1 + position / 1000), b


def shifted_slope(x, y, w1, w2, lr):
    (_, b), (g1, _) = numpy_step(x, y, w1, w2, lr), gradients(x, y, w1, w2)
    return w1 - w1.dtype.type(lr) * np.roll(g1, 1, axis=1), b


def bias_reads_unit_0(x, y, w1, w2, lr):
    a, b = numpy_step(x, y, w1, w2, lr)
    b[0] += w2[1] / 100
    return a, b


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "step", [last_unit_forgotten, by_position, shifted_slope, bias_reads_unit_0]
)
def test_what_depends_on_a_unit_s_place_is_caught(step, dtype):
    caught = [
        permutation(trainer(step), make_problem(seed, h=9, dtype=dtype)).violation is not None
        for seed in range(20)
    ]
    assert sum(caught) >= 16  # a random order may leave the one unit in its place


def test_a_violation_names_place_unit_and_entry():
    problem = make_problem(h=4)
    found = permutation(trainer(by_position), problem)
    violation, (place, unit) = found.violation, found.violation.units
    assert violation.array == "w1"
    assert violation.entry[1] == place != unit
    assert violation.message.startswith("after step 1 of a run from rearranged units, ")
    assert f", w1[{violation.entry[0]}, {place}] is " in violation.message
    assert violation.message.endswith(" times the response to rounding, limit 16")
    assert violation.iteration == 1
    assert violation.ulps == found.max_ulps > 0
    assert found.margin > 1


def test_an_entry_of_the_bias_row_belongs_to_no_unit():
    problem = make_problem(h=4)
    violation = permutation(trainer(bias_reads_unit_0), problem).violation
    assert (violation.array, violation.entry[0], violation.units) == ("w2", 0, None)


def test_one_kind_of_unit_is_no_witness():
    for problem in (make_problem(h=1), with_clones(make_problem(), [0] * 6)):
        found = permutation(trainer(numpy_step), problem)
        assert found == Measurement(counted=False, note="all units are equal")


def test_two_units_change_places():
    for seed in range(10):
        assert permutation(trainer(numpy_step), make_problem(seed, h=2)).counted


def test_a_step_that_moves_nothing_does_not_count():
    found = permutation(trainer(lambda x, y, w1, w2, lr: (w1, w2)), make_problem())
    assert (found.counted, found.margin, found.violation) == (False, 0, None)


def test_numbers_that_are_not_finite_are_not_judged():
    def diverging(x, y, w1, w2, lr):
        w1[0, 0] = np.inf
        return w1, w2

    found = permutation(trainer(diverging), make_problem())
    note = "cannot judge: the run itself has numbers not finite"
    assert found == Measurement(counted=False, note=note)


@pytest.mark.parametrize("dtype", DTYPES)
def test_perturbations_are_one_ulp_away(dtype):
    problem = make_problem(dtype=dtype, data="pixels")
    nearby = list(problem.nearby(Random(0)))
    assert len(nearby) == PERTURBATIONS
    versions = [near for near, _ in nearby[:12]]
    for version in versions:
        for name in ("x", "w1", "w2"):
            old, new = getattr(problem, name), getattr(version, name)
            assert new.dtype == old.dtype
            distances = compare.ulp_distances(old, new)
            assert set(distances[old != 0].tolist()) <= {0, 1}
            assert not new[old == 0].any()
            if version in versions[:4]:  # at random
                assert distances[old != 0].all()
                assert len({*np.sign(new - old)[old != 0].tolist()}) == 2
        assert version.y is problem.y
    touched = [
        [
            name
            for name in ("x", "w1", "w2")
            if (getattr(version, name) != getattr(problem, name)).any()
        ]
        for version in versions
    ]
    everything = ["x", "w1", "w2"]
    assert touched == [everything] * 4 + [everything, ["w1"], ["w2"]] * 2 + [[], []]
    assert [version.lr / problem.lr - 1 for version in versions[-2:]] == [
        pytest.approx(sign * np.finfo(dtype).eps) for sign in (1, -1)
    ]
    assert not any(shift for _, shift in nearby[:12] + nearby[14:])


@pytest.mark.parametrize("dtype", DTYPES)
def test_perturbations_of_the_outputs_do_not_count_themselves(dtype):
    problem = make_problem(dtype=dtype, scale=0.0, c=4)
    for near, shift in list(problem.nearby(Random(0)))[12:14]:
        assert sorted(shift["w2"][0] / np.finfo(dtype).eps) == [-1, -1, 1, 1]
        assert np.array_equal(near.w2, shift["w2"].astype(dtype))
        assert not shift["w2"][1:].any()
        assert near.w1 is problem.w1
        assert near.x is problem.x
        weights = {"w1": problem.w1, "w2": problem.w2}
        moved = {"w1": near.w1, "w2": near.w2}
        assert response(weights, [(moved, shift)]) == {"w1": 0, "w2": 0}
        other = {"w1": near.w1, "w2": near.w2 + near.w2.dtype.type(1)}
        assert response(weights, [(other, shift)])["w2"] == pytest.approx(1)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("c", [1, 2, 4])
def test_perturbations_of_the_labels_move_eps_from_the_true_class_to_another(c, dtype):
    problem = make_problem(dtype=dtype, c=c)
    eps = np.finfo(dtype).eps
    for near, _ in list(problem.nearby(Random(0)))[14:]:
        moved = (near.y - problem.y) / eps
        assert near.y.dtype == problem.y.dtype
        assert not moved.sum(axis=1).any()
        if c > 1:
            assert (abs(moved[problem.y == 1]) == 1).all()
            assert (np.count_nonzero(moved, axis=1) == 2).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("scale", [1e-6, 1e-3, 0.1])
def test_a_gradient_that_is_nothing_but_rounding_is_not_judged_by_ulps_of_weights(scale, dtype):
    """Balanced classes and tiny weights: what is left of the bias's gradient is noise."""

    class Noisy:
        def __call__(self, x, y, w1, w2, lr):
            a, b = numpy_step(x, y, w1, w2, lr)
            noise = np.finfo(w1.dtype).eps * np.sin(1e7 * w1[:, :1].sum() + np.arange(y.shape[1]))
            b[0] += w1.dtype.type(lr / 8) * noise.astype(w1.dtype)
            return a, b

    for seed in range(20):
        problem = make_problem(seed, n=30, c=3, h=5, dtype=dtype, lr=100.0, scale=scale)
        balanced = np.eye(3, dtype=dtype)[np.arange(30) % 3]
        found = permutation(trainer(Noisy), replace(problem, y=balanced))
        assert found.counted
        assert found.violation is None


def test_the_ends_of_the_range_are_perturbed_without_a_warning():
    problem = make_problem(dtype="float32")
    x = problem.x.copy()
    x[0] = np.finfo(np.float32).max
    x[1] = np.finfo(np.float32).smallest_subnormal
    assert len(list(replace(problem, x=x).nearby(Random(0)))) == PERTURBATIONS


def test_response_is_the_largest_change_but_at_least_a_quarter_ulp():
    eps = np.finfo(np.float32).eps
    a, b = np.ones((2, 2), np.float32), np.full((3, 2), -4, np.float32)
    result = {"a": a, "b": b}
    assert response(result, []) == {"a": eps / 4, "b": eps}
    near = [(result, {}), ({"a": a - 0.5, "b": b}, {}), ({"a": a + 0.25, "b": b + 7}, {})]
    assert response(result, near) == {"a": 0.5, "b": 7}
    assert response(result, [({"a": a, "b": b + 7}, {"b": np.full((3, 2), 6)})])["b"] == 1


def test_there_is_no_response_where_not_all_is_finite():
    result = {"a": np.zeros((2, 2))}
    broken = {"a": np.array([[0.0, np.nan], [2.0, 0.0]])}
    assert response(result, [(result, {}), (broken, {})]) is None
    assert response(broken, [(result, {})]) is None
    huge = {"a": np.full((2, 2), 1e308)}
    assert response(huge, [({"a": -huge["a"]}, {})]) is None


def test_the_limit_grows_with_the_longest_sum():
    assert make_problem().limit == 16
    assert make_problem(n=100).limit == 40
    assert make_problem(i=400).limit == 80
    assert make_problem(h=900).limit == 120


def test_a_ratio_without_a_response():
    assert ratio(0.0, 0.0) == 0
    assert ratio(1.0, 0.0) == np.inf
    assert ratio(1.0, 4.0) == 0.25


# --- samples, inputs and classes ----------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("measure", [samples, inputs, classes])
@pytest.mark.parametrize("step", [numpy_step, exact_step, Adam, Momentum])
def test_sound_steps_do_not_know_the_order_of_samples_inputs_and_classes(step, measure, dtype):
    founds = [measure(trainer(step), any_problem(seed, dtype)) for seed in range(30)]
    assert not any(found.violation for found in founds)
    assert sum(found.counted for found in founds) > 12
    assert max(found.margin or 0 for found in founds) < 0.5


def last_sample_forgotten(x, y, w1, w2, lr):
    return numpy_step(x[:-1], y[:-1], w1, w2, lr)


def last_input_forgotten(x, y, w1, w2, lr):
    a, b = numpy_step(x, y, w1, w2, lr)
    a[-1] = w1[-1]
    return a, b


def labels_off_by_one(x, y, w1, w2, lr):
    return numpy_step(x, np.roll(y, 1, axis=1), w1, w2, lr)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("measure", "step", "name"),
    [
        (samples, last_sample_forgotten, "samples"),
        (inputs, last_input_forgotten, "inputs"),
        (classes, labels_off_by_one, "classes"),
    ],
)
def test_what_depends_on_a_place_is_caught_by_its_own_invariant(measure, step, name, dtype):
    founds = [measure(trainer(step), make_problem(seed, c=4, dtype=dtype)) for seed in range(20)]
    caught = [found.violation for found in founds if found.violation]
    assert len(caught) >= 12
    assert all(violation.group == name for violation in caught)
    assert caught[0].message.startswith(f"after step 1 of a run from rearranged {name}, ")


def test_equal_samples_are_no_witness():
    problem = make_problem(n=1)
    found = samples(trainer(numpy_step), problem)
    assert found == Measurement(counted=False, note="all samples are equal")


def test_the_perturbed_runs_are_shared():
    made = []

    class Counted:
        def __init__(self):
            made.append(self)

        __call__ = staticmethod(exact_step)

    start = replace(make_problem(), target=trainer(Counted))
    for invariant in select(NAMES):
        assert invariant.measure(start).counted
    assert len(made) == 1 + FIRST + 4
    (few,), (all_of_them,) = (start.responses(closely=closely) for closely in (False, True))
    assert len(made) == 1 + PERTURBATIONS + 4
    assert all(few[name] <= all_of_them[name] for name in ("w1", "w2"))
