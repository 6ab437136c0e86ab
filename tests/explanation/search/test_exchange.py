"""Where an exchange of two units shows in the arrays of two runs."""

from __future__ import annotations

import numpy as np

from symmetry.explanation.search.exchange import Exchange
from symmetry.explanation.search.inequality import apart
from symmetry.observe.source_line import SourceLines
from symmetry.observe.tape import Tape
from symmetry.steps.observe.numpy import observed, observing


def events(function, array):
    """Return what calls a function of an array, and something with each of its events."""

    def run(use):
        tape = Tape(use)
        with observing(tape, SourceLines()):
            function(observed(array.copy()))

    return run


def exchanged(function, equal, a=1, b=4):
    """Return what differs although units a and b, columns of an array, are equal."""
    different = np.random.default_rng(0).normal(size=(3, 6))
    order = np.arange(6)
    order[[a, b]] = b, a
    kept, exchange = [], Exchange(a, b, {})
    events(function, different)(lambda e: kept.append([array.copy() for array in e.arrays]))

    def see(event):
        for q, (s, t) in enumerate(zip(kept[event.number], event.arrays, strict=True)):
            exchange.see((event.number, q), event, s, t)

    events(function, different[:, order])(see)
    found = []
    events(function, equal)(lambda e: found.extend(exchange.compare(e.number, e)))
    return exchange, [*found, *exchange.unmatched(set())]


def test_a_fair_operation_holds_both_and_keeps_them_equal():
    exchange, found = exchanged(np.exp, np.ones((3, 6)))
    location = exchange.locations[0, 0]
    assert (location.kind, location.axis, location.i, location.j) == ("axis", 1, 1, 4)
    assert found == []


def test_an_unfair_one_is_found_with_its_difference():
    _, (found,) = exchanged(lambda x: x * np.arange(1.0, 7), np.ones((3, 6)))
    assert (found.kind, found.deviation) == ("differs", 3.0)
    assert found.jumps


def test_what_one_unit_goes_through_alone_has_no_match():
    _, (found,) = exchanged(lambda x: np.exp(x[:, 4]), np.ones((3, 6)))
    assert (found.kind, found.location.both) == ("alone", False)


def test_what_both_go_through_one_by_one_matches():
    _, found = exchanged(lambda x: [np.exp(x[:, unit]) for unit in range(6)], np.ones((3, 6)))
    assert found == []


def test_apart():
    assert apart(np.array([1.0, np.nan]), np.array([1.5, np.nan])) == 0.5
    assert apart(np.array([1.0]), np.array([np.inf])) == np.inf
