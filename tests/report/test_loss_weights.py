"""The weights of loss terms, as a table."""

from __future__ import annotations

import numpy as np

from symmetry.observe.terms import Terms
from symmetry.report.timeline import lines
from symmetry.training.events import Backward, Updated
from tests.invariants.loop.made import at, epochs, event


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
