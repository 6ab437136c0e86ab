"""Variants of one small training: some are the same up to rounding, some are not."""

from __future__ import annotations

import math
import os
import time

import torch
import torch.nn.functional as F
from torch import nn

WIDTH, CLASSES, SAMPLES, LABELLED = 6, 4, 8, -100


class Attention(nn.Module):
    def __init__(self, scores):
        super().__init__()
        self.q, self.k, self.v = (nn.Linear(WIDTH, WIDTH) for _ in range(3))
        self.out, self.scores = nn.Linear(WIDTH, WIDTH), scores

    def forward(self, x):
        q, k, v = self.q(x), self.k(x), self.v(x)
        return self.out(self.scores(q, k, v))


def by_hand(q, k, v):
    return (q @ k.mT / math.sqrt(WIDTH)).softmax(-1) @ v


def scaled_wrongly(q, k, v):
    return (q @ k.mT / WIDTH).softmax(-1) @ v


class Scaled(torch.autograd.Function):
    """The identity, whose backward is wrong by 0.1 %."""

    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, gradient):
        return gradient * 1.001


class Network(nn.Module):
    def __init__(self, scores, between):
        super().__init__()
        self.norm, self.attention = nn.LayerNorm(WIDTH), Attention(scores)
        self.fc, self.drop, self.head = (
            nn.Linear(WIDTH, 12),
            nn.Dropout(0.1),
            nn.Linear(12, CLASSES),
        )
        self.between = between

    def forward(self, x):
        x = x + self.attention(self.norm(x))
        return self.head(self.between(F.gelu(self.fc(x)))).mean(1)


def batch(i):
    generator = torch.Generator().manual_seed(i)
    x = torch.randn(SAMPLES, 3, WIDTH, generator=generator)
    y = torch.randint(CLASSES, (SAMPLES,), generator=generator)
    y[: 1 + i % 3] = LABELLED
    return x, y


def _adamw(parameters, **options):
    return torch.optim.AdamW(parameters, 1e-2, **options)


def variant(
    scores=by_hand,
    between=lambda x: x,
    optimizer=_adamw,
    batch=batch,
    pieces=1,
    mean_of_means=False,
    clip=None,
    after=lambda model, i: None,
    wrap=lambda model: model,
):
    def training():
        model = Network(scores, between)
        wrapped, update = wrap(model), optimizer(model.parameters())

        def step(i):
            x, y = batch(i)
            update.zero_grad()
            total = (y != LABELLED).sum()
            for xs, ys in zip(x.chunk(pieces), y.chunk(pieces), strict=True):
                loss = F.cross_entropy(wrapped(xs), ys, ignore_index=LABELLED, reduction="sum")
                count = (ys != LABELLED).sum().clamp(min=1) * pieces
                (loss / (count if mean_of_means else total)).backward()
            if clip:
                nn.utils.clip_grad_norm_(model.parameters(), clip)
            update.step()
            after(model, i)

        return wrapped, step

    return training


training = variant()
sdpa = variant(F.scaled_dot_product_attention)
accumulated = variant(pieces=4)
unfused = variant(optimizer=lambda p: _adamw(p, foreach=False))
wrapped = variant(wrap=lambda model: nn.DataParallel(model))

other_data = variant(batch=lambda i: batch(i + 1))
wrong_scale = variant(scaled_wrongly)
mean_of_means = variant(pieces=4, mean_of_means=True)
wrong_backward = variant(between=Scaled.apply)
clipped = variant(clip=0.05)
other_eps = variant(optimizer=lambda p: _adamw(p, eps=1e-6))
in_half = variant(between=lambda x: x.bfloat16().float())


def _poison(model, i):
    if i == 1:
        with torch.no_grad():
            model.fc.bias[0] = float("inf")


poisoned = variant(after=_poison)


def dropping(p, *, first=False, turned=False, pieces=1):
    """A training whose forward drops; another one draws something else first, or in turned axes."""

    def between(x):
        if first:
            torch.rand(3)
        x = F.dropout(x.mT.contiguous() if turned else x, p, training=True)
        return x.mT if turned else x

    return variant(between=between, pieces=pieces)


drops = dropping(0.5)
drops_others = dropping(0.5, first=True)
drops_turned = dropping(0.5, turned=True)
drops_less = dropping(0.2)
drops_in_parts = dropping(0.5, pieces=4)
noisy = variant(between=lambda x: x + 0.1 * torch.randn_like(x))
noisier = variant(between=lambda x: x + 0.2 * torch.randn_like(x))


def compiled_in_place():
    model = nn.Sequential(nn.Linear(WIDTH, 5), nn.Tanh(), nn.Linear(5, CLASSES))
    model.compile(backend="eager")
    update = torch.optim.SGD(model.parameters(), 0.1)

    def step(i):
        update.zero_grad()
        model(batch(i)[0]).square().mean().backward()
        update.step()

    return model, step


def raising():
    model, step = training()

    def fails(i):
        step(i)
        raise ValueError("no more")

    return model, fails


def crashing():
    model, _ = training()
    return model, lambda i: os.abort()


def hanging():
    model, _ = training()
    return model, lambda i: time.sleep(1000)


def unseeded():
    model, step = training()
    drawn = torch.Generator()
    drawn.seed()

    def noisy(i):
        step(i)
        with torch.no_grad():
            model.fc.bias.add_(torch.rand(12, generator=drawn), alpha=1e-3)

    return model, noisy


def still():
    model, _ = training()
    return model, lambda i: model(batch(i)[0]).square().mean().backward()


def wide():
    model = nn.ModuleDict({"fc": nn.Linear(WIDTH, 30)})
    update = torch.optim.SGD(model.parameters(), 0.1)

    def step(i):
        model["fc"](batch(i)[0]).sum().backward()
        update.step()

    return model, step


def unrelated():
    model = nn.Linear(WIDTH, 1)
    update = torch.optim.SGD(model.parameters(), 0.1)

    def step(i):
        model(batch(i)[0]).sum().backward()
        update.step()

    return model, step
