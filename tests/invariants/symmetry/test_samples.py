"""Samples that are rearranged: what draws or takes them together is not accused, a bug is."""

from __future__ import annotations

import pytest

from symmetry.training.target import FunctionTraining
from tests.checking import check_target
from tests.training.small import checked


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
    found = check_target(FunctionTraining("mine", make), only=only, dtype="float32")
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


def pairs_of_halves(model, x, y):
    import torch

    scores = model(x)[:, 0]
    (-torch.nn.functional.logsigmoid(scores[:6] - scores[6:]).mean()).backward()


def second_half_counts_twice(model, x, y):
    (entropy(model(x[:6]), y[:6]) + 2 * entropy(model(x[6:]), y[6:])).backward()


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
    here = "tests/invariants/symmetry/test_samples.py:"
    where = "by NumPy or Python" if loss is noise_of_numpy else here
    assert verdict.kind == "vacuous"
    text = f"cannot judge: the step draws numbers for each sample ({where}"
    assert verdict.message.startswith(text)


def test_micro_batches_that_are_normalised_cannot_be_judged():
    verdict = judged(micro_batches, normalised=True)
    assert verdict.kind == "vacuous"
    why = "the step takes samples together, 6 at a time (normalised? pairs?)"
    assert verdict.message == f"cannot judge: {why}"
    assert judged(micro_batches).kind == "holds"


def test_partners_in_the_halves_of_a_batch_cannot_be_judged():
    """As the preferred and the rejected answers of a batch of preferences."""
    verdict = judged(pairs_of_halves)
    assert verdict.kind == "vacuous"
    why = "the step takes samples together, 2 at a time (as a pair of halves?)"
    assert verdict.message == f"cannot judge: {why}"


@pytest.mark.parametrize("normalised", [False, True])
@pytest.mark.parametrize(
    "loss",
    [second_half_counts_twice, last_left_out, last_left_out_beside_noise, one_draw_for_all],
    ids=lambda loss: loss.__name__,
)
def test_a_sample_that_is_left_out_is_violated(loss, normalised):
    verdict = judged(loss, normalised=normalised)
    assert verdict.kind == "violated"
    assert verdict.message.startswith("after step 1 of a run from rearranged samples, model.")
    assert "unit" not in verdict.message


def test_few_samples_are_mixed_between_micro_batches():
    def make():
        import torch

        model = torch.nn.Linear(3, 1)
        optimizer = torch.optim.SGD(model.parameters(), 0.1)

        def step(batch):
            x, lengths = batch
            optimizer.zero_grad()
            for part, many in zip(x.split(2), lengths.split(2), strict=True):
                losses = model(part).square().squeeze(1) * many
                (losses.sum() / many.sum() / 2).backward()
            optimizer.step()

        def batch(i):
            generator = torch.Generator().manual_seed(i)
            return torch.randn(4, 3, generator=generator), torch.tensor([7.0, 2.0, 5.0, 3.0])

        return model, step, {"batch": batch}

    for seed in range(6):
        found = checked(make, only=["symmetry/samples"], dtype=["float32"], seed=seed)
        (verdict,) = found.verdicts
        assert verdict.kind == "vacuous"
        assert "the step takes samples together, 2 at a time" in verdict.message
