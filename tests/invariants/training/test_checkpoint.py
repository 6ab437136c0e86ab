"""What a backward computes again, and what is said of it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from symmetry.invariants.training.checkpoint import INVARIANT
from symmetry.training.start import TrainingStart
from symmetry.training.target import FunctionTraining
from tests.faulty.trainings.settings import dropped_out_again, kept_without_its_random_state
from tests.sound.trainings.settings import checkpointed, checkpointed_by_hand
from tests.sound.trainings.steps import plain


def measured(make):
    return INVARIANT.measured(TrainingStart(FunctionTraining("training", make), "float32"))


@pytest.mark.parametrize(
    ("make", "name", "text"),
    [
        (dropped_out_again, "settings.py", "again(lambda z"),
        (kept_without_its_random_state, "settings.py", "out = ctx.module(x)"),
    ],
)
def test_other_random_numbers_are_accused_where_they_are_drawn(make, name, text):
    violation = measured(make).violation
    assert (
        "is computed again in the backward, and from the same inputs it returns"
        in violation.message
    )
    assert "preserve_rng_state=False" in violation.message
    assert violation.file.endswith(name)
    assert text in Path(violation.file).read_text().splitlines()[violation.line - 1]


@pytest.mark.parametrize("reentrant", [True, False])
def test_the_same_random_numbers_are_sound(reentrant):
    found = measured(lambda: checkpointed(reentrant=reentrant))
    assert (found.violation, found.counted, found.notes) == (None, True, ())


def test_a_checkpoint_by_hand_counts():
    found = measured(checkpointed_by_hand)
    assert (found.violation, found.counted) == (None, True)


def test_statistics_that_are_updated_twice_are_a_note():
    (note,) = measured(lambda: checkpointed(norm=nn.BatchNorm1d)).notes
    assert note.name == "training/statistics"
    assert "running_" in note.text
    assert "once more where the backward computes it again" in note.text


def test_it_does_not_apply_without_a_checkpoint():
    def training():
        model = nn.Linear(3, 2)
        return plain(model, torch.optim.SGD(model.parameters(), 0.1), lambda _: model(ONES).sum())

    assert not measured(training).applies


ONES = torch.ones(4, 3)


def test_random_numbers_that_change_nothing_are_sound():
    def training():
        model = nn.Linear(3, 2)

        def drawing(x):
            torch.rand(2)
            return model(x)

        def loss(_):
            x = ONES.clone().requires_grad_()
            made = checkpoint(drawing, x, use_reentrant=False, preserve_rng_state=False)
            return made.square().sum() + torch.rand(1).sum()

        return plain(model, torch.optim.SGD(model.parameters(), 0.1), loss)

    assert measured(training).violation is None


class Counting(nn.Module):
    """Returns more with each call."""

    def __init__(self):
        super().__init__()
        self.inner, self.calls = nn.Linear(3, 2), 0

    def forward(self, x):
        self.calls += 1
        return self.inner(x) * self.calls


def test_other_results_for_another_reason_are_accused_too():
    def training():
        model = Counting()

        def loss(_):
            return checkpoint(model, ONES.clone(), use_reentrant=False).square().sum()

        return plain(model, torch.optim.SGD(model.parameters(), 0.1), loss)

    assert "Counting is computed again in the backward" in measured(training).violation.message
