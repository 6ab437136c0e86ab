"""Models that do something else in evaluation mode, or the same on purpose."""

from __future__ import annotations

import random

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.sound.trainings.functions import OneLayer, trained
from tests.sound.trainings.models import numbers
from tests.sound.trainings.nearly import nearly
from tests.sound.trainings.steps import plain

_DROPS = "model/evaluation"


@nearly(_DROPS)
def dropout_function_follows_the_mode() -> object:
    class Dropping(OneLayer):
        def forward(self, x: Tensor) -> Tensor:
            hidden = F.dropout(
                torch.tanh(self.fc1(x)), p=0.3, training=self.training
            )  # on several lines
            out: Tensor = self.out(F.dropout(hidden, 0.2, self.training))
            return out

    return trained(Dropping())


@nearly(_DROPS, note="model/kept-dropout")
def dropout_is_kept_for_monte_carlo() -> object:
    class Sampling(OneLayer):
        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = self.out(F.dropout(torch.tanh(self.fc1(x)), training=True))
            return out

    return trained(Sampling())


@nearly(_DROPS)
def attention_drops_out_in_training_alone() -> object:
    class Attending(OneLayer):
        def forward(self, x: Tensor) -> Tensor:
            q = self.fc1(x).unflatten(-1, (4, 2)).unsqueeze(1)
            p = 0.2 if self.training else 0.0
            mixed = F.scaled_dot_product_attention(q, q, q, dropout_p=p)
            out: Tensor = self.out(mixed.flatten(1))
            return out

    return trained(Attending())


@nearly(_DROPS)
def layers_with_dropout_in_a_module_list() -> object:
    class Listed(OneLayer):
        def __init__(self) -> None:
            super().__init__()
            self.drops = nn.ModuleList([nn.Dropout(0.1), nn.Dropout(0.2)])

        def forward(self, x: Tensor) -> Tensor:
            for drop in self.drops:
                x = drop(x)
            out: Tensor = self.out(torch.relu(self.fc1(x)))
            return out

    return trained(Listed())


@nearly(_DROPS)
def whole_residual_branches_are_dropped() -> object:
    class Depth(OneLayer):
        def forward(self, x: Tensor) -> Tensor:
            branch = torch.relu(self.fc1(x))
            if self.training:
                kept = (torch.rand(len(x), 1) < 0.8).to(x)
                branch = F.dropout(branch, 0.1) * kept / 0.8
            out: Tensor = self.out(branch)
            return out

    return trained(Depth())


@nearly(_DROPS, "vacuous")
def statistics_of_the_batch_are_not_kept() -> object:
    class Normalised(OneLayer):
        def forward(self, x: Tensor) -> Tensor:
            hidden = F.batch_norm(self.fc1(x), None, None, training=True)
            out: Tensor = self.out(torch.relu(hidden))
            return out

    return trained(Normalised())


@nearly(_DROPS)
def statistics_follow_the_mode() -> object:
    class Normalised(OneLayer):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("mean", torch.zeros(8))
            self.register_buffer("var", torch.ones(8))

        def forward(self, x: Tensor) -> Tensor:
            hidden = F.batch_norm(self.fc1(x), self.mean, self.var, training=self.training)
            out: Tensor = self.out(torch.relu(hidden))
            return out

    return trained(Normalised())


@nearly(_DROPS, "vacuous", note="model/draws")
def latent_is_sampled_in_evaluation() -> object:
    class Sampling(OneLayer):
        def forward(self, x: Tensor) -> Tensor:
            hidden = self.fc1(x)
            out: Tensor = self.out(hidden + 0.1 * torch.randn_like(hidden))
            return out

    return trained(Sampling())


@nearly(_DROPS, "vacuous")
def code_is_sampled_in_evaluation() -> object:
    class Sampling(OneLayer):
        def forward(self, x: Tensor) -> Tensor:
            hidden = self.fc1(x)
            out: Tensor = self.out(hidden + (hidden / 2).exp() * torch.randn_like(hidden))
            return out

    return trained(Sampling())


@nearly(_DROPS, "vacuous")
def a_loss_draws_its_noise() -> object:
    class Denoising(OneLayer):
        def forward(self, x: Tensor) -> Tensor:
            noise = torch.randn_like(x)
            return F.mse_loss(self.out(torch.tanh(self.fc1(x + noise))), noise[:, :4])

    model = Denoising()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    return plain(model, optimizer, lambda i: model(numbers(12, 6, seed=i)))


@nearly(_DROPS, "vacuous")
def numbers_choose_what_is_fed_back() -> object:
    class Forced(OneLayer):
        def forward(self, x: Tensor) -> Tensor:
            hidden = torch.tanh(self.fc1(x))
            forced = random.random() < 0.5 or torch.rand(1).item() < 0.5
            out: Tensor = self.out(hidden if forced else hidden.roll(1, dims=-1))
            return out

    return trained(Forced())


@nearly(_DROPS)
def normalisation_is_frozen() -> object:
    model = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Dropout(0.1), nn.Linear(8, 4))
    model[1].eval()
    return trained(model)


@nearly(_DROPS, "vacuous", note="model/evaluation-mode")
def fine_tuned_in_evaluation_mode() -> object:
    model = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Dropout(0.1), nn.Linear(8, 4))
    return trained(model.eval())
