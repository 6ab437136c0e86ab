"""Rounding is told from bugs by one measure for every trainer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from symmetry.network import formulas
from symmetry.steps.invariants.splits import elaborated, explained, rounding
from tests.catalogues import STEPS, select
from tests.conftest import slow
from tests.invariants.helpers import (
    DTYPES,
    Adam,
    Momentum,
    exact_step,
    make_problem,
    measuring,
    numpy_step,
    product,
    start_for,
    trainer,
    with_clones,
)

w2_rows = measuring("symmetry/w2-rows")


def other_sums_for_odd_units(x, y, w1, w2):
    """The gradients; odd units sum their samples in another order. Only rounding differs."""
    y_hat, hidden = formulas.forward(x, w1, w2)
    delta = y_hat - y
    back = (delta @ w2[1:].T) * formulas.sigmoid_gradient(hidden)
    g1 = product(formulas.prepend_bias(x).T, back)
    g2 = product(formulas.prepend_bias(hidden).T, delta)
    g1[:, 1::2] = product(formulas.prepend_bias(x[::-1]).T, back[::-1])[:, 1::2]
    g2[2::2] = product(formulas.prepend_bias(hidden[::-1]).T, delta[::-1])[2::2]
    n = w1.dtype.type(len(x))
    return g1 / n, g2 / n


def rounding_descent(x, y, w1, w2, lr):
    g1, g2 = other_sums_for_odd_units(x, y, w1, w2)
    return w1 - w1.dtype.type(lr) * g1, w2 - w1.dtype.type(lr) * g2


class RoundingMomentum(Momentum):
    gradients = staticmethod(other_sums_for_odd_units)


class RoundingAdam(Adam):
    gradients = staticmethod(other_sums_for_odd_units)


def margin(step, problem):
    return rounding(replace(problem, target=trainer(step)))


def from_zero(problem):
    return replace(problem, w1=0 * problem.w1, w2=0 * problem.w2)


def margins(step, problem):
    """Yield what rounding makes of it, for each exact invariant that is violated."""
    for name in ("symmetry/w1-columns", "symmetry/w2-rows", "symmetry/clones"):
        (invariant,) = select([name])
        start = start_for(invariant, trainer(step), problem)
        if invariant.measure(start).violation:
            yield rounding(start)


def problems(dtype, count):
    for seed in range(count):
        problem = make_problem(
            seed, n=30, i=4, h=7, c=4, dtype=dtype, iterations=8, lr=[0.1, 2.0, 50.0][seed % 3]
        )
        yield with_clones(problem, [0, 0, 2, 0, 2, 0, 2])


@pytest.mark.parametrize("dtype", [DTYPES[0], *map(slow, DTYPES[1:])])
@pytest.mark.parametrize("step", [rounding_descent, slow(RoundingMomentum), slow(RoundingAdam)])
def test_another_order_of_summation_is_rounding(step, dtype):
    judged = [answer for problem in problems(dtype, 6) for answer in margins(step, problem)]
    assert len(judged) > 12
    assert all(0 < answer <= 1 for answer in judged)


@pytest.mark.parametrize("dtype", [DTYPES[0], *map(slow, DTYPES[1:])])
@pytest.mark.parametrize("step", [rounding_descent, RoundingMomentum, RoundingAdam])
def test_a_gradient_that_is_nothing_but_rounding_is_rounding(step, dtype):
    """With as many samples of each class nothing else is left of it in the first step."""
    judged = []
    for seed, (n, c) in enumerate([(9, 3), (30, 3), (60, 5), (60, 6), (70, 7), (100, 10)]):
        problem = make_problem(seed, n, 4, 8, c, dtype=dtype, iterations=3)
        balanced = np.eye(c, dtype=dtype)[np.random.default_rng(seed).permutation(n) % c]
        problem = replace(problem, y=balanced)
        assert w2_rows(trainer(step), problem).violation.iteration == 1
        judged.append(margin(step, from_zero(problem)))
    assert all(0 < answer <= 1 for answer in judged)


def last_unit_a_little_slow(x, y, w1, w2, lr):
    a, b = numpy_step(x, y, w1, w2, lr)
    b[-1] = w2[-1] + (b[-1] - w2[-1]) * b.dtype.type(0.999)
    return a, b


def first_unit_in_half_precision(x, y, w1, w2, lr):
    a, b = numpy_step(x, y, w1, w2, lr)
    b[1] = b[1].astype(np.float16)
    return a, b


class DropoutOfOneSeed:
    def __init__(self):
        self.rng = np.random.default_rng(5)

    def __call__(self, x, y, w1, w2, lr):
        a, b = numpy_step(x, y, w1, w2, lr)
        b[1:] = np.where(self.rng.random((len(b) - 1, 1)) < 0.5, w2[1:], b[1:])
        return a, b


def tail_that_reads_the_next_sample(x, y, w1, w2, lr):
    a, b = numpy_step(x, y, w1, w2, lr)
    a[:, -1:] = numpy_step(np.roll(x, 1, axis=0), y, w1, w2, lr)[0][:, -1:]
    b[-1] = numpy_step(np.roll(x, 1, axis=0), y, w1 + 1, w2, lr)[1][-1]
    return a, b


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "step",
    [
        last_unit_a_little_slow,
        first_unit_in_half_precision,
        DropoutOfOneSeed,
        tail_that_reads_the_next_sample,
    ],
)
def test_bugs_are_not_rounding(step, dtype):
    judged = [answer for problem in problems(dtype, 9) for answer in margins(step, problem)]
    assert len(judged) >= 18
    assert all(answer > 1 for answer in judged)


def test_the_margin_is_as_large_as_the_bug():
    def slowed(by):
        def step(x, y, w1, w2, lr):
            a, b = exact_step(x, y, w1, w2, lr)
            b[-1] = w2[-1] + (b[-1] - w2[-1]) * (1 - by)
            return a, b

        return margin(step, from_zero(make_problem()))

    assert slowed(0.02) == pytest.approx(2 * slowed(0.01), rel=0.01)


def test_chance_is_not_rounding():
    """Noise makes the response as large as the deviation; but it does not repeat itself."""
    rng = np.random.default_rng(0)

    def noisy(x, y, w1, w2, lr):
        w1, w2 = numpy_step(x, y, w1, w2, lr)
        return w1, w2 + rng.normal(size=w2.shape)

    assert margin(noisy, from_zero(make_problem())) == np.inf


@pytest.mark.parametrize("row", [1, 2, -1])
def test_one_unit_that_is_not_finite_is_not_rounding(row):
    def broken(x, y, w1, w2, lr):
        w1, w2 = numpy_step(x, y, w1, w2, lr)
        w2[row, 0] = np.nan
        return w1, w2

    assert margin(broken, from_zero(make_problem())) == np.inf


def test_a_group_that_overflows_together_ends_the_judgement():
    def exploding(x, y, w1, w2, lr):
        w1, w2 = rounding_descent(x, y, w1, w2, lr)
        return w1 * w1.dtype.type(1e15), w2 * w2.dtype.type(1e15)

    problem = make_problem(n=40, dtype="float32", iterations=20)
    assert w2_rows(trainer(exploding), problem).violation
    assert 0 < margin(exploding, from_zero(problem)) <= 1


def test_a_step_that_refuses_to_overflow_ends_the_judgement_like_one_that_overflows():
    """As scikit-learn does: it raises where a weight is not finite."""

    class Refusing:
        steps = 0

        def __call__(self, x, y, w1, w2, lr):
            self.steps += 1
            if self.steps > 1:
                raise ValueError("non-finite weights")
            return rounding_descent(x, y, w1, w2, lr)

    problem = with_clones(make_problem(n=40, dtype="float32", iterations=3), [0, 0, 2, 2, 4, 4])
    (clones,) = select(["symmetry/clones"])
    start = start_for(clones, trainer(Refusing), problem)
    assert explained(start)
    violation = elaborated(start, clones.measure(start).violation)
    assert (violation.rounding, violation.growth) == (True, ())


def test_without_a_deviation_there_is_nothing_to_explain():
    problem = with_clones(make_problem(), [0, 0, 2, 2, 4, 4])
    start = replace(problem, target=trainer(exact_step))
    assert rounding(start) == 0
    assert not explained(start)
    assert margin(exact_step, from_zero(problem)) == 0


def test_no_other_invariant_is_excused_by_rounding():
    assert [invariant.name for invariant in STEPS if invariant.splits] == [
        "symmetry/w1-columns",
        "symmetry/w2-rows",
        "symmetry/clones",
    ]
