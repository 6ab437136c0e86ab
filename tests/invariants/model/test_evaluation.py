"""``model/evaluation``: what is said of dropout and statistics that act in evaluation mode."""

from __future__ import annotations

from pathlib import Path

import pytest

from symmetry.base.user_code import shorten
from symmetry.invariants.model.evaluation import evaluation
from symmetry.training.start import TrainingStart
from symmetry.training.target import FunctionTraining
from tests.faulty.trainings import evaluation as broken
from tests.sound.trainings import evaluation as sound


def measured(make):
    return evaluation(TrainingStart(FunctionTraining("training", make), "float64"))


@pytest.mark.parametrize(
    ("make", "source", "said"),
    [
        (
            broken.dropout_function_without_the_mode,
            "out: Tensor = self.out(F.dropout(torch.tanh(self.fc1(x)), 0.3))",
            "this call does not say training=self.training, and True is the default",
        ),
        (
            broken.dropout_made_in_the_forward,
            "hidden = nn.Dropout(0.3)(torch.tanh(self.fc1(x)))",
            "so eval() does not reach it: make it in __init__",
        ),
        (
            broken.attention_always_drops_out,
            "mixed = F.scaled_dot_product_attention(q, q, q, dropout_p=0.2)",
            "pass dropout_p=self.p if self.training else 0.0",
        ),
        (
            broken.statistics_written_in_evaluation,
            "hidden = F.batch_norm(self.fc1(x), self.mean, self.var, training=True)",
            "running statistics are written in evaluation mode",
        ),
    ],
)
def test_the_line_and_the_cure_are_named(make, source, said):
    violation = measured(make).violation
    lines = Path(broken.__file__).read_text().splitlines()
    assert violation.file == shorten(broken.__file__)
    assert lines[violation.line - 1].strip() == source
    assert said in violation.message


def test_dropout_of_a_call_that_names_the_mode_is_a_note():
    found = measured(sound.dropout_is_kept_for_monte_carlo)
    (note,) = found.notes
    assert found.counted
    assert note.text.startswith("dropout is active in evaluation mode, because the call says so")
    assert note.file == shorten(sound.__file__)


def test_a_model_that_is_left_in_evaluation_mode_is_a_note():
    (note,) = measured(sound.fine_tuned_in_evaluation_mode).notes
    assert note.text == (
        "it trains in evaluation mode: 2 layers with dropout or running statistics are off; call "
        "model.train() before training"
    )


def test_draws_are_a_note_at_their_line():
    (note,) = measured(sound.latent_is_sampled_in_evaluation).notes
    lines = Path(sound.__file__).read_text().splitlines()
    assert "randn_like" in lines[note.line - 1]
    assert note.text.startswith("Sampling gives other outputs each time in evaluation mode")
