"""A batch of tokens as a loss counts it, and its lines."""

from __future__ import annotations

import numpy as np
import pytest

from symmetry.observe.source_line import SourceLine
from symmetry.report.token_table import token_lines
from symmetry.training.losses import Argument, LossCall, Observed, Padded, Tokens
from symmetry.training.token_batch import token_batches

TEXT = np.array([[5, 6, 7, 8, 9], [5, 7, 9, 0, 0]])
PLACE = SourceLine("train.py", 3)


def observed(labels, options=None, text=TEXT, padding=None):
    scores = Argument.of(np.zeros((labels.size, 10)), trained=True)
    target = Argument.of(labels.ravel())
    arguments = {"input": scores, "target": target}
    loss = LossCall(0, 0, "cross_entropy", arguments, options or {}, PLACE)
    found = Observed(losses=[loss], tokens=[Tokens(0, 0, text)])
    if padding is not None:
        found.padded.append(Padded(0, text, padding, "mask"))
    return found


def test_labels_that_are_ignored_have_no_weight():
    labels = np.array([[6, 7, 8, 9, -100], [7, 9, -100, -100, -100]])
    (batch,) = token_batches(observed(labels, padding=TEXT == 0))
    assert (batch.places, batch.counts.sum()) == (1, 6)
    assert batch.weight == pytest.approx(1 / 6)
    text = "\n".join(token_lines([batch]))
    assert "6 of 10 labels count; each label is the token 1 place later" in text
    assert "2 tokens of padding, 0 of them with a label that counts" in text
    assert [*token_lines([batch])][7].split() == ["0", "5", "6", "0.1667"]


@pytest.mark.parametrize(
    ("labels", "places"),
    [(TEXT, 0), (TEXT[:, 1:], 1), (np.full(TEXT.shape, 3), None), (TEXT[:, 2:], 2)],
)
def test_the_places_of_the_labels_are_found(labels, places):
    (batch,) = token_batches(observed(labels))
    assert batch.places == places


def test_a_sum_and_weights_of_classes_are_told_apart():
    (batch,) = token_batches(observed(TEXT, {"reduction": "sum"}))
    assert batch.weight == 1
    assert "which the script may divide" in "\n".join(token_lines([batch]))
    (batch,) = token_batches(observed(TEXT, {"reduction": "none"}))
    assert batch.weight is None
    assert "the weights are not the same" in "\n".join(token_lines([batch]))


def test_labels_of_other_shapes_are_of_no_tokens():
    assert [*token_batches(observed(np.array([1, 2])))] == []
    assert [*token_lines([])] == [
        "no loss of the first step has labels for the tokens of a model call"
    ]


def test_long_rows_are_cut():
    text = np.arange(80).reshape(2, 40) % 10
    lines = [*token_lines([*token_batches(observed(text, text=text))])]
    assert lines.count("  ... 8 more") == 2
