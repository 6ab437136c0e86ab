"""Sound trainings that are hard on a response: sums that cancel, signs, sorts, ties and 16 bits."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.sound.trainings.models import labels, numbers, tokens
from tests.sound.trainings.rounding import Experts
from tests.studies.response.models import (
    Attending,
    Binary,
    Codebook,
    Language,
    Quantised,
    Recurrent,
    clustered_distance,
    mlp,
    normalised_views,
)
from tests.studies.response.optimisers import OPTIMISERS

Loss = Callable[[Any, Tensor, Tensor], Tensor]
Batch = Callable[[int], tuple[Tensor, Tensor]]
HARD: dict[str, Callable[[], Any]] = {}


def hard(make: Callable[[], Any]) -> Callable[[], Any]:
    """Enter a training, and leave it as it is."""
    HARD[make.__name__] = make
    return make


def regression(count: int = 8, inputs: int = 10, outputs: int = 24) -> Batch:
    """Return batches of numbers for numbers."""
    return lambda i: (
        numbers(count, inputs, seed=2 * i),
        numbers(count, outputs, seed=2 * i + 1),
    )


def classes(count: int = 12, inputs: int = 10, number: int = 5) -> Batch:
    """Return batches of numbers with classes."""
    return lambda i: (numbers(count, inputs, seed=2 * i), labels(count, number, seed=i))


def training(
    model: nn.Module,
    loss: Loss,
    batch: Batch,
    optimiser: str = "adamw",
    clip: float = 0.0,
    after: Callable[[], None] = lambda: None,
) -> Any:
    """Return a training of a model by a loss of the model, inputs and labels."""
    update = OPTIMISERS[optimiser](model.parameters())

    def step(given: tuple[Tensor, Tensor]) -> Tensor:
        update.zero_grad()
        value = loss(model, *given)
        value.backward()
        if clip:
            nn.utils.clip_grad_norm_(model.parameters(), clip)
        update.step()
        after()
        return value

    return model, step, {"batch": batch}


def of_outputs(loss: Callable[[Tensor, Tensor], Tensor]) -> Loss:
    """Return the loss of a model's outputs."""
    return lambda model, x, y: loss(model(x), y)


LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "l1": F.l1_loss,
    "mse": F.mse_loss,
    "huber": F.huber_loss,
    "smooth": F.smooth_l1_loss,
    "hinge": lambda p, y: F.relu(1 - p * y.sign()).mean(),
    "quantile": lambda p, y: torch.maximum(0.9 * (y - p), -0.1 * (y - p)).mean(),
    "logcosh": lambda p, y: (p - y).cosh().log().mean(),
    "mape": lambda p, y: ((p - y) / y.abs().clamp(min=0.1)).abs().mean(),
    "bce": lambda p, y: F.binary_cross_entropy_with_logits(p, (y > 0).float()),
    "chances": lambda p, y: F.binary_cross_entropy(p.sigmoid(), (y > 0).float()),
}


def _add(entries: Iterable[tuple[str, Callable[[], Any]]]) -> None:
    HARD.update(entries)


def _regressed(loss: str, optimiser: str) -> Any:
    return training(mlp(), of_outputs(LOSSES[loss]), regression(), optimiser)


_add((f"{loss}_adamw", partial(_regressed, loss, "adamw")) for loss in LOSSES)
_add(
    (f"{loss}_{name}", partial(_regressed, loss, name))
    for loss in ("l1", "mse")
    for name in OPTIMISERS
    if name != "adamw"
)


def _batch_of(loss: str, count: int) -> Any:
    if loss == "l1":
        return training(mlp(), of_outputs(F.l1_loss), regression(count))
    return training(mlp(outputs=5), of_outputs(F.cross_entropy), classes(count))


_add(
    (f"{loss}_batch_of_{count}", partial(_batch_of, loss, count))
    for loss in ("l1", "classes")
    for count in (2, 4, 16, 64, 256, 1024)
)


