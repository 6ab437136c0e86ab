"""What is said of packed documents, and of padding."""

from __future__ import annotations

from pathlib import Path

import pytest

from symmetry.invariants.loss import documents as labels
from symmetry.invariants.model import documents
from symmetry.invariants.training import padding
from symmetry.training.start import TrainingStart
from symmetry.training.target import FunctionTraining
from tests.sound.trainings.packing import packed, padded


def measured(module, make):
    return module.INVARIANT.measured(TrainingStart(FunctionTraining("training", make), "float64"))


def test_a_leak_is_accused_at_the_operation_that_leaks():
    violation = measured(documents, lambda: packed(leaks=True)).violation
    assert "the tokens of one document act on the outputs of another one" in violation.message
    assert "position_ids says where documents begin" in violation.message
    line = Path(violation.file).read_text().splitlines()[violation.line - 1]
    assert "scaled_dot_product_attention" in line


def test_rows_may_be_joined_to_one():
    assert measured(documents, lambda: packed(leaks=True, joins=True)).violation is not None
    found = measured(documents, lambda: packed(joins=True))
    assert (found.violation, found.counted) == (None, True)


def test_documents_that_are_context_are_not_judged():
    found = measured(documents, lambda: packed(leaks=True, context=True))
    assert found.violation is None
    assert "may be the context of the others" in found.note


def test_labels_of_the_next_document_are_accused():
    violation = measured(labels, lambda: packed(crosses=True)).violation
    assert violation.message.startswith("8 of 8 last tokens of documents are trained to predict")
    assert measured(labels, packed).violation is None


def test_positions_that_count_padding_are_accused():
    violation = measured(padding, lambda: padded(wrong=True)).violation
    assert "Reader gives a row without its padding on the left other outputs" in violation.message
    assert "attention_mask says what is padding" in violation.message


def test_positions_that_count_what_an_embedding_calls_padding_are_noted():
    found = measured(padding, lambda: padded(wrong=True, inside=True))
    assert found.violation is None
    (note,) = found.notes
    assert note.name == "training/padding"
    assert "(padding_idx says what is padding)" in note.text
    assert "A text depends on the longest one in its batch" in note.text
    assert measured(padding, lambda: padded(inside=True)).notes == ()


@pytest.mark.parametrize("module", [documents, labels, padding])
def test_it_does_not_apply_to_other_batches(module):
    from tests.sound.trainings.settings import checkpointed

    assert not measured(module, checkpointed).applies
