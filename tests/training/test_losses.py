"""Facts about the arguments of losses."""

from __future__ import annotations

import numpy as np

from symmetry.training.losses import Argument

ROWS = np.array([[0.2, 0.5, 0.3], [0.6, 0.3, 0.1]])


def test_probabilities_and_their_logarithms_are_told_by_their_axis():
    assert Argument.of(ROWS).probabilities == {1}
    assert Argument.of(ROWS.T).probabilities == {0}
    assert Argument.of(np.log(ROWS)).log_probabilities == {1}
    assert Argument.of(np.log(ROWS)).probabilities == frozenset()
    assert Argument.of(ROWS + 1e-4).probabilities == frozenset()
    assert Argument.of(np.array([[1.2, -0.2]])).probabilities == frozenset()


def test_one_entry_that_is_one_is_no_distribution():
    assert Argument.of(np.ones((4, 1))).probabilities == frozenset()


def test_labels_are_kept_and_outputs_are_not():
    labels = Argument.of(np.array([0, 2, 1]))
    assert labels.labels.tolist() == [0, 2, 1]
    assert (labels.least, labels.most, labels.whole, labels.floating) == (0, 2, True, False)
    assert labels.probabilities == frozenset()
    outputs = Argument.of(ROWS, trained=True, makers=["softmax"])
    assert outputs.labels is None
    assert (outputs.trained, outputs.whole, outputs.makers) == (True, False, ("softmax",))
    assert Argument.of(np.array([0.0, 3.0])).whole


def test_nothing_at_all_has_no_distribution():
    empty = Argument.of(np.zeros((0, 3)))
    assert (empty.least, empty.most) == (0, 0)
