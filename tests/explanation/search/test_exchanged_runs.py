"""The worked example of the search: its table, its inequality and its guilty line."""

from __future__ import annotations

import re

import numpy as np
import pytest

from symmetry.explanation.operation.captured import capture
from symmetry.explanation.operation.description import Description
from symmetry.explanation.search import exchanged_runs
from symmetry.explanation.search.exchanged_runs import Exchange, ExchangedRuns
from symmetry.explanation.search.inequality import apart
from symmetry.explanation.search.odd_unit import odd_inequalities
from symmetry.explanation.search.runs import usual_and_odd, watch
from symmetry.explanation.starts import nudged
from symmetry.observe.source_line import SourceLines
from symmetry.observe.tape import Tape
from symmetry.steps.explain import TapedStep
from symmetry.steps.observe.numpy import observed, observing
from symmetry.steps.start import StepStart
from symmetry.targets.resolve import as_step_target


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


ROW = re.compile(
    r"^    (\w+) +([\d ]+?)  +([\d ]+?)  +([\d ]+?)  +(at places 0 and 2|nowhere)$", re.MULTILINE
)
TABLE = {name: columns for name, *columns in ROW.findall(exchanged_runs.__doc__)}


def step(x, y, w1, w2, lr):
    hidden = x @ w1[1:]
    error = hidden @ w2[1:] - y
    back = error @ w2[1:].T
    scaled = back * np.array([1.0, 1.0, 2.0])
    w1[1:] = w1[1:] - lr * (x.T @ scaled)
    return w1, w2


def weights(w1: str, w2: str) -> dict[str, np.ndarray]:
    """Return the state with these entries, below a row for the bias."""
    rows = np.array([w1.split(), w2.split()], float)
    zeros = np.zeros(3)
    return {"w1": np.vstack([zeros, rows[0]]), "w2": np.hstack([0, rows[1]])[:, None]}


def starts() -> list[dict[str, np.ndarray]]:
    return [weights(*pair) for pair in zip(TABLE["w1"][:3], TABLE["w2"][:3], strict=True)]


@pytest.fixture
def runs() -> ExchangedRuns:
    equal, different, exchanged = starts()
    start = StepStart(np.ones((1, 1)), np.zeros((1, 1)), equal["w1"], equal["w2"], 1.0, 1, 0)
    watched = TapedStep(as_step_target(step, "step"), start)
    run = watch(watched, watched.groups[0], 1)
    a, c, (b,) = usual_and_odd(run.groups)
    assert (a, c, b) == (0, 1, 2)
    runs = ExchangedRuns(run, a, b, c, seed=0)
    runs.different, runs.swapped, runs.nudged = different, exchanged, nudged(different, 0)
    swapped = run.units.swapped(different, a, b)
    assert all(np.array_equal(exchanged[name], array) for name, array in swapped.items())
    runs.compare()
    return runs


def arrays(runs: ExchangedRuns, start: dict[str, np.ndarray]) -> dict[str, list[float]]:
    """Return the array that each line of a run assigns."""
    found: dict[str, list[float]] = {}

    def keep(event):
        name = event.call.place.source.partition(" = ")[0]
        found[name] = event.arrays[0].ravel().tolist()

    runs.run.start.last(start, 1, Tape(keep))
    return found


def test_the_three_runs_hold_the_numbers_of_the_table(runs):
    lines = [name for name in TABLE if name not in ("w1", "w2")]
    assert lines == ["hidden", "error", "back", "scaled"]
    for column, start in enumerate(starts()):
        found = arrays(runs, start)
        for name in lines:
            assert found[name] == [float(n) for n in TABLE[name][column].split()], (name, column)


def test_the_units_are_where_the_table_has_them(runs):
    lines = [seen.call.place.source.partition(" = ")[0] for seen in runs.seen]
    for name in ("hidden", "error", "back", "scaled"):
        last = len(lines) - 1 - lines[::-1].index(name)
        location = runs.exchange.locations[last, 0]
        if TABLE[name][3] == "nowhere":
            assert location is None
        else:
            assert (location.kind, location.i, location.j) == ("axis", 0, 2)
            assert location.fits == (name != "scaled")


def test_the_first_inequality_is_a_jump_in_the_guilty_line(runs):
    found, split = odd_inequalities(runs)
    assert split
    first = found[0]
    assert first.jumps
    assert (first.kind, first.deviation, first.location.i, first.location.j) == ("differs", 3, 0, 2)
    culprit = Description(capture(runs, first)).culprit()
    assert culprit.source == "scaled = back * np.array([1.0, 1.0, 2.0])"
    assert "together with operand 2, which differ" in culprit.cause


def test_the_control_holds_the_same_bits_for_the_usual_units(runs):
    runs.unequal([])  # compares the arrays of the run with equal units
    scaled = next(n for n, seen in enumerate(runs.seen) if seen.call.name == "multiply")
    usual = runs.control.locations[scaled, 0]
    assert (usual.i, usual.j, usual.fits) == (0, 1, True)
    assert not list(runs.control.unmatched(set()))
