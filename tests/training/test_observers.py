"""Observers of one run: its steps are taken once, and an error comes to each of them."""

from __future__ import annotations

import pytest

from symmetry.base.errors import TrainingError
from symmetry.training.observers import observed


class Run:
    """A run that raises in a step."""

    def __init__(self, ends):
        self.taken, self._ends = 0, ends

    def step(self):
        if self.taken == self._ends:
            raise TrainingError("it ends")
        self.taken += 1


def numbers(run, steps):
    found = []
    for _ in range(steps):
        yield
        found.append(run.taken)
    return found


def until_it_ends(run):
    try:
        while True:
            yield
    except TrainingError:
        return run.taken


def test_steps_are_taken_once_and_as_long_as_one_observer_waits():
    run = Run(ends=9)
    assert observed(run, numbers(run, 2), numbers(run, 0), numbers(run, 4)) == [
        [1, 2],
        [],
        [1, 2, 3, 4],
    ]
    assert run.taken == 4


def test_an_error_comes_to_each_observer():
    run = Run(ends=3)
    assert observed(run, until_it_ends(run), numbers(run, 2)) == [3, [1, 2]]
    with pytest.raises(TrainingError, match="it ends"):
        observed(run, until_it_ends(run), numbers(run, 4))
