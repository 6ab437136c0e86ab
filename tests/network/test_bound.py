"""The bound is right (no sound step leaves it) and sharp (broken steps do)."""

from __future__ import annotations

import itertools

import mpmath
import numpy as np
import pytest

from symmetry.network import formulas
from symmetry.network.bound import step_bounds
from tests.conftest import slow
from tests.invariants.helpers import (
    DTYPES,
    any_problem,
    collapsed,
    exact_step,
    first_step,
    gradient,
    make_problem,
    numpy_step,
    trainer,
)


def precise_step(problem):
    """The formulas in 60 digits, as nested lists of w1 and w2."""
    mp = mpmath.mp.clone()
    mp.dps = 60
    x, y, w1, w2 = (
        [[mp.mpf(float(value)) for value in row] for row in a]
        for a in (problem.x, problem.y, problem.w1, problem.w2)
    )
    units, classes, n = len(w1[0]), len(w2[0]), len(x)
    g1 = [[mp.mpf(0)] * units for _ in w1]
    g2 = [[mp.mpf(0)] * classes for _ in w2]
    for inputs, label in zip(x, y, strict=True):
        inputs = [mp.mpf(1), *inputs]
        z = [mp.fsum(a * w1[k][j] for k, a in enumerate(inputs)) for j in range(units)]
        hidden = [mp.mpf(1)] + [1 / (1 + mp.exp(-value)) for value in z]
        slope = [1 / ((1 + mp.exp(-value)) * (1 + mp.exp(value))) for value in z]
        logits = [mp.fsum(a * w2[j][k] for j, a in enumerate(hidden)) for k in range(classes)]
        total = mp.fsum(map(mp.exp, logits))
        delta = [mp.exp(logit) / total - t for logit, t in zip(logits, label, strict=True)]
        back = [
            mp.fsum(d * w for d, w in zip(delta, w2[j + 1], strict=True)) * slope[j]
            for j in range(units)
        ]
        for rows, a, d in ((g1, inputs, back), (g2, hidden, delta)):
            for k, factor in enumerate(a):
                for j, value in enumerate(d):
                    rows[k][j] += factor * value / n
    lr = mp.mpf(problem.lr)
    return [
        [[a - lr * b for a, b in zip(*rows, strict=True)] for rows in zip(w, g, strict=True)]
        for w, g in ((w1, g1), (w2, g2))
    ]


@pytest.mark.parametrize("scale", [0, 0.01, 1, 30, 1000])
@pytest.mark.parametrize("data", ["normals", "pixels"])
def test_the_reference_is_nearer_to_the_truth_than_half_of_its_bound(scale, data):
    for seed in range(4):
        problem = make_problem(seed, n=3, i=4, h=3, c=4, scale=scale, data=data, lr=10.0)
        bounds = step_bounds(problem.x, problem.y, problem.w1, problem.w2, problem.lr)
        for bounded, truth in zip(bounds, precise_step(problem), strict=True):
            values, exact = bounded.value.ravel().tolist(), itertools.chain(*truth)
            off = [float(abs(mpmath.mpf(v) - t)) for v, t in zip(values, exact, strict=True)]
            # In float64 the bound makes room for two steps that err.
            assert (off <= bounded.error.ravel() / 2).all()


def test_the_reference_keeps_what_cancellation_would_lose():
    """A label predicted with probability 1 - 1e-26 leaves a gradient of 1e-26, not 0."""
    problem = make_problem(0, n=1, i=1, h=1, c=2)
    w2 = np.array([[60.0, 0.0], [0.0, 0.0]])
    y = np.array([[1.0, 0.0]])
    _, bounded = step_bounds(problem.x, y, problem.w1, w2, 1.0)
    assert bounded.update[0, 1] == pytest.approx(8.756510762696521e-27, rel=1e-12)
    assert bounded.update[0, 0] == bounded.update[0, 1]


def test_one_class_never_moves():
    problem = make_problem(c=1)
    for bounded in step_bounds(problem.x, problem.y, problem.w1, problem.w2, problem.lr):
        assert not bounded.update.any()
        assert np.isfinite(bounded.error).all()


def erring_step(problem, u, random):
    """The formulas in float64, where each operation errs as far as it may with precision u."""

    def off(value, magnitude, roundings):
        return value + random.choice([-1, 1]) * roundings * u * magnitude

    def product(a, b):
        return off(a @ b, abs(a) @ abs(b), a.shape[1])

    x, y, w1, w2 = (a.astype(np.float64) for a in (problem.x, problem.y, problem.w1, problem.w2))
    hidden = formulas.sigmoid(product(formulas.prepend_bias(x), w1))
    hidden = off(hidden, hidden, 2)
    y_hat = formulas.softmax(product(formulas.prepend_bias(hidden), w2))
    delta = off(y_hat - y, y_hat, 4)
    back = product(delta, w2[1:].T) * formulas.sigmoid_gradient(hidden)
    g1 = product(formulas.prepend_bias(x).T, off(back, abs(back), 3)) / len(x)
    g2 = product(formulas.prepend_bias(hidden).T, delta) / len(x)
    return w1 - problem.lr * g1, w2 - problem.lr * g2


