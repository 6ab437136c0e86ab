"""``model/samples``: what is said of models in which samples depend on each other."""

from __future__ import annotations

from pathlib import Path

import pytest

from symmetry.base.user_code import shorten
from symmetry.invariants.model.samples import samples
from symmetry.training.start import TrainingStart
from symmetry.training.target import FunctionTraining
from tests.faulty.trainings import samples as broken
from tests.sound.trainings import samples as sound
from tests.sound.trainings.steps import mlp_sgd

BEGINS = "in evaluation mode the outputs of a sample depend on the others: "


def measured(make):
    return samples(TrainingStart(FunctionTraining("training", make), "float64"))


@pytest.mark.parametrize(
    ("make", "source", "said"),
    [
        (
            broken.recurrence_over_the_samples,
            "hidden, _ = self.rnn(x)",
            (
                "LSTM takes axis 1 of its input (6, 5, 8) for the samples, which lie in axis 0; "
                "make it with batch_first=True"
            ),
        ),
        (
            broken.token_of_a_class_over_the_samples,
            "out: Tensor = self.out(self.layer(x)[:, 0])",
            (
                "TransformerEncoderLayer takes axis 1 of its input (6, 6, 8) for the samples, "
                "which lie in axis 0; make it with batch_first=True"
            ),
        ),
        (
            broken.softmax_over_the_samples,
            "gates = torch.softmax(self.gate(x), dim=0)",
            (
                "this softmax runs over axis 0 of (6, 3), the axis of the samples; give it "
                "the axis of the classes, the last one"
            ),
        ),
        (
            broken.view_of_two_samples_in_a_row,
            "hidden = torch.relu(self.into(x.mean(1).view(-1, 16)))",
            (
                "to view it as (3, 16) puts entries of different samples into one row; keep the "
                "axis of the samples, and permute axes that have to change places"
            ),
        ),
    ],
)
def test_the_line_and_the_cure_are_named(make, source, said):
    violation = measured(make).violation
    lines = Path(broken.__file__).read_text().splitlines()
    assert violation.message == BEGINS + said
    assert violation.file == shorten(broken.__file__)
    assert lines[violation.line - 1].strip() == source


def test_what_may_be_meant_is_a_note():
    (note,) = measured(sound.rows_of_a_table_attend_to_each_other).notes
    assert note.text.startswith(f"{BEGINS}first by MultiheadAttention; ")
    assert note.file == shorten(sound.__file__)


def test_a_call_does_not_act_on_the_next_one():
    found = measured(sound.compared_with_a_queue_of_earlier_codes)
    assert (found.counted, found.violation, found.notes) == (True, None, ())


def test_outputs_that_depend_on_no_sample_accuse_nothing_by_themselves():
    found = measured(sound.token_of_a_class_before_a_head_of_zeros)
    assert (found.violation, found.notes) == (None, ())
    assert found.note == "cannot judge: no operation was found that takes its samples together"


def test_without_a_batch_there_is_nothing_to_judge():
    found = measured(mlp_sgd)
    assert not found.applies
    assert found.note == "its batch is not known, or has no axis of at least two samples"
