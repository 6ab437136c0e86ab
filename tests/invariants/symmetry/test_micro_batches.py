"""Samples that change their micro-batch: a sound update stays, a mean of means does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from symmetry.invariants.symmetry.micro_batches import micro_batches
from tests.conftest import slow
from tests.faulty.trainings import scripts as faulty
from tests.invariants.loss.judging import kind, measured
from tests.sound.trainings import scripts as sound

NEARLY = sound.FOLDER / "nearly"


def judged(file):
    return measured(micro_batches, sound.script(file))


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("mean_of_each_micro_batch", "loss = nn.functional.cross_entropy("),
        pytest.param(
            "mean_by_hand_of_each_micro_batch",
            "each = nn.functional.cross_entropy(",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_a_mean_of_means_is_violated_at_its_loss(name, line):
    found = judged(faulty.FOLDER / f"{name}.py")
    assert kind(found) == "violated"
    assert "each of the 3 micro-batches" in found.violation.message
    source = Path(found.violation.file).read_text().splitlines()
    assert source[found.violation.line - 1].strip().startswith(line)


def test_one_divisor_for_all_micro_batches_holds():
    assert kind(judged(NEARLY / "mean_of_all_micro_batches.py")) == "holds"


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("normalised_micro_batches", "without samples of different lengths"),
        slow("advantages_in_micro_batches", "samples of equal size have no effect"),
    ],
)
def test_samples_that_are_taken_together_cannot_be_judged(name, why):
    found = judged(NEARLY / f"{name}.py")
    assert kind(found) == "cannot judge"
    assert why in found.note


def test_one_batch_for_each_update_is_not_judged():
    found = judged(NEARLY / "rate_warmed_up.py")
    assert kind(found) == "not applicable"
