"""Matrices of influences, as pictures and in tables."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from symmetry.observe.influence import Influence
from symmetry.observe.terms import Terms
from symmetry.report.heat_map import shaded
from symmetry.report.timeline import lines
from symmetry.training.events import Backward, Updated
from tests.invariants.loop.made import at, epochs, event


def influence(values):
    array = np.array(values, dtype=float)
    names = tuple(f"row {n}" for n in range(len(array)))
    return Influence("Loss", names, "terms", array, "weight")


def accumulated():
    """Return a run with one update of two micro-batches, of which the second has fewer terms."""
    weights = np.array([1 / 6] * 3), np.array([1 / 2, 0.0])
    terms = [Terms(operation="LogSoftmax", at=at(3), weights=(each,)) for each in weights]
    backwards = [event(Backward, 6, number=n, terms=(each,)) for n, each in enumerate(terms)]
    return epochs(*backwards, event(Updated, 9, update=1, backwards=(0, 1)))


def test_a_table_has_a_row_for_each_micro_batch():
    text = "\n".join(lines(accumulated()))
    table = text.partition("weights of loss terms in update 1 (train.py:9)\n")[2].splitlines()[:3]
    assert [" ".join(line.split()) for line in table] == [
        "LogSoftmax (train.py:3) micro-batch 1 3 of 3 terms each 0.1667 together 0.5",
        "micro-batch 2 1 of 2 terms each 0.5 together 0.5",
        "all 2 micro-batches together 1",
    ]


def test_characters_stand_for_cells_in_a_terminal():
    title, *rows, scale = shaded(influence([[2.0, 1.0, 1e-6, 1e-12], [0.0, np.nan, 0.2, 2.0]]))
    assert title == "Loss: terms"
    assert rows == ["  row 0  |@+. |", "  row 1  |  .@|"]
    assert scale == "  weight: blank is zero, @ is 2"


@given(st.integers(1, 500))
def test_a_picture_of_characters_fits_into_a_line(columns):
    _, row, _ = shaded(influence([np.arange(columns)]))
    assert len(row) <= len("  row 0  ||") + 72


@given(st.lists(st.floats(0, 1e3), min_size=1, max_size=40), st.integers(1, 40))
def test_columns_that_share_a_cell_are_its_mean(values, most):
    narrow = influence([values]).within(most)
    assert narrow.columns <= most
    groups = [values[n : n + narrow.together] for n in range(0, len(values), narrow.together)]
    assert np.allclose(narrow.values[0], [np.mean(group) for group in groups])
