"""Trainings that move little, freeze, start equal or work in place, on purpose."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import lr_scheduler

from tests.sound.trainings import models
from tests.sound.trainings.functions import OneLayer, trained
from tests.sound.trainings.models import labels, numbers
from tests.sound.trainings.nearly import nearly
from tests.sound.trainings.steps import classify, plain

_MOVES, _STUCK = "training/moves", "symmetry/stuck"
_FROZEN, _FINITE, _INPLACE = "training/frozen", "training/finite", "training/inplace"


@nearly(_MOVES)
def warm_up_begins_at_a_rate_of_zero() -> Any:
    model = models.MLP()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    scheduler = lr_scheduler.LambdaLR(optimizer, lambda step: min(1.0, step / 3))
    return plain(model, optimizer, lambda i: classify(model, i), scheduler.step)


@nearly(_MOVES, "vacuous")
def warm_up_of_many_steps_by_hand() -> Any:
    model = models.MLP()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)

    def step(i: int) -> None:
        for group in optimizer.param_groups:
            group["lr"] = 0.1 * (i // 100)
        optimizer.zero_grad()
        classify(model, i).backward()
        optimizer.step()

    return model, step


@nearly(_MOVES, "vacuous")
def hinge_that_is_met() -> Any:
    model = models.MLP()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    return plain(model, optimizer, lambda i: F.relu(model(numbers(12, 6, seed=i)) - 100).mean())


@nearly(_MOVES)
def straight_through_rounding() -> Any:
    class Rounded(OneLayer):
        def forward(self, x: Tensor) -> Tensor:
            hidden = torch.tanh(self.fc1(x))
            out: Tensor = self.out(hidden + (hidden.round() - hidden).detach())
            return out

    return trained(Rounded())


@nearly(_MOVES)
def unused_head() -> Any:
    class Heads(OneLayer):
        def __init__(self) -> None:
            super().__init__()
            self.later = nn.Linear(8, 3)

        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = self.out(torch.tanh(self.fc1(x)))
            return out

    return trained(Heads())


@nearly(_MOVES)
def target_network_is_copied_and_detached() -> Any:
    online = models.MLP()
    nets = nn.ModuleDict({"online": online, "target": copy.deepcopy(online)})
    optimizer = torch.optim.SGD(online.parameters(), 0.1)

    def loss(i: int) -> Tensor:
        x, reward = numbers(12, 6, seed=i), numbers(12, seed=-i)
        best = nets["target"](x.flip(0)).max(1).values.detach()
        return F.mse_loss(online(x)[:, 0], reward + 0.9 * best)

    return plain(nets, optimizer, loss)


def late_generator(cut: Callable[[Tensor], Tensor]) -> Any:
    """Return a GAN that trains its generator with each fifth batch, as WGANs do."""
    generator, critic = nn.Linear(5, 6), models.MLP()
    optimizers = [torch.optim.RMSprop(net.parameters(), 1e-3) for net in (generator, critic)]

    def step(i: int) -> None:
        fake = generator(numbers(12, 5, seed=i))
        optimizers[1].zero_grad()
        (critic(fake.detach()).mean() - critic(numbers(12, 6, seed=-i)).mean()).backward()
        optimizers[1].step()
        if i % 5 == 4:
            optimizers[0].zero_grad()
            (-critic(cut(fake))).mean().backward()
            optimizers[0].step()

    return nn.ModuleDict({"generator": generator, "critic": critic}), step


@nearly(_MOVES)
def generator_is_updated_late() -> Any:
    return late_generator(lambda fake: fake)


@nearly(_MOVES, note="training/unheld")
def linear_probe() -> Any:
    nets = nn.ModuleDict({"encoder": nn.Linear(6, 5), "probe": nn.Linear(5, 4)})
    optimizer = torch.optim.SGD(nets["probe"].parameters(), 0.1)

    def loss(i: int) -> Tensor:
        hidden = torch.tanh(nets["encoder"](numbers(12, 6, seed=i)))
        return F.cross_entropy(nets["probe"](hidden), labels(12, 4, seed=i))

    return plain(nets, optimizer, loss)


@nearly(_MOVES, note="training/cut")
def features_without_gradient() -> Any:
    class Features(OneLayer):
        def forward(self, x: Tensor) -> Tensor:
            with torch.no_grad():
                hidden = torch.tanh(self.fc1(x))
            out: Tensor = self.out(hidden)
            return out

    return trained(Features())


class Signs(OneLayer):
    """A layer with the signs of its weights, which the gradient may pass straight through."""

    def __init__(self, *, straight: bool) -> None:
        super().__init__()
        self.straight = straight

    def forward(self, x: Tensor) -> Tensor:
        weight = self.fc1.weight
        signs = torch.sign(weight)
        if self.straight:
            signs = weight + (signs - weight).detach()
        out: Tensor = self.out(torch.tanh(F.linear(x, signs, self.fc1.bias)))
        return out


@nearly(_MOVES, note="training/cut")
def signs_without_derivative() -> Any:
    return trained(Signs(straight=False))


@nearly(_MOVES)
def signs_with_a_gradient_straight_through() -> Any:
    return trained(Signs(straight=True))


@nearly(_MOVES, note="loss/target")
def two_views_are_pulled_together() -> Any:
    model = models.MLP()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)

    def loss(i: int) -> Tensor:
        x = numbers(12, 6, seed=i)
        return classify(model, i) + F.mse_loss(model(x), model(x + 0.1 * numbers(12, 6)))

    return plain(model, optimizer, loss)


class Adapted(OneLayer):
    """A layer with a low-rank adapter, whose second matrix starts at zero."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(6, 3, bias=False), nn.Linear(3, 8, bias=False)
        nn.init.zeros_(self.b.weight)
        self.fc1.requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.out(torch.tanh(self.fc1(x) + self.b(self.a(x))))
        return out


