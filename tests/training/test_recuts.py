"""Numbers of an evaluation that is a function of Python: each effect has an oracle."""

from __future__ import annotations

import math
from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from symmetry.training.recuts import Number, recuts

_LOSSES = [0.3 + math.sin(7.0 * k) ** 2 + 0.1 * k for k in range(40)]


def effects(evaluate, samples, size, place=0.0):
    """Return what the numbers of an evaluation do, and how often it was asked for."""
    asking, asked = recuts(samples, size), 0
    try:
        batches = next(asking)
        while True:
            asked += 1
            numbers = evaluate([[_LOSSES[k] for k in batch] for batch in batches])
            batches = asking.send({name: Number(x, place) for name, x in numbers.items()})
    except StopIteration as stop:
        return {each.name: each.effect for each in stop.value}, asked


def flat(batches):
    return [*chain.from_iterable(batches)]


def mean(values):
    return sum(values) / len(values)


EVALUATIONS = {
    "of samples": (lambda b: mean(flat(b)), "stays"),
    "of batches": (lambda b: mean([mean(x) for x in b]), "weights"),
    "by a whole batch": (lambda b: sum(map(sum, b)) / (8 * len(b)), "weights"),
    "of perplexities": (lambda b: mean([math.exp(mean(x)) for x in b]), "batches"),
    "all losses": (lambda b: sum(map(sum, b)), "sum"),
    "all means": (lambda b: sum(map(mean, b)), "sum"),
    "batches": (lambda b: float(len(b)), "sum"),
    "last batch": (lambda b: mean(b[-1]), "together"),
    "contrasts": (lambda b: mean([sum(abs(x - y) for x in c for y in c) for c in b]), "together"),
    "noise by place": (lambda b: mean([x * (k % 3) for k, x in enumerate(flat(b))]), "together"),
    "largest": (lambda b: max(flat(b)), "stays"),
}


@pytest.mark.parametrize("name", EVALUATIONS)
def test_each_number_does_what_its_formula_says(name):
    evaluate, effect = EVALUATIONS[name]
    assert effects(lambda b: {name: evaluate(b)}, 27, 8)[0] == {name: effect}


@given(st.integers(2, 4), st.integers(2, 5))
def test_a_mean_of_equal_batches_is_right_as_it_stands(whole, size):
    evaluate = EVALUATIONS["of batches"][0]
    found, asked = effects(lambda b: {"": evaluate(b)}, whole * size, size)
    assert found == {"": "stays"}
    assert asked == 2


@pytest.mark.parametrize(("samples", "size"), [(20, 1), (11, 8), (0, 8)])
def test_nothing_is_asked_of_single_samples_or_batches(samples, size):
    assert effects(lambda _: {"": 1.0}, samples, size) == ({}, 0)


def test_a_number_that_is_another_one_each_time_is_not_accused():
    clock = iter(range(100))
    found, _ = effects(lambda b: {"": mean([mean(x) for x in b]) + 0.01 * next(clock)}, 27, 8)
    assert found == {"": "together"}


def test_printed_digits_round():
    assert Number(0.83, 0.01).same(Number(0.84, 0.01))
    assert not Number(0.83, 0.01).moved(Number(0.85, 0.01))
    assert Number(0.83, 0.01).moved(Number(0.87, 0.01))
