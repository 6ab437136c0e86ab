"""Samples that are rearranged: what draws or takes them together is not accused, a bug is."""

from __future__ import annotations

import pytest

from symmetry.trainings.training import TrainingTarget
from tests.checking import check_target
from tests.conftest import needs

pytestmark = needs("torch")


def judged(loss, *, normalised=False):
    """The verdict in float32 on a training whose loss is ``loss(model, x, y)``."""
    import torch
    from torch import nn

    def make():
        norm = nn.BatchNorm1d(9) if normalised else nn.Identity()
        model = nn.Sequential(nn.Linear(5, 9), norm, nn.Tanh(), nn.Linear(9, 3))
        optimizer = torch.optim.SGD(model.parameters(), 0.1)

        def step(batch):
            optimizer.zero_grad()
            loss(model, *batch)
            optimizer.step()

        def batch(i):
            x = torch.arange(60.0 + i)[i:].mul(0.7).sin().reshape(12, 5)
            return x, (x.sum(1) * 9).long() % 3

        return model, step, {"batch": batch}

    only = ["symmetry/repeatable", "symmetry/samples"]
    found = check_target(TrainingTarget("mine", make), only=only, dtype="float32")
    return next(v for v in found.verdicts if v.invariant == "symmetry/samples")


def entropy(out, y):
    import torch

    return torch.nn.functional.cross_entropy(out, y)


def noise(model, x, y):
    import torch

    entropy(model(x + torch.randn(x.shape)), y).backward()


def noise_of_numpy(model, x, y):
    import numpy as np
    import torch

    entropy(model(x + torch.from_numpy(np.random.normal(size=x.shape)).float()), y).backward()


def subset(model, x, y):
    import torch

    some = torch.randperm(len(x))[:5]
    entropy(model(x[some]), y[some]).backward()


def micro_batches(model, x, y):
    for a, b in zip(x.split(6), y.split(6), strict=True):
        (entropy(model(a), b) / 2).backward()


def last_left_out(model, x, y):
    entropy(model(x[:-1]), y[:-1]).backward()


def last_left_out_beside_noise(model, x, y):
    import torch

    entropy(model((x + torch.randn_like(x))[:-1]), y[:-1]).backward()


def one_draw_for_all(model, x, y):
    import torch

    entropy(model((x * (1 + torch.rand(())))[:-1]), y[:-1]).backward()


@pytest.mark.parametrize("loss", [noise, noise_of_numpy, subset], ids=lambda loss: loss.__name__)
def test_what_is_drawn_for_each_sample_cannot_be_judged(loss):
    verdict = judged(loss)
    where = "by NumPy or Python" if loss is noise_of_numpy else "test_batches.py:"
    assert verdict.kind == "vacuous"
    text = f"cannot judge: the step draws numbers for each sample ({where}"
    assert verdict.message.startswith(text)


def test_micro_batches_that_are_normalised_cannot_be_judged():
    verdict = judged(micro_batches, normalised=True)
    assert verdict.kind == "vacuous"
    why = "the step takes samples together, 6 at a time (normalised? pairs?)"
    assert verdict.message == f"cannot judge: {why}"
    assert judged(micro_batches).kind == "holds"


@pytest.mark.parametrize("normalised", [False, True])
@pytest.mark.parametrize(
    "loss",
    [last_left_out, last_left_out_beside_noise, one_draw_for_all],
    ids=lambda loss: loss.__name__,
)
def test_a_sample_that_is_left_out_is_violated(loss, normalised):
    verdict = judged(loss, normalised=normalised)
    assert verdict.kind == "violated"
    assert verdict.message.startswith("after step 1 of a run from rearranged samples, model.")
    assert "unit" not in verdict.message


def padded(*, masked=True, left=False, by_token=False, labels=None):
    """The verdict on ``training/padding`` of a model that is asked to pool what its mask leaves."""
    import torch
    from torch import nn

    def make():
        model = nn.Sequential(nn.Embedding(9, 4), nn.Tanh(), nn.Linear(4, 3))
        optimizer = torch.optim.SGD(model.parameters(), 0.1)

        def step(batch):
            optimizer.zero_grad()
            ids, mask = batch["input_ids"], batch["attention_mask"].float()
            if by_token:
                mask = (ids != 0).float()
            if not masked:
                mask = torch.ones_like(mask)
            out = (model(ids) * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
            entropy(out, batch["target"]).backward()
            optimizer.step()

        def batch(i):
            lengths = torch.tensor([5, 3, 4, 2])
            mask = (torch.arange(5) < lengths[:, None]).long()
            mask = mask.flip(1) if left else mask
            ids = (torch.arange(20 + i)[i:].reshape(4, 5) % 8 + 1) * mask
            given = {"input_ids": ids, "attention_mask": mask, "target": lengths % 3}
            return given if labels is None else {**given, "labels": torch.full((4, 5), labels)}

        return model, step, {"batch": batch}

    found = check_target(TrainingTarget("mine", make), only="training/padding", dtype="float32")
    return found.verdicts[0]


def test_what_a_mask_hides_changes_nothing():
    assert padded().kind == "holds"
    assert padded(left=True, labels=-100).kind == "holds"


def test_what_reads_hidden_tokens_is_violated_and_says_on_which_side_they_are():
    verdict = padded(masked=False)
    assert verdict.kind == "violated"
    assert verdict.message.startswith("after step 1 of a run from other hidden tokens, model.")
    hint = "; tokens are hidden on the left, where a first position is pooled and a state begins"
    assert padded(masked=False, left=True).message.endswith(hint)
    assert not verdict.message.endswith(hint)


def test_a_model_that_finds_padding_by_its_token_cannot_be_judged():
    verdict = padded(by_token=True)
    text = "cannot judge: tokens are compared with a number (test_batches.py:"
    assert (verdict.kind, verdict.message[: len(text)]) == ("vacuous", text)


def test_labels_at_hidden_tokens_make_it_not_applicable():
    verdict = padded(labels=2)
    assert (verdict.kind, verdict.message) == (
        "not applicable",
        "its labels at hidden tokens are not -100",
    )
    verdict = padded_without_a_mask()
    assert verdict.kind == "not applicable"
    assert "attention_mask" in verdict.message


def padded_without_a_mask():
    import torch
    from torch import nn

    def make():
        model = nn.Linear(3, 2)

        def step(batch):
            loss = model(batch).square().mean()
            loss.backward()

        return model, step, {"batch": lambda i: torch.ones(4, 3)}

    found = check_target(TrainingTarget("mine", make), only="training/padding", dtype="float32")
    return found.verdicts[0]
