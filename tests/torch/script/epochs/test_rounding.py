"""What parameters of 16 bits keep of their updates, as they are seen update by update."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from symmetry.torch.script.epochs.rounding import RoundedUpdates

STEPS = 6


class Compensated(torch.optim.Optimizer):
    """Keeps in a state what is rounded away."""

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                rest = self.state[p].setdefault("rest", torch.zeros_like(p))
                rest.add_(p.grad.sign(), alpha=-group["lr"])
                before = p.clone()
                p.add_(rest)
                rest.add_(before - p)


class Mastered(torch.optim.Optimizer):
    """Keeps copies in float32."""

    def __init__(self, params, defaults):
        super().__init__(params, defaults)
        held = [p for group in self.param_groups for p in group["params"]]
        self.masters = [p.detach().float().requires_grad_() for p in held]
        self.inner = torch.optim.SGD(self.masters, **defaults)

    @torch.no_grad()
    def step(self):
        held = [p for group in self.param_groups for p in group["params"]]
        for p, master in zip(held, self.masters, strict=True):
            master.grad = p.grad.float()
        self.inner.step()
        for p, master in zip(held, self.masters, strict=True):
            p.copy_(master)


class Drawn(torch.optim.Optimizer):
    """Rounds stochastically."""

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                exact = p.float() - group["lr"] * p.grad.float().sign()
                if p.dtype is torch.bfloat16:
                    noise = torch.randint(0, 1 << 16, p.shape, dtype=torch.int32)
                    exact = ((exact.view(torch.int32) + noise) & -65536).view(torch.float32)
                p.copy_(exact)


def rounded(kind, rate, dtype=torch.bfloat16):
    """Return what the parameters of an optimiser keep in some updates."""
    torch.manual_seed(0)
    model = nn.Linear(40, 20).to(dtype)
    optimizer = kind(model.parameters(), {"lr": rate})
    updates, x = RoundedUpdates(), torch.randn(8, 40, dtype=dtype)
    for _ in range(STEPS):
        optimizer.zero_grad()
        model(x).square().mean().backward()
        random = torch.get_rng_state()
        updates.begins(optimizer, 0, 0)
        assert torch.equal(random, torch.get_rng_state())
        optimizer.step()
        updates.ended(optimizer, 0, 0)
    return updates.records([model])


def plain(parameters, defaults):
    return torch.optim.AdamW(parameters, **defaults)


def scheduled(parameters, defaults):
    optimizer = torch.optim.AdamW(parameters, **defaults)
    torch.optim.lr_scheduler.StepLR(optimizer, 100)  # replaces its step()
    return optimizer


@pytest.mark.parametrize("kind", [plain, scheduled])
def test_small_updates_are_lost(kind):
    (found,) = rounded(kind, 1e-5)
    weight = next(each for each in found.tensors if each.name == "weight")
    assert (found.why, found.numbers, weight.numbers) == ("", 820, 800)
    assert (weight.dtype, weight.updates) == ("bfloat16", STEPS)
    assert weight.kept < 0.1
    assert weight.still > 0.9


@pytest.mark.parametrize(("kind", "rate"), [(plain, 1e-2), (Drawn, 1e-4)])
def test_large_updates_and_those_that_are_rounded_at_random_are_kept(kind, rate):
    (found,) = rounded(kind, rate)
    weight = next(each for each in found.tensors if each.name == "weight")
    assert weight.kept == pytest.approx(1, abs=0.3)


@pytest.mark.parametrize("kind", [Compensated, Mastered])
def test_rests_may_be_kept_elsewhere(kind):
    (found,) = rounded(kind, 1e-5)
    assert (found.why, found.tensors) == ("", ())


def test_parameters_in_float32_are_not_looked_at():
    assert rounded(plain, 1e-5, torch.float32) == ()


def test_an_optimizer_that_needs_a_closure_is_not_judged():
    (found,) = rounded(Closing, 1e-5)
    assert (found.why, found.tensors) == ("a copy of an optimiser raises TypeError", ())


class Closing(torch.optim.Optimizer):
    """Needs a closure as long as its parameters are not those of the training."""

    def step(self, closure=None):
        if next(iter(self.param_groups))["params"][0].dtype is torch.float32:
            closure()