@hard
def mse_batch_of_8192() -> Any:
    return training(mlp(4, 8, 3), of_outputs(F.mse_loss), regression(8192, 4, 3))


@hard
def l1_clipped() -> Any:
    return training(mlp(), of_outputs(F.l1_loss), regression(), clip=0.01)


@hard
def l1_fused() -> Any:
    return training(mlp(), of_outputs(F.l1_loss), regression(), "fused")


@hard
def bias_before_batch_norm() -> Any:
    model = nn.Sequential(nn.Linear(10, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 5))
    return training(model, of_outputs(F.cross_entropy), classes(16))


@hard
def batch_norm_of_centred_data() -> Any:
    model = nn.Sequential(nn.BatchNorm1d(10), nn.Linear(10, 16), nn.ReLU(), nn.Linear(16, 5))

    def batch(i: int) -> tuple[Tensor, Tensor]:
        x = numbers(8, 10, seed=i)
        return torch.cat([x, -x]), labels(16, 5, seed=i)

    return training(model, of_outputs(F.cross_entropy), batch)


@hard
def bias_of_a_convolution_before_batch_norm() -> Any:
    body = nn.Conv2d(2, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()
    model = nn.Sequential(*body, nn.Linear(24, 5))

    def batch(i: int) -> tuple[Tensor, Tensor]:
        return numbers(8, 2, 6, 6, seed=i), labels(8, 5, seed=i)

    return training(model, of_outputs(F.cross_entropy), batch)


def _scores(optimiser: str, std: float | None) -> Any:
    """The bias of all scores moves no chance."""
    model = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 1))
    for layer in (model[0], model[2]) if std else ():
        nn.init.normal_(layer.weight, std=std)

    def batch(i: int) -> tuple[Tensor, Tensor]:
        return numbers(16, 3, 8, seed=i), labels(16, 3, seed=i)

    loss = of_outputs(lambda scores, y: F.cross_entropy(scores.squeeze(2), y))
    return training(model, loss, batch, optimiser)


_add({"scores_adamw": partial(_scores, "adamw", 0.02)}.items())
_add({"scores_rprop": partial(_scores, "rprop", None)}.items())


def texts(i: int) -> tuple[Tensor, Tensor]:
    """Return a batch of tokens, and the next ones."""
    return tokens(6, 12, vocabulary=17, seed=i), tokens(6, 12, vocabulary=17, seed=i + 99)


def next_token(model: Any, x: Tensor, y: Tensor) -> Tensor:
    """Return the loss of a language model."""
    return F.cross_entropy(model(x).flatten(0, 1), y.flatten())


def _language(tied: bool, fused: bool) -> Any:
    return training(Language(tied=tied, fused=fused), next_token, texts, clip=1.0)


_add(
    (f"gpt{'_tied' * tied}{'_fused' * fused}", partial(_language, tied, fused))
    for tied in (False, True)
    for fused in (False, True)
)


@hard
def gpt_lion() -> Any:
    return training(Language(), next_token, texts, "lion")


