"""Matrices of influences, as pictures and in tables."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from symmetry.observe.influence import Influence
from symmetry.observe.terms import Terms
from symmetry.report.heat_map import heat_maps, shaded
from symmetry.report.timeline import lines
from symmetry.report.timeline_page import to_page
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


def test_the_page_shows_each_weight_and_its_scale():
    page = to_page(accumulated())
    titles = ["micro-batch 1: 3 of 3 terms, 1: 0.1667", "micro-batch 2: 1 of 2 terms, 1: 0.5"]
    assert all(f"<title>{title}</title>" in page for title in titles)
    assert "micro-batch 2: 1 of 2 terms, 3: nothing here" in page
    assert "terms of the loss, in their order" in page
    assert 'fill="#084594"' in page  # the largest
    assert "weights of loss terms" not in to_page(epochs(event(Backward), event(Updated)))


def test_the_influence_of_documents_is_drawn_by_the_same_picture():
    page = to_page(epochs(event(Backward), event(Updated), influences=(influence([[1.0, 0.0]]),)))
    assert "influence of tokens on documents" in page
    assert "<title>row 0, 1: 1</title>" in page
    assert "influence of tokens" not in to_page(accumulated())


def test_zero_is_white_and_the_largest_of_all_pictures_is_the_darkest():
    drawn, scale = heat_maps([influence([[0.0, 1.0]]), influence([[2.0, np.nan]])])
    colours = [[cell.colour for cell in each.cells] for each in drawn]
    assert colours[0][0] == "#ffffff"
    assert colours[1] == ["#084594", "#e2e2e2"]
    assert colours[0][1] not in colours[1]
    assert scale[0] == ("#ffffff", "0")
    assert scale[-1] == ("#084594", "2")


def test_characters_stand_for_cells_in_a_terminal():
    title, *rows, scale = shaded(influence([[2.0, 1.0, 1e-6, 1e-12], [0.0, np.nan, 0.2, 2.0]]))
    assert title == "Loss: terms"
    assert rows == ["  row 0  |@+. |", "  row 1  |  .@|"]
    assert scale == "  weight: blank is zero, @ is 2"


@given(st.integers(1, 500))
def test_a_picture_of_characters_fits_into_a_line(columns):
    _, row, _ = shaded(influence([np.arange(columns)]))
    assert len(row) <= len("  row 0  ||") + 72


@pytest.mark.parametrize("columns", [1, 160, 161, 1000])
def test_no_picture_is_wider_than_the_page(columns):
    ((drawn,), _) = heat_maps([influence([np.arange(columns)])])
    assert all(cell.x + cell.width < 1101 for cell in drawn.cells)
    assert len(drawn.cells) <= 160
    assert ("in each cell" in drawn.across) == (columns > 160)


@given(st.lists(st.floats(0, 1e3), min_size=1, max_size=40), st.integers(1, 40))
def test_columns_that_share_a_cell_are_its_mean(values, most):
    narrow = influence([values]).within(most)
    assert narrow.columns <= most
    groups = [values[n : n + narrow.together] for n in range(0, len(values), narrow.together)]
    assert np.allclose(narrow.values[0], [np.mean(group) for group in groups])
