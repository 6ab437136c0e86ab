"""Samples that a sound step composes by their places, with the words for it."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from symmetry.invariants.composed import replaced
from symmetry.invariants.symmetry.samples import samples
from symmetry.training.start import TrainingStart
from symmetry.training.target import FunctionTraining
from tests.conftest import needs
from tests.sound.trainings import composed
from tests.sound.trainings.composed import images


def said(make, dtype="float64"):
    """Return what is said of a training that is not accused."""
    found = samples(TrainingStart(FunctionTraining("training", make), dtype))
    assert found.violation is None
    assert not found.counted
    return found.note


def line_of(text):
    """Return ``file:line`` of the only line of the zoo's module that has a text."""
    with open(composed.__file__) as file:  # noqa: PTH123
        (number,) = [k for k, line in enumerate(file, 1) if text in line]
    return f"tests/sound/trainings/composed.py:{number}"


def test_one_sample_is_replaced_by_the_next():
    assert replaced(3, 0).tolist() == [1, 1, 2]
    assert replaced(3, 2).tolist() == [0, 1, 0]


@pytest.mark.parametrize(
    ("make", "operation", "text"),
    [
        (
            composed.mixed_with_the_flipped_batch,
            "flip at",
            "out = model(0.7 * x + 0.3 * x.flip(0))",
        ),
        (composed.cut_out_of_the_last_but_one, "roll at", "x[:, :, 1:3, :2] = x.roll(2, 0)"),
        # Its samples are taken apart and stacked again: no operation mixes them.
        (composed.rolled_by_their_places, "before", "model(rolled)"),
    ],
)
def test_the_line_that_composes_is_named(make, operation, text):
    assert said(make) == (
        "cannot judge: the step composes its samples by their places in the batch "
        f"({operation} {line_of(text)})"
    )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_product_with_a_constant_in_the_model_is_named(dtype):
    assert said(composed.graph_in_a_closure, dtype) == (
        "cannot judge: the model takes samples by their places, first by mm "
        f"({line_of('near @ self.fc1(x)')})"
    )


@needs("timm")
def test_mixup_and_cutmix_of_timm():
    from timm.data import Mixup
    from timm.loss import SoftTargetCrossEntropy

    def make():
        mixup = Mixup(mixup_alpha=0.8, cutmix_alpha=1.0, mode="batch", num_classes=4)
        criterion = SoftTargetCrossEntropy()

        def loss(model, x, y):
            x, soft = mixup(x.clone(), y)
            return criterion(model(x), soft)

        return images(loss)

    assert said(make).startswith("cannot judge: the step draws numbers for each sample")


@needs("timm")
@pytest.mark.parametrize("kind", ["CutMix", "MixUp"])
def test_mixup_and_cutmix_of_torchvision(kind):
    from torchvision.transforms import v2

    def make():
        mix = getattr(v2, kind)(num_classes=4)

        def loss(model, x, y):
            x, soft = mix(x, y)
            return F.cross_entropy(model(x), soft)

        return images(loss)

    assert said(make).startswith("cannot judge: the step composes its samples by their places")


def test_a_model_that_cannot_take_a_sample_twice_is_accused_as_before():
    class Sorted(nn.Module):
        def __init__(self):
            super().__init__()
            self.out = nn.Linear(6, 4)

        def forward(self, x):
            if len(torch.unique(x, dim=0)) < len(x):
                raise ValueError("a sample comes twice")
            return self.out(x[:-1])

    make = composed.composed
    found = samples(
        TrainingStart(
            FunctionTraining(
                "training",
                lambda: make(lambda m, x, y: F.cross_entropy(m(x), y[:-1]), model=Sorted()),
            ),
            "float64",
        )
    )
    assert found.violation is not None