@hard
def gpt_autocast() -> Any:
    def loss(model: Any, x: Tensor, y: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            return next_token(model, x, y)

    return training(Language(), loss, texts)


@hard
def l1_autocast_float16() -> Any:
    def loss(model: Any, x: Tensor, y: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.float16):
            return F.l1_loss(model(x).float(), y)

    return training(mlp(), loss, regression())


@hard
def l1_in_bfloat16() -> Any:
    def loss(model: Any, x: Tensor, y: Tensor) -> Tensor:
        return F.l1_loss(model(x.bfloat16()).float(), y)

    return training(mlp().bfloat16(), loss, regression())


@hard
def mse_in_bfloat16_by_momentum() -> Any:
    def loss(model: Any, x: Tensor, y: Tensor) -> Tensor:
        return F.mse_loss(model(x.bfloat16()).float(), y)

    return training(mlp().bfloat16(), loss, regression(), "momentum")


@hard
def l1_scaled() -> Any:
    model, scaler = mlp(), torch.amp.GradScaler("cpu")
    update = OPTIMISERS["adamw"](model.parameters())

    def step(given: tuple[Tensor, Tensor]) -> None:
        update.zero_grad()
        with torch.autocast("cpu", torch.bfloat16):
            loss = F.l1_loss(model(given[0]), given[1])
        scaler.scale(loss).backward()
        scaler.unscale_(update)
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        scaler.step(update)
        scaler.update()

    return model, step, {"batch": regression(), "scaler": scaler}


def _experts(chosen: int, *, zeros: bool = False) -> Any:
    def loss(model: Any, x: Tensor, y: Tensor) -> Tensor:
        return F.cross_entropy(model(x), y) + 0.01 * model.balance

    return training(Balanced(chosen, zeros=zeros), loss, classes(16, 8))


class Balanced(Experts):
    """Experts that are to be chosen equally often."""

    def __init__(self, chosen: int, *, zeros: bool) -> None:
        super().__init__()
        self.chosen, self.balance = chosen, torch.zeros(())
        if not zeros:
            self.router.reset_parameters()

    def forward(self, x: Tensor) -> Tensor:
        chances = self.router(x).softmax(-1)
        first = chances.topk(self.chosen, -1).indices[:, 0]
        used = F.one_hot(first, 4).to(chances).mean(0)
        self.balance = (chances.mean(0) * used).sum() * 4
        return super().forward(x)


_add({"experts_top_1": partial(_experts, 1), "experts_top_2": partial(_experts, 2)}.items())
_add({"experts_of_zeros": partial(_experts, 2, zeros=True)}.items())


@hard
def quantised_weights() -> Any:
    return training(Quantised(), of_outputs(F.mse_loss), regression())


@hard
def binary_units() -> Any:
    return training(Binary(), of_outputs(F.mse_loss), regression())


@hard
def codebook() -> Any:
    def batch(i: int) -> tuple[Tensor, Tensor]:
        return numbers(16, 10, seed=i), numbers(1)

    def loss(model: Any, x: Tensor, _: Tensor) -> Tensor:
        return F.mse_loss(model(x), x) + model.distance

    return training(Codebook(), loss, batch)


@hard
def hardest_triplets() -> Any:
    return training(mlp(10, 16, 8), of_outputs(clustered_distance), classes(16))


@hard
def contrasted_views() -> Any:
    def loss(model: Any, x: Tensor, _: Tensor) -> Tensor:
        one, other = (F.normalize(model(v), dim=1) for v in (x, x + 0.1 * x.flip(1)))
        scores, same = one @ other.T / 0.07, torch.arange(len(x))
        return (F.cross_entropy(scores, same) + F.cross_entropy(scores.T, same)) / 2

    return training(mlp(10, 16, 8), loss, classes(16))


@hard
def correlated_views() -> Any:
    return training(mlp(10, 16, 8), normalised_views, classes(16))


@hard
def maximum_of_duplicates() -> Any:
    body = nn.Conv1d(3, 8, 3), nn.ReLU(), nn.AdaptiveMaxPool1d(1), nn.Flatten(), nn.Linear(8, 5)

    def batch(i: int) -> tuple[Tensor, Tensor]:
        x = numbers(8, 3, 6, seed=i)
        return torch.cat([x, x], 2), labels(8, 5, seed=i)

    return training(nn.Sequential(*body), of_outputs(F.cross_entropy), batch)


@hard
def median_of_errors() -> Any:
    return training(mlp(), of_outputs(lambda p, y: (p - y).abs().median()), regression())


@hard
def distance_of_sorted_samples() -> Any:
    def loss(p: Tensor, y: Tensor) -> Tensor:
        return (p.sort(0)[0] - y.sort(0)[0]).abs().mean()

    return training(mlp(), of_outputs(loss), regression())


@hard
def average_that_is_compared() -> Any:
    model, average = mlp(10, 16, 8), mlp(10, 16, 8)
    average.load_state_dict(model.state_dict())
    average.requires_grad_(False)

    def follow() -> None:
        with torch.no_grad():
            for mean, new in zip(average.parameters(), model.parameters(), strict=True):
                mean.lerp_(new, 0.01)

    def loss(model: Any, x: Tensor, _: Tensor) -> Tensor:
        return -F.cosine_similarity(model(x), average(x.flip(1))).mean()

    model, step, extras = training(model, loss, classes(16), after=follow)
    return model, step, {**extras, "average": average}


@hard
def l1_of_a_recurrence() -> Any:
    def batch(i: int) -> tuple[Tensor, Tensor]:
        return numbers(8, 10, 4, seed=i), numbers(8, 10, 3, seed=i + 1)

    return training(Recurrent(), of_outputs(F.l1_loss), batch)


@hard
def bias_of_keys() -> Any:
    def batch(i: int) -> tuple[Tensor, Tensor]:
        return numbers(8, 6, 12, seed=i), labels(8, 5, seed=i)

    return training(Attending(), of_outputs(F.cross_entropy), batch)


@hard
def normalised_weights() -> Any:
    from torch.nn.utils.parametrizations import spectral_norm, weight_norm

    layers = weight_norm(nn.Linear(10, 16)), nn.Tanh(), spectral_norm(nn.Linear(16, 24))
    return training(nn.Sequential(*layers), of_outputs(F.mse_loss), regression())


@hard
def penalty_between_flipped_samples() -> Any:
    def loss(model: Any, x: Tensor, y: Tensor) -> Tensor:
        between = (0.5 * x + 0.5 * x.flip(0)).requires_grad_()
        (slope,) = torch.autograd.grad(model(between).sum(), between, create_graph=True)
        apart = F.relu(1 - model(x)).mean() + F.relu(1 + model(y)).mean()
        return apart + 10 * ((slope.norm(dim=1) - 1) ** 2).mean()

    return training(mlp(6, 16, 1), loss, regression(16, 6, 6))


@hard
def alignments() -> Any:
    def loss(model: Any, x: Tensor, y: Tensor) -> Tensor:
        chances = model(x).log_softmax(-1).transpose(0, 1)
        return F.ctc_loss(chances, y, torch.full((len(x),), 9), torch.full((len(x),), 3))

    def batch(i: int) -> tuple[Tensor, Tensor]:
        return numbers(6, 9, 6, seed=i), 1 + tokens(6, 3, vocabulary=4, seed=i)

    return training(mlp(6, 16, 5), loss, batch)


@hard
def advantages_less_their_mean() -> Any:
    def loss(model: Any, x: Tensor, _: Tensor) -> Tensor:
        chances, actions, rewards = model(x).log_softmax(-1), x.argmax(1) % 4, x.sum(1)
        advantages = (rewards - rewards.mean()) / (rewards.std() + 1e-8)
        chosen = chances.gather(1, actions[:, None])[:, 0]
        ratio = (chosen - chosen.detach()).exp()
        return -torch.min(ratio * advantages, ratio.clamp(0.8, 1.2) * advantages).mean()

    return training(mlp(6, 16, 4), loss, classes(16, 6))


@hard
def searched_along_lines() -> Any:
    model = mlp(10, 8, 3)
    update = torch.optim.LBFGS(model.parameters(), max_iter=3)

    def step(given: tuple[Tensor, Tensor]) -> None:
        def loss() -> Tensor:
            update.zero_grad()
            value = F.mse_loss(model(given[0]), given[1])
            value.backward()
            return value

        update.step(loss)

    return model, step, {"batch": regression(16, 10, 3)}