@pytest.mark.parametrize(
    "sizes", [{"n": 200, "h": 2}, {"i": 200, "h": 2}, {"h": 200}, {"c": 200}, {"h": 1, "i": 1}]
)
@pytest.mark.parametrize("scale", [0.1, 1, 10])
def test_a_step_whose_operations_all_err_as_far_as_they_may_stays_inside(sizes, scale):
    random = np.random.default_rng(0)
    for seed in range(20):
        problem = make_problem(seed, **sizes, lr=100.0, dtype="float32", scale=scale)
        bounds = step_bounds(problem.x, problem.y, problem.w1, problem.w2, problem.lr)
        found = erring_step(problem, np.finfo(np.float32).eps / 2, random)
        for w, bounded in zip(found, bounds, strict=True):
            assert (abs(w - bounded.value) <= bounded.error).all()


def flushing_step(x, y, w1, w2, lr):
    """Subnormal numbers become zero, before the step and after it."""

    def flushed(a):
        return np.where(abs(a) < np.finfo(a.dtype).tiny, a.dtype.type(0), a)

    return tuple(map(flushed, numpy_step(x, y, *map(flushed, (w1, w2)), lr)))


def other_formulas(x, y, w1, w2, lr):
    """The sigmoid by another formula, the softmax by log-sum-exp, sums from the other end."""
    f = w1.dtype.type
    z = (formulas.prepend_bias(x)[:, ::-1] @ w1[::-1]).astype(f)
    hidden = f(0.5) * (1 + np.tanh(z / 2))
    logits = formulas.prepend_bias(hidden)[:, ::-1] @ w2[::-1]
    top = logits.max(axis=1, keepdims=True)
    log_sum = top + np.log(np.exp(logits - top).sum(axis=1, keepdims=True))
    delta = (np.exp(logits - log_sum) - y) / f(len(x))
    back = (delta @ w2[1:].T) * (hidden - hidden * hidden)
    g1 = formulas.prepend_bias(x)[::-1].T @ back[::-1]
    g2 = formulas.prepend_bias(hidden)[::-1].T @ delta[::-1]
    return w1 - f(lr) * g1, w2 - f(lr) * g2


def long_step(x, y, w1, w2, lr):
    """More digits than asked for."""
    wide = (a.astype(np.longdouble) for a in (x, y, w1, w2))
    return tuple(a.astype(w1.dtype) for a in formulas.step(*wide, lr))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("step", "seeds"),
    [(numpy_step, 500), (exact_step, 150), (flushing_step, 150), (long_step, 150)],
)
def test_no_sound_step_leaves_the_bound(step, seeds, dtype):
    findings = [gradient(trainer(step), any_problem(s, dtype)) for s in range(seeds)]
    assert not any(finding.violation for finding in findings)
    assert sum(finding.counted for finding in findings) > 0.6 * seeds
    # The last half ulp of the new weight is common to the step and the bound: 0.998 at worst.
    assert max(finding.margin for finding in findings) < 1


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("seeds", [range(100), slow(range(100, 500))], ids=["few", "more"])
def test_the_bound_does_not_ask_for_one_particular_formula(dtype, seeds):
    for seed in seeds:
        finding = gradient(trainer(other_formulas), any_problem(seed, dtype))
        assert finding.violation is None, seed


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("step", [numpy_step, exact_step, flushing_step, long_step])
@pytest.mark.parametrize("seeds", [range(30), slow(range(30, 150))], ids=["few", "more"])
def test_no_sound_run_leaves_the_bound_of_the_collapsed_network(step, dtype, seeds):
    for seed in seeds:
        problem = any_problem(seed, dtype)
        for measure in (collapsed, first_step):
            finding = measure(trainer(step), problem)
            assert finding.violation is None, finding.violation


def test_large_problems_stay_inside_too():
    for dtype in DTYPES:
        problem = make_problem(0, 2000, 100, 50, 10, data="pixels", dtype=dtype, lr=100.0)
        assert gradient(trainer(numpy_step), problem).margin < 1
        equal = make_problem(0, 2000, 3, 5, 10, data="equal", dtype=dtype, lr=100.0)
        assert gradient(trainer(numpy_step), equal).margin < 1


# --- broken steps -------------------------------------------------------------------------------


def without_the_mean(x, y, w1, w2, lr):
    return numpy_step(x, y, w1, w2, lr * len(x))


def mean_of_one_less(x, y, w1, w2, lr):
    return numpy_step(x, y, w1, w2, lr * len(x) / max(len(x) - 1, 0.5))


def with_the_updated_w2(x, y, w1, w2, lr):
    _, new = numpy_step(x, y, w1, w2, lr)
    y_hat, hidden = formulas.forward(x, w1, w2)
    g1, _ = formulas.back(x, y, y_hat, hidden, new)
    return w1 - w1.dtype.type(lr) * g1, new


