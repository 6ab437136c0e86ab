"""Sound trainings whose losses look like a mistake, but for one thing; laws about losses hold."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.sound.trainings import models
from tests.sound.trainings.models import tokens
from tests.sound.trainings.nearly import nearly
from tests.sound.trainings.steps import given, plain

_INPUTS, _PAIRS = "loss/inputs", "loss/pairs"
_NEXT, _SCALING = "loss/next-token", "loss/scaling"


def classifying(loss: Callable[[Tensor, Tensor], Tensor]) -> Any:
    """Return a training of a small network; ``loss(outputs, labels)``."""
    model = models.MLP()
    return given(model, lambda x, y: loss(model(x), y))


def soft(y: Tensor, like: Tensor) -> Tensor:
    return 0.9 * F.one_hot(y, 4).to(like.dtype) + 0.025


@nearly(_INPUTS)
def logarithms_of_probabilities() -> Any:
    return classifying(lambda out, y: F.nll_loss(out.softmax(1).log(), y))


@nearly(_INPUTS)
def cross_entropy_of_log_softmax() -> Any:
    """Softmax of the logarithms gives the probabilities again."""
    return classifying(lambda out, y: F.cross_entropy(F.log_softmax(out, 1), y))


@nearly(_INPUTS)
def square_error_of_probabilities() -> Any:
    return classifying(lambda out, y: F.mse_loss(out.softmax(1), soft(y, out)))


@nearly(_INPUTS)
def divergence_from_soft_labels() -> Any:
    def loss(out: Tensor, y: Tensor) -> Tensor:
        return F.kl_div(F.log_softmax(out / 2, 1), soft(y, out), reduction="batchmean")

    return classifying(loss)


@nearly(_INPUTS)
def divergence_from_logarithms() -> Any:
    def loss(out: Tensor, y: Tensor) -> Tensor:
        return F.kl_div(F.log_softmax(out, 1), soft(y, out).log(), log_target=True)

    return classifying(loss)


@nearly(_INPUTS)
def probabilities_for_binary_cross_entropy() -> Any:
    def loss(out: Tensor, y: Tensor) -> Tensor:
        return F.binary_cross_entropy(torch.sigmoid(out), soft(y, out))

    return classifying(loss)


@nearly(_INPUTS)
def soft_labels_beyond_one() -> Any:
    """GANs are trained so, against a critic that is too sure of itself."""

    def loss(out: Tensor, y: Tensor) -> Tensor:
        return F.binary_cross_entropy_with_logits(out, 1.1 * soft(y, out))

    return classifying(loss)


@nearly(_INPUTS)
def similarities_between_two_views() -> Any:
    model = models.MLP()

    def loss(x: Tensor, _: Tensor) -> Tensor:
        a, b = (F.normalize(model(view), dim=1) for view in (x, x + 0.1))
        return F.cross_entropy(a @ b.t() / 0.1, torch.arange(len(x)))

    return given(model, loss)


@nearly(_INPUTS)
def codes_between_samples() -> Any:
    """Assignments that sum to one over the samples as well are targets, and no outputs."""
    model = models.MLP()

    def loss(x: Tensor, _: Tensor) -> Tensor:
        out = model(x)
        with torch.no_grad():
            codes = out.exp()
            for _ in range(3):
                codes = codes / codes.sum(0) / 4
                codes = codes / codes.sum(1, keepdim=True)
        return F.cross_entropy(out / 0.1, codes)

    return given(model, loss)


def valued(loss: Callable[[Tensor, Tensor], Tensor], width: int = 1) -> Any:
    """Return a training on numbers; ``loss(outputs, values)`` of shapes (n, width) and (n,)."""
    model = nn.Sequential(nn.Linear(6, 9), nn.Tanh(), nn.Linear(9, width))
    return given(model, lambda x, _: loss(model(x), x.square().sum(1).sin()))


@nearly(_PAIRS)
def targets_with_their_axis() -> Any:
    return valued(lambda out, y: F.mse_loss(out, y.unsqueeze(1)))


@nearly(_PAIRS)
def outputs_without_their_axis() -> Any:
    return valued(lambda out, y: F.l1_loss(out.squeeze(1), y))


@nearly(_PAIRS, "not applicable")
def differences_of_all_pairs() -> Any:
    """Ranking: the step makes both columns itself, and each row meets all others on purpose."""

    def loss(out: Tensor, y: Tensor) -> Tensor:
        gaps = out.squeeze(1)[:, None] - out.squeeze(1)
        return F.softplus(-gaps * torch.sign(y[:, None] - y)).mean()

    return valued(loss)


@nearly(_PAIRS, "not applicable")
def distances_to_all_values() -> Any:
    """A kernel between the distributions of outputs and values: which is whose does not matter."""

    def loss(out: Tensor, y: Tensor) -> Tensor:
        def kernel(a: Tensor, b: Tensor) -> Tensor:
            return torch.exp(-((a[:, None] - b[None]) ** 2)).mean()

        flat = out.flatten()
        return kernel(flat, flat) - 2 * kernel(flat, y) + kernel(y, y)

    return valued(loss)


@nearly(_PAIRS)
def as_many_bins_as_samples() -> Any:
    """A soft histogram: outputs (n, 1) meet n centres, and each bin has a height of its own."""
    centres = torch.linspace(-1, 1, 12)

    def loss(out: Tensor, y: Tensor) -> Tensor:
        heights = torch.exp(-8 * (out - centres.to(out.dtype)) ** 2).mean(0)
        return (heights - torch.linspace(0, 1, 12)).square().mean() + 0 * y.sum()

    return valued(loss)


@nearly(_PAIRS)
def as_many_features_as_samples() -> Any:
    """A gate (n, 1) times a constant (n,) of features, which a layer reads by their places."""
    gate, out = nn.Linear(6, 1), nn.Linear(12, 1)
    scale = torch.linspace(0.5, 2, 12)
    model = nn.ModuleList((gate, out))

    def loss(x: Tensor, _: Tensor) -> Tensor:
        return F.mse_loss(out(gate(x) * scale.to(x.dtype)), x.sum(1, keepdim=True))

    return given(model, loss)


class Language(nn.Module):
    """Attention with a mask of its own, between an embedding and scores of tokens."""

    def __init__(self, allowed: Callable[[int], Tensor], heads: int = 1) -> None:
        super().__init__()
        self.embedding, self.position = nn.Embedding(12, 6), nn.Embedding(9, 6)
        self.attention = nn.MultiheadAttention(6, 2, batch_first=True)
        self.heads = nn.ModuleList(nn.Linear(6, 12) for _ in range(heads))
        self.allowed = allowed

    def forward(self, text: Tensor) -> Any:
        length = text.shape[1]
        x = self.embedding(text) + self.position(torch.arange(length))
        hidden = ~self.allowed(length)
        x = x + self.attention(x, x, x, attn_mask=hidden, need_weights=False)[0]
        scores = [head(x) for head in self.heads]
        return scores[0] if len(scores) == 1 else scores


def causal(length: int) -> Tensor:
    return torch.ones(length, length, dtype=torch.bool).tril()


def everything(length: int) -> Tensor:
    return torch.ones(length, length, dtype=torch.bool)


def speaking(model: nn.Module, loss: Callable[[Tensor], Tensor]) -> Any:
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    return plain(model, optimizer, lambda i: loss(tokens(4, 9, seed=i)))


def entropy(scores: Tensor, target: Tensor) -> Tensor:
    return F.cross_entropy(scores.flatten(0, 1), target.flatten())


@nearly(_NEXT)
def labels_shifted_by_the_model() -> Any:
    model = Language(causal)

    def loss(text: Tensor) -> Tensor:
        padded = F.pad(text, (0, 1), value=-100)[:, 1:]
        return entropy(model(text), padded)

    return speaking(model, loss)


@nearly(_NEXT)
def prefix_that_is_read_both_ways() -> Any:
    """The first four tokens see each other, and the loss asks for none of them."""

    def allowed(length: int) -> Tensor:
        mask = causal(length)
        mask[:4, :4] = True
        return mask

    model = Language(allowed)

    def loss(text: Tensor) -> Tensor:
        target = text[:, 1:].clone()
        target[:, :3] = -100
        return entropy(model(text[:, :-1]), target)

    return speaking(model, loss)


@nearly(_NEXT, "not applicable")
def tokens_that_are_masked() -> Any:
    model = Language(everything)

    def loss(text: Tensor) -> Tensor:
        hidden = torch.arange(text.numel()).reshape(text.shape) % 3 == 0
        return entropy(model(text.masked_fill(hidden, 11)), text.masked_fill(~hidden, -100))

    return speaking(model, loss)


@nearly(_NEXT, "not applicable")
def tags_of_tokens() -> Any:
    model = Language(everything)
    return speaking(model, lambda text: entropy(model(text), (text * 7 + 1) % 12))


@nearly(_NEXT)
def decoder_that_shifts_its_labels_to_the_right() -> Any:
    class Teacher(Language):
        def forward(self, labels: Tensor) -> Any:
            return super().forward(F.pad(labels, (1, 0))[:, :-1])

    model = Teacher(causal)
    return speaking(model, lambda text: entropy(model(text), text))


@nearly(_NEXT)
def two_tokens_ahead_as_well() -> Any:
    model = Language(causal, heads=2)

    def loss(text: Tensor) -> Tensor:
        first, second = model(text)
        return entropy(first[:, :-1], text[:, 1:]) + entropy(second[:, :-2], text[:, 2:])

    return speaking(model, loss)


@nearly(_NEXT)
def positions_before_samples() -> Any:
    class Recurrent(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding, self.rnn, self.head = (
                nn.Embedding(12, 6),
                nn.GRU(6, 6),
                nn.Linear(6, 12),
            )

        def forward(self, text: Tensor) -> Any:
            return self.head(self.rnn(self.embedding(text))[0])

    model = Recurrent()

    def loss(text: Tensor) -> Tensor:
        columns = text.t().contiguous()
        return entropy(model(columns[:-1]), columns[1:])

    return speaking(model, loss)


@nearly(_SCALING)
def sum_divided_by_the_samples() -> Any:
    return classifying(lambda out, y: F.cross_entropy(out, y, reduction="sum") / len(y))


@nearly(_SCALING, "vacuous")
def sum_divided_by_a_constant() -> Any:
    batch_size = 12

    def loss(out: Tensor, y: Tensor) -> Tensor:
        return F.cross_entropy(out, y) + 1e-3 * out.square().sum() / batch_size

    return classifying(loss)


@nearly(_SCALING)
def all_parts_are_sums() -> Any:
    def loss(out: Tensor, y: Tensor) -> Tensor:
        return F.cross_entropy(out, y, reduction="sum") + 1e-3 * out.square().sum()

    return classifying(loss)


@nearly(_SCALING)
def mean_beside_a_sum_over_weights() -> Any:
    model = nn.Sequential(nn.Linear(6, 12), nn.Tanh(), nn.Linear(12, 4))

    def loss(x: Tensor, y: Tensor) -> Tensor:
        decay = sum(weight.square().sum() for weight in model.parameters())
        return F.cross_entropy(model(x), y) + 1e-3 * decay

    return given(model, loss)


@nearly(_SCALING)
def sum_beside_a_sum_over_weights() -> Any:
    model = nn.Sequential(nn.Linear(6, 12), nn.Tanh(), nn.Linear(12, 4))

    def loss(x: Tensor, y: Tensor) -> Tensor:
        decay = sum(weight.square().sum() for weight in model.parameters())
        return F.cross_entropy(model(x), y, reduction="sum") + 1e-3 * decay

    return given(model, loss)


@nearly(_SCALING)
def similarities_that_are_summed() -> Any:
    model = models.MLP()

    def loss(x: Tensor, _: Tensor) -> Tensor:
        a, b = (F.normalize(model(view), dim=1) for view in (x, x + 0.1))
        return F.cross_entropy(a @ b.t(), torch.arange(len(a)) % len(b), reduction="sum")

    return given(model, loss)


@nearly(_SCALING, "vacuous")
def noise_for_each_sample() -> Any:
    model = models.MLP()

    def loss(x: Tensor, y: Tensor) -> Tensor:
        out = model(x + 0.1 * torch.randn_like(x))
        return F.cross_entropy(out, y) + 0.1 * (out * torch.randn_like(out)).sum()

    return given(model, loss)