@nearly(_STUCK)
def lora_starts_with_zeros() -> Any:
    return trained(Adapted())


class Branch(OneLayer):
    """A residual branch."""

    def __init__(self) -> None:
        super().__init__()
        self.into, self.back = nn.Linear(6, 5), nn.Linear(5, 6)
        self.scale: nn.Parameter | None = None

    def forward(self, x: Tensor) -> Tensor:
        branch = self.back(torch.tanh(self.into(x)))
        x = x + (branch if self.scale is None else self.scale * branch)
        out: Tensor = self.out(torch.tanh(self.fc1(x)))
        return out


@nearly(_STUCK)
def residual_branch_starts_with_zeros() -> Any:
    model = Branch()
    nn.init.zeros_(model.back.weight)
    nn.init.zeros_(model.back.bias)
    return trained(model)


@nearly(_STUCK)
def rezero_scales_a_branch_by_zero() -> Any:
    model = Branch()
    model.scale = nn.Parameter(torch.zeros(()))
    return trained(model)


@nearly(_STUCK)
def head_starts_with_zeros() -> Any:
    model = models.MLP()
    nn.init.zeros_(model.fc3.weight)
    nn.init.zeros_(model.fc3.bias)
    return trained(model)


@nearly(_STUCK)
def dropout_draws_equal_units_apart() -> Any:
    model = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Dropout(0.5), nn.Linear(8, 4))
    for layer in (model[0], model[3]):
        nn.init.constant_(layer.weight, 0.1)
    nn.init.zeros_(model[0].bias)
    return trained(model)


@nearly(_STUCK)
def one_bias_tells_units_apart() -> Any:
    model = models.MLP(nn.Tanh())
    for layer in (model.fc1, model.fc2, model.fc3):
        nn.init.constant_(layer.weight, 0.1)
    return trained(model)


def partly(freeze: Callable[[nn.Module], Any], **options: float) -> Any:
    model = models.MLP()
    freeze(model)
    optimizer = torch.optim.SGD(model.parameters(), 0.1, **options)
    return plain(model, optimizer, lambda i: classify(model, i))


@nearly(_FROZEN)
def frozen_from_the_start_with_decay() -> Any:
    return partly(lambda m: m.fc1.requires_grad_(False), momentum=0.9, weight_decay=0.1)


@nearly(_FROZEN)
def norms_and_biases_frozen() -> Any:
    def freeze(model: nn.Module) -> None:
        for name, parameter in model.named_parameters():
            parameter.requires_grad_("weight" in name)

    return partly(freeze, weight_decay=0.1)


@nearly(_FROZEN)
def frozen_after_a_step_without_gradients() -> Any:
    model = models.MLP()
    optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9, weight_decay=0.1)

    def step(i: int) -> None:
        optimizer.zero_grad()
        if i == 1:
            model.fc1.requires_grad_(False)
        classify(model, i).backward()
        optimizer.step()

    return model, step


@nearly(_FROZEN)
def thawed_after_two_steps() -> Any:
    model = models.MLP()
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)

    def step(i: int) -> None:
        model.fc1.requires_grad_(i >= 2)
        optimizer.zero_grad()
        classify(model, i).backward()
        optimizer.step()

    return model, step


