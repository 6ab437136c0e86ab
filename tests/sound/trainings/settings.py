"""Trainings with a setting that must not matter: each is sound, unless it is made ``wrong``."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from tests.sound.trainings import models
from tests.sound.trainings.models import labels, numbers
from tests.sound.trainings.nearly import nearly
from tests.sound.trainings.steps import classify, plain


def compiled(
    wrong: bool = False, *noise: nn.Module, before: Callable[[], Any] = lambda: None
) -> Any:
    """A model that is compiled by a backend, which may round each of its results to 16 bits.

    The model may have ``noise``, and the backend may call a function before it runs.
    """

    def backend(graph: Any, _: Any) -> Callable[..., Any]:
        def run(*inputs: Any) -> Any:
            before()
            made = graph(*inputs)
            return tuple(x.bfloat16().float() for x in made) if wrong else made

        return run

    model = nn.Sequential(*noise, models.MLP())
    fast = torch.compile(model, backend=backend)
    return plain(model, torch.optim.SGD(model.parameters(), 0.1), partial(classify, fast))


class _Loops(torch.optim.SGD):
    """Updates all parameters, or all but the last where it updates them together."""

    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            params = group["params"][: -1 if group["foreach"] else None]
            with torch.no_grad():
                for parameter in params:
                    parameter -= group["lr"] * parameter.grad


def in_loops(wrong: bool = False) -> Any:
    model = models.MLP()
    kind = _Loops if wrong else torch.optim.SGD
    return plain(model, kind(model.parameters(), 0.1), partial(classify, model))


def scaled(wrong: bool = False) -> Any:
    """A training with a gradient scaler, which may clip before it divides by the scale."""
    model = models.MLP()
    optimizer, scaler = torch.optim.SGD(model.parameters(), 0.1), torch.amp.GradScaler("cpu")

    def step(i: int) -> None:
        optimizer.zero_grad()
        scaler.scale(classify(model, i)).backward()
        if not wrong:
            scaler.unscale_(optimizer)
        nn.utils.clip_grad_norm_(model.parameters(), 10.0)
        scaler.step(optimizer)
        scaler.update()

    return model, step


class _Attending(nn.Module):
    """Attention, which may be scaled otherwise where a fused kernel does it."""

    def __init__(self, wrong: bool) -> None:
        super().__init__()
        self.q, self.k, self.v = (nn.Linear(6, 6) for _ in range(3))
        self.out, self.wrong = nn.Linear(6, 4), wrong

    def forward(self, x: Tensor) -> Tensor:
        fused = self.wrong and torch.backends.cuda.flash_sdp_enabled()
        scale = 1 / 6 if fused else None
        found = F.scaled_dot_product_attention(self.q(x), self.k(x), self.v(x), scale=scale)
        return self.out(found).mean(1)


def attending(wrong: bool = False) -> Any:
    model = _Attending(wrong)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    return plain(model, optimizer, lambda i: classify(model, i, 8, 5, 6))


class _Checkpointed(nn.Module):
    """Layers that drop out and are computed again in backward: with other numbers if ``wrong``."""

    def __init__(self, wrong: bool, norm: nn.Module, *, reentrant: bool) -> None:
        super().__init__()
        self.first, self.norm, self.out = nn.Linear(6, 8), norm, nn.Linear(8, 4)
        self.wrong, self.reentrant = wrong, reentrant

    def forward(self, x: Tensor) -> Tensor:
        keep = not self.wrong
        again = partial(checkpoint, use_reentrant=self.reentrant, preserve_rng_state=keep)
        return self.out(again(lambda z: F.dropout(self.norm(z).tanh(), 0.5), self.first(x)))


def checkpointed(
    wrong: bool = False, norm: type[nn.Module] = nn.LayerNorm, *, reentrant: bool = False
) -> Any:
    model = _Checkpointed(wrong, norm(8), reentrant=reentrant)
    return plain(model, torch.optim.SGD(model.parameters(), 0.1), partial(classify, model))


class _Again(torch.autograd.Function):
    """Calls a module again in the backward; with other random numbers if ``wrong``."""

    @staticmethod
    def forward(ctx: Any, wrong: bool, module: nn.Module, x: Tensor, *parameters: Tensor) -> Tensor:
        ctx.wrong, ctx.module, ctx.parameters = wrong, module, parameters
        ctx.state = torch.get_rng_state()
        ctx.save_for_backward(x)
        with torch.no_grad():
            return module(x)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        (x,) = (each.detach().requires_grad_() for each in ctx.saved_tensors)
        with torch.enable_grad(), torch.random.fork_rng(devices=[]):
            if not ctx.wrong:
                torch.set_rng_state(ctx.state)
            out = ctx.module(x)
        return None, None, *torch.autograd.grad(out, (x, *ctx.parameters), gradient)


@nearly("training/checkpoint")
def checkpointed_by_hand(wrong: bool = False) -> Any:
    first, out = nn.Linear(6, 8), nn.Linear(8, 4)
    inner = nn.Sequential(nn.Linear(8, 8), nn.Dropout(0.5), nn.Tanh())
    model = nn.ModuleList([first, inner, out])

    def loss(i: int) -> Tensor:
        made = _Again.apply(wrong, inner, first(numbers(12, 6, seed=i)), *inner.parameters())
        return F.cross_entropy(out(made), labels(12, 4, seed=i))

    return plain(model, torch.optim.SGD(model.parameters(), 0.1), loss)


@nearly("training/checkpoint", note="training/statistics")
def statistics_updated_twice() -> Any:
    return checkpointed(norm=nn.BatchNorm1d, reentrant=True)


class _Convolved(nn.Module):
    """A convolution, which oneDNN may do to 16 bits."""

    def __init__(self, wrong: bool) -> None:
        super().__init__()
        self.conv, self.out, self.wrong = nn.Conv2d(2, 5, 3), nn.Linear(5, 4), wrong

    def forward(self, x: Tensor) -> Tensor:
        made = self.conv(x)
        if self.wrong and torch._C._get_mkldnn_enabled():
            made = made.bfloat16().float()
        return self.out(torch.tanh(made).mean((2, 3)))


def convolved(wrong: bool = False) -> Any:
    model = _Convolved(wrong)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)

    def loss(i: int) -> Tensor:
        return F.cross_entropy(model(numbers(6, 2, 6, 6, seed=i)), labels(6, 4, seed=i))

    return plain(model, optimizer, loss)


def threaded(wrong: bool = False) -> Any:
    """A training that may lose a part of an update if there is more than one thread."""
    model = models.MLP()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)

    def lose() -> None:
        if wrong and torch.get_num_threads() > 1:
            with torch.no_grad():
                next(model.parameters()).mul_(1.001)

    return plain(model, optimizer, partial(classify, model), lose)


SETTINGS: dict[str, Callable[..., Any]] = {
    "eager": compiled,
    "loops": in_loops,
    "scale": scaled,
    "attention": attending,
    "checkpoint": checkpointed,
    "kernels": convolved,
    "threads": threaded,
}

for _name, _make in SETTINGS.items():
    nearly(f"training/{_name}")(_make)