def in_single_precision(x, y, w1, w2, lr):
    single = (a.astype(np.float32) for a in (x, y, w1, w2))
    return tuple(a.astype(w1.dtype) for a in numpy_step(*single, lr))


def in_half_precision(x, y, w1, w2, lr):
    half = (a.astype(np.float16) for a in (x, y, w1, w2))
    return tuple(a.astype(w1.dtype) for a in formulas.step(*half, np.float16(lr)))


def without_the_slope(x, y, w1, w2, lr):
    y_hat, _ = formulas.forward(x, w1, w2)
    g1 = formulas.prepend_bias(x).T @ ((y_hat - y) @ w2[1:].T) / len(x)
    return w1 - w1.dtype.type(lr) * g1, numpy_step(x, y, w1, w2, lr)[1]


def without_the_bias(x, y, w1, w2, lr):
    a, b = numpy_step(x, y, w1, w2, lr)
    a[0], b[0] = w1[0], w2[0]
    return a, b


def weight_decay(x, y, w1, w2, lr):
    a, b = numpy_step(x, y, w1, w2, lr)
    return a - w1 * w1.dtype.type(1e-4), b - w2 * w2.dtype.type(1e-4)


def last_sample_lost(x, y, w1, w2, lr):
    keep = max(len(x) - 1, 1)
    return numpy_step(x[:keep], y[:keep], w1, w2, lr)


BROKEN = [
    without_the_mean,
    mean_of_one_less,
    with_the_updated_w2,
    in_half_precision,
    without_the_slope,
    without_the_bias,
    weight_decay,
    last_sample_lost,
]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("step", BROKEN, ids=lambda step: step.__name__)
def test_a_broken_step_leaves_the_bound(step, dtype):
    problems = [make_problem(seed, dtype=dtype, data="normals") for seed in range(20)]
    caught = [gradient(trainer(step), problem) for problem in problems]
    assert all(finding.violation and finding.margin > 1 for finding in caught)


def test_float64_computed_in_float32_leaves_the_bound():
    for seed in range(20):
        problem = make_problem(seed, dtype="float64")
        assert gradient(trainer(in_single_precision), problem).violation
        assert collapsed(trainer(in_single_precision), problem).violation


def unstable_softmax(x, y, w1, w2, lr):
    hidden = formulas.sigmoid(formulas.prepend_bias(x) @ w1)
    exponentials = np.exp(formulas.prepend_bias(hidden) @ w2)
    y_hat = exponentials / exponentials.sum(axis=1, keepdims=True)
    g1, g2 = formulas.back(x, y, y_hat, hidden, w2)
    return w1 - w1.dtype.type(lr) * g1, w2 - w2.dtype.type(lr) * g2


@pytest.mark.parametrize(("dtype", "scale"), [("float32", 100), ("float64", 1000)])
def test_a_softmax_that_overflows_leaves_the_bound(dtype, scale):
    problem = make_problem(1, n=40, h=20, dtype=dtype, scale=scale)
    finding = gradient(trainer(unstable_softmax), problem)
    assert finding.margin == np.inf
    assert " is nan; by the formulas it is " in finding.violation.message
    assert finding.violation.relative == 2
    tame = make_problem(1, n=40, h=20, dtype=dtype)
    assert gradient(trainer(unstable_softmax), tame).violation is None


# --- the end of the range -----------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
def test_nothing_is_judged_where_a_sound_step_may_overflow(dtype):
    huge = float(np.finfo(dtype).max) / 4
    problem = make_problem(dtype=dtype)
    x = problem.x.copy()
    x[0, 0] = huge
    w1, w2 = step_bounds(x, problem.y, problem.w1 * 100, problem.w2, problem.lr)
    assert np.isnan(w1.error).all()
    assert np.isnan(w2.error).all()


def test_a_large_learning_rate_spoils_no_more_than_it_must():
    problem = make_problem(dtype="float32", lr=1e38)
    w1, w2 = step_bounds(problem.x, problem.y, problem.w1, problem.w2, problem.lr)
    for bounded in (w1, w2):
        judged = abs(bounded.update) < float(np.finfo(np.float32).max) / 8.1
        assert (np.isfinite(bounded.error) == judged).all()
    assert gradient(trainer(numpy_step), problem).violation is None


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_not_finite_entry_is_a_violation_where_a_number_was_due(dtype):
    for value in (np.nan, np.inf, -np.inf):

        def step(x, y, w1, w2, lr, value=value):
            a, b = numpy_step(x, y, w1, w2, lr)
            b[-1, -1] = value
            return a, b

        problem = make_problem(dtype=dtype)
        for measure in (gradient, first_step, collapsed):
            violation = measure(trainer(step), problem).violation
            assert violation.array == "w2"
            assert violation.entry == (problem.hidden, 2)