@nearly(_FROZEN, "vacuous")
def evolution_writes_its_own_gradients() -> Any:
    model = models.MLP().requires_grad_(False)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)

    def step(i: int) -> Tensor:
        loss = classify(model, i)
        for number, parameter in enumerate(model.parameters()):
            parameter.grad = 0.1 * numbers(*parameter.shape, seed=100 * i + number).to(parameter)
        optimizer.step()
        return loss

    return model, step


@nearly(_FROZEN, "vacuous")
def what_is_frozen_is_left_out() -> Any:
    model = models.MLP()
    model.fc1.requires_grad_(False)
    trainable = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.SGD(trainable, 0.1, weight_decay=0.1)
    return plain(model, optimizer, lambda i: classify(model, i))


def guarded(change: Callable[[Tensor], Tensor], *, skips: bool = False) -> Any:
    """Return a training whose loss has a term at zero, where some derivatives are infinite."""
    model = models.MLP()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)

    def step(i: int) -> None:
        optimizer.zero_grad()
        (classify(model, i) + change(model.fc1.bias * 0)).backward()
        gradients = [p.grad for p in model.parameters() if p.grad is not None]
        if not skips or i != 2 or all(bool(g.isfinite().all()) for g in gradients):
            optimizer.step()

    return model, step


@nearly(_FINITE)
def root_with_an_epsilon() -> Any:
    return guarded(lambda zeros: (zeros + 1e-8).sqrt().sum())


@nearly(_FINITE)
def where_on_both_sides() -> Any:
    def change(zeros: Tensor) -> Tensor:
        safe = torch.where(zeros > 0, zeros, torch.ones_like(zeros))
        return torch.where(zeros > 0, safe.log(), zeros).sum()

    return guarded(change)


@nearly(_FINITE)
def gradients_that_are_not_finite_are_set_to_zero() -> Any:
    model = models.MLP()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)

    def step(i: int) -> None:
        optimizer.zero_grad()
        (classify(model, i) + (model.fc1.bias * 0).sqrt().sum()).backward()
        for parameter in model.parameters():
            if parameter.grad is not None:
                parameter.grad.nan_to_num_(0.0, 0.0, 0.0)
        optimizer.step()

    return model, step


@nearly(_FINITE, "vacuous")
def updates_that_are_not_finite_are_left_out() -> Any:
    model = models.MLP()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)

    def step(i: int) -> None:
        optimizer.zero_grad()
        (classify(model, i) + (model.fc1.bias * 0).sqrt().sum()).backward()
        if bool(model.fc1.bias.grad.isfinite().all()):
            optimizer.step()

    return model, step


@nearly(_FINITE)
def norm_of_zero() -> Any:
    return guarded(lambda zeros: zeros.norm())


@nearly(_FINITE)
def absolute_value_of_zero() -> Any:
    return guarded(lambda zeros: zeros.abs().sum())


@nearly(_INPLACE)
def activations_in_place_in_a_chain() -> Any:
    model = nn.Sequential(nn.Linear(6, 9), nn.ReLU(inplace=True), nn.Linear(9, 4))
    return trained(model)


@nearly(_INPLACE)
def dropout_in_place() -> Any:
    model = nn.Sequential(nn.Linear(6, 9), nn.Dropout(0.2, inplace=True), nn.Linear(9, 4))
    return trained(model)


class After(nn.Module):
    """A block that adds its input before an activation overwrites the sum."""

    def __init__(self) -> None:
        super().__init__()
        self.fc, self.activation = nn.Linear(6, 6), nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.activation(self.fc(x) + x)
        return out


@nearly(_INPLACE)
def sum_is_overwritten_after_the_shortcut() -> Any:
    return trained(nn.Sequential(nn.Linear(6, 6), After(), After(), nn.Linear(6, 4)))


@nearly(_INPLACE)
def shared_activation_in_place() -> Any:
    shared = nn.LeakyReLU(0.1, inplace=True)
    layers = nn.Linear(6, 9), shared, nn.Linear(9, 7), shared, nn.Linear(7, 4)
    return trained(nn.Sequential(*layers))


@nearly(_INPLACE)
def copy_is_overwritten() -> Any:
    class Copying(After):
        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = self.fc(self.activation(x.clone())) + x
            return out

    return trained(nn.Sequential(nn.Linear(6, 6), Copying(), nn.Linear(6, 4)))


@nearly(_INPLACE, "vacuous")
def nothing_in_place() -> Any:
    return trained(models.MLP())
