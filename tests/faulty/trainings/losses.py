"""Trainings whose losses are given, or compare, or are asked for the wrong thing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from symmetry.training.target import FunctionTraining, Training
from tests.faulty.trainings.fault import fault
from tests.sound.trainings import models
from tests.sound.trainings.models import labels, numbers, tokens
from tests.sound.trainings.steps import given, plain

NOTED: dict[str, Training] = {}  # trainings that loss/scaling has a note about


def noted(make: Callable[[], Any]) -> Callable[[], Any]:
    """Enter the decorated training among those with a note, and leave it as it is."""
    NOTED[make.__name__] = FunctionTraining(make.__name__, make)
    return make


def classifying(loss: Callable[[Tensor, Tensor], Tensor], classes: int = 4) -> Any:
    """Return a training of a small network; ``loss(outputs, labels)``."""
    model = models.MLP()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)

    def of(i: int) -> Tensor:
        return loss(model(numbers(12, 6, seed=i)), labels(12, classes, seed=i))

    return plain(model, optimizer, of)


@fault("loss/inputs", wrong="softmax before cross_entropy")
def softmax_before_cross_entropy() -> Any:
    return classifying(lambda out, y: F.cross_entropy(out.softmax(1), y))


@fault("loss/inputs", wrong="log_softmax runs over the samples")
def log_softmax_over_the_samples() -> Any:
    return classifying(lambda out, y: F.nll_loss(F.log_softmax(out, 0), y))


@fault("loss/inputs", wrong="nll_loss without log_softmax")
def nll_loss_of_logits() -> Any:
    return classifying(F.nll_loss)


@fault("loss/inputs", wrong="a sigmoid before the loss that has one inside")
def sigmoid_twice() -> Any:
    def loss(out: Tensor, y: Tensor) -> Tensor:
        target = F.one_hot(y, 4).to(out.dtype)
        return F.binary_cross_entropy_with_logits(torch.sigmoid(out), target)

    return classifying(loss)


@fault("loss/inputs", wrong="kl_div of probabilities, where it takes their logarithms")
def kl_div_of_probabilities() -> Any:
    def loss(out: Tensor, y: Tensor) -> Tensor:
        soft = 0.9 * F.one_hot(y, 4).to(out.dtype) + 0.025
        return F.kl_div(out.softmax(1), soft, reduction="batchmean")

    return classifying(loss)


@fault("loss/inputs", wrong="labels from 1 to 2 for a loss of two classes")
def binary_labels_from_one() -> Any:
    def loss(out: Tensor, y: Tensor) -> Tensor:
        return F.binary_cross_entropy_with_logits(out[:, 0], (y + 1).to(out.dtype))

    return classifying(loss, classes=2)


@fault("loss/inputs", wrong="labels 0 and 1 for a loss that takes -1 and 1")
def cosine_labels_from_zero() -> Any:
    def loss(out: Tensor, y: Tensor) -> Tensor:
        return F.cosine_embedding_loss(out[:, :2], out[:, 2:], y)

    return classifying(loss, classes=2)


def _net() -> tuple[nn.Module, torch.optim.Optimizer]:
    model = nn.Sequential(nn.Linear(6, 9), nn.Tanh(), nn.Linear(9, 1))
    return model, torch.optim.SGD(model.parameters(), 0.1)


def _values(i: int) -> Tensor:
    return numbers(12, 6, seed=i).square().sum(1).sin()


@fault("loss/pairs", wrong="outputs (n, 1) are compared with targets (n,)")
def targets_without_their_axis() -> Any:
    model, optimizer = _net()
    return plain(model, optimizer, lambda i: F.mse_loss(model(numbers(12, 6, seed=i)), _values(i)))


@fault("loss/pairs", wrong="targets (n, 1), from a file, are compared with outputs (n,)")
def targets_with_an_axis_too_many() -> Any:
    model, optimizer = _net()

    def loss(i: int) -> Tensor:
        target = torch.tensor([[float(value)] for value in _values(i)])
        return F.smooth_l1_loss(model(numbers(12, 6, seed=i)).squeeze(1), target)

    return plain(model, optimizer, loss)


@fault("loss/pairs", wrong="the difference of (n, 1) and (n,) is squared by hand")
def squared_difference_of_all_pairs() -> Any:
    model, optimizer = _net()

    def loss(i: int) -> Tensor:
        return ((model(numbers(12, 6, seed=i)) - _values(i)) ** 2).mean()

    return plain(model, optimizer, loss)


@fault("loss/pairs", wrong="a policy's scores (n, 1) are multiplied by the advantages (n,) of all")
def advantages_of_all_samples() -> Any:
    model, optimizer = _net()

    def loss(i: int) -> Tensor:
        scores = torch.sigmoid(model(numbers(12, 6, seed=i)))
        return -(scores * _values(i)).mean()

    return plain(model, optimizer, loss)


@fault("loss/pairs", wrong="values of chosen actions (n, 1) are compared with targets (n,)")
def chosen_values_of_all_samples() -> Any:
    model = models.MLP()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)

    def loss(i: int) -> Tensor:
        chosen = model(numbers(12, 6, seed=i)).gather(1, labels(12, 4, seed=i).unsqueeze(1))
        return F.huber_loss(chosen, _values(i))

    return plain(model, optimizer, loss)


class Language(nn.Module):
    """An embedding, something that mixes tokens, and scores of the tokens."""

    def __init__(self, mix: Callable[[Tensor], Tensor], *parts: nn.Module, width: int = 6) -> None:
        super().__init__()
        self.embedding, self.position = nn.Embedding(11, 6), nn.Embedding(9, 6)
        self.parts, self.head = nn.ModuleList(parts), nn.Linear(width, 11)
        self.mix = mix

    def forward(self, text: Tensor) -> Tensor:
        x = self.embedding(text) + self.position(torch.arange(text.shape[1]))
        out: Tensor = self.head(self.mix(x))
        return out


def speaking(model: nn.Module, loss: Callable[[Tensor, Tensor], Tensor], *, given: slice) -> Any:
    """Return a training on texts; ``loss(scores, text)``, of which the model is given a part."""
    optimizer = torch.optim.SGD(model.parameters(), 0.1)

    def of(i: int) -> Tensor:
        text = tokens(4, 9, seed=i)
        return loss(model(text[:, given]), text)

    return plain(model, optimizer, of)


def next_tokens(scores: Tensor, text: Tensor) -> Tensor:
    return F.cross_entropy(scores.flatten(0, 1), text[:, 1:].flatten())


def same_tokens(scores: Tensor, text: Tensor) -> Tensor:
    return F.cross_entropy(scores.transpose(1, 2), text)


_ALL, _BUT_LAST = slice(None), slice(None, -1)


@fault("loss/next-token", wrong="attention without a causal mask")
def causal_mask_forgotten() -> Any:
    attention = nn.MultiheadAttention(6, 2, batch_first=True)
    model = Language(lambda x: x + attention(x, x, x, need_weights=False)[0], attention)
    return speaking(model, next_tokens, given=_BUT_LAST)


@fault("loss/next-token", wrong="a language model that reads both ways")
def recurrent_in_both_directions() -> Any:
    rnn = nn.GRU(6, 5, batch_first=True, bidirectional=True)
    model = Language(lambda x: rnn(x)[0], rnn, width=10)
    return speaking(model, next_tokens, given=_BUT_LAST)


@fault("loss/next-token", wrong="a convolution that is padded on both sides")
def convolution_sees_the_next_token() -> Any:
    conv = nn.Conv1d(6, 6, 3, padding=1)
    model = Language(lambda x: conv(x.transpose(1, 2)).transpose(1, 2), conv)
    return speaking(model, next_tokens, given=_BUT_LAST)


@fault("loss/next-token", wrong="labels are not shifted")
def labels_not_shifted() -> Any:
    rnn = nn.LSTM(6, 6, batch_first=True)
    return speaking(Language(lambda x: rnn(x)[0], rnn), same_tokens, given=_ALL)


@fault("loss/next-token", wrong="the step shifts the labels, and so does the model")
def labels_shifted_twice() -> Any:
    rnn = nn.GRU(6, 6, batch_first=True)
    model = Language(lambda x: rnn(x)[0], rnn)

    def loss(scores: Tensor, text: Tensor) -> Tensor:
        shifted = text[:, 1:]
        return F.cross_entropy(scores[:, :-1].flatten(0, 1), shifted[:, 1:].flatten())

    return speaking(model, loss, given=_BUT_LAST)


@noted
def divergence_summed_beside_a_mean() -> Any:
    model = models.VAE()

    def loss(x: Tensor, _: Tensor) -> Tensor:
        out, mean, log = model(x)
        divergence = -0.5 * torch.sum(1 + log - mean**2 - log.exp())
        return F.mse_loss(out, x) + divergence

    return given(model, loss)


@noted
def one_task_summed_another_averaged() -> Any:
    model = models.MLP()

    def loss(x: Tensor, y: Tensor) -> Tensor:
        out = model(x)
        return F.cross_entropy(out, y) + F.mse_loss(out, x[:, :4], reduction="sum")

    return given(model, loss)


@noted
def sparsity_summed_over_the_batch() -> Any:
    model = models.Autoencoder()

    def loss(x: Tensor, _: Tensor) -> Tensor:
        code = torch.tanh(model.encoder(x))
        return F.mse_loss(model(x), x) + 1e-3 * code.abs().sum()

    return given(model, loss)


@noted
def margins_summed_beside_a_mean() -> Any:
    model = models.MLP()

    def loss(x: Tensor, y: Tensor) -> Tensor:
        out = model(x)
        best = out.gather(1, y[:, None]).squeeze(1)
        return F.cross_entropy(out, y) + 0.1 * F.relu(1 - best).sum()

    return given(model, loss)


@fault("loss/weights", wrong="each of three micro-batches is a mean over the tokens that it shows")
def micro_batches_of_unequal_masks() -> Any:
    model = models.MLP()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)

    def step(i: int) -> None:
        optimizer.zero_grad()
        shown = torch.arange(12) < torch.tensor([[12], [5], [8]])
        for number, mask in enumerate(shown):
            out = model(numbers(12, 6, seed=3 * i + number))
            each = F.cross_entropy(out, labels(12, 4, seed=i), reduction="none")
            ((each * mask).sum() / mask.sum() / len(shown)).backward()
        optimizer.step()

    return model, step
