"""As maintainers of transformers would test ``Trainer``: accumulation, resuming, smoothing."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import symmetry
from symmetry import check_loss, check_training
from tests.conftest import needs
from tests.studies.suites import tiny

pytestmark = [needs("transformers"), pytest.mark.filterwarnings("ignore")]
CHECKOUT = Path(__file__).parents[3]

ACCUMULATION = ["loss/weights", "loss/next-token", "training/padding", "symmetry/samples"]
RESUMING = ["training/resume", "symmetry/repeatable", "loop/gradients", "loop/batches"]


def make(folder, **more):
    from transformers import Trainer, TrainingArguments

    arguments = tiny.arguments(TrainingArguments, folder, **more)
    return Trainer(model=tiny.model(), args=arguments, train_dataset=tiny.rows())


@check_training(only=[*ACCUMULATION, *RESUMING], budget=6)
def test_trainer(tmp_path):
    return make(tmp_path, save_steps=2, lr_scheduler_type="linear")


@check_training(only="loss/weights", budget=6)
def test_label_smoothing(tmp_path):
    return make(tmp_path, label_smoothing_factor=0.1)


@check_training(only="loss/weights", expected_failures={"loss/weights": "34191"})
def test_means_of_micro_batches_are_caught(tmp_path):
    """Each micro-batch is a mean over its own tokens, as before pull request 34191."""
    trainer = make(tmp_path)
    trainer._get_num_items_in_batch = lambda *_: None
    trainer.model_accepts_loss_kwargs = False
    return trainer


@check_training(only="loss/weights", expected_failures={"loss/weights": "35438"})
def test_a_number_of_items_that_is_lost_is_caught(tmp_path):
    """The loss is taken to be divided by all items, which do not arrive, as before 35438."""
    trainer = make(tmp_path)
    trainer._get_num_items_in_batch = lambda *_: None
    trainer.loss_is_scaled_for_ga = True
    return trainer


@check_training(only="loss/weights", expected_failures={"loss/weights": "46731"})
def test_label_smoothing_without_the_number_of_items_is_caught(tmp_path):
    """Smoothed labels ignore the number of items, as before issue 46731."""
    trainer = make(tmp_path, label_smoothing_factor=0.1)
    smoother = trainer.label_smoother
    trainer.label_smoother = lambda *args, num_items_in_batch, **more: smoother(*args, **more)
    return trainer


RESUMED = """
import sys
from transformers import Trainer, TrainingArguments
from tests.studies.suites import tiny

arguments = tiny.arguments(TrainingArguments, "out", max_steps=10, save_steps=3)
trainer = Trainer(model=tiny.model(), args=arguments, train_dataset=tiny.rows(16))
{change}
trainer.train(resume_from_checkpoint="--resume" in sys.argv)
"""


@pytest.mark.parametrize(
    ("change", "broken"),
    [
        ("", set()),
        ("trainer._load_optimizer_and_scheduler = lambda *_: None", {"resume/state"}),
    ],
)
def test_resume_from_checkpoint(tmp_path, monkeypatch, change, broken):
    monkeypatch.setenv("PYTHONPATH", str(CHECKOUT))  # a script has no other way to it
    file = tmp_path / "train.py"
    file.write_text(RESUMED.format(change=change))
    target = symmetry.script(str(file), resume_with=["--resume"])
    verdicts = symmetry.check(target, only="resume/*").verdicts
    assert {each.invariant for each in verdicts if each.kind == "violated"} == broken
    assert all(each.counted for each in verdicts)


def smoothed(logits, labels, items=None):
    from transformers.trainer_pt_utils import LabelSmoother

    return LabelSmoother()({"logits": logits}, labels, shift_labels=True, num_items_in_batch=items)


def smoothed_in_parts(parts, whole):
    items = whole["labels"][:, 1:].ne(-100).sum()
    return sum(smoothed(**part, items=items) for part in parts)


def test_the_loss_of_label_smoothing():
    labels = torch.tensor([row["labels"] for row in tiny.rows(4)])
    batch = {"logits": torch.randn(4, 12, 32), "labels": labels}
    check_loss(smoothed, batch, split=smoothed_in_parts)
    with pytest.raises(AssertionError, match="micro-batches give another loss than their batch"):
        check_loss(smoothed, batch, split=lambda parts, _: sum(smoothed(**p) for p in parts))
