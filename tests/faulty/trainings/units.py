"""Trainings that treat equal units unequally: in the forward, in backward or in the update."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import swa_utils

from tests.faulty.trainings.fault import fault
from tests.sound.trainings import models
from tests.sound.trainings.models import labels, numbers
from tests.sound.trainings.steps import classify, language

UNEQUAL = ("symmetry/permutation", "symmetry/clones")


def between(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    loss: Callable[[int], Tensor],
    *,
    before: Callable[[], Any] = lambda: None,
    after: Callable[[], Any] = lambda: None,
) -> Any:
    """Return a plain training with something before and after the update, in no_grad."""

    def step(i: int) -> None:
        optimizer.zero_grad()
        loss(i).backward()
        with torch.no_grad():
            before()
            optimizer.step()
            after()

    return model, step


def mlp(
    before: Callable[[models.MLP, Any], Any] = lambda model, optimizer: None,
    after: Callable[[models.MLP, Any], Any] = lambda model, optimizer: None,
    optimizer: Callable[..., Any] = torch.optim.Adam,
) -> Any:
    model = models.MLP(nn.Tanh())
    chosen = optimizer(model.parameters(), 0.01)
    return between(
        model,
        chosen,
        lambda i: classify(model, i),
        before=lambda: before(model, chosen),
        after=lambda: after(model, chosen),
    )


@fault(*UNEQUAL, wrong="the gradient of the last row of a layer is cleared: it is never updated")
def last_row_not_updated() -> Any:
    return mlp(lambda model, _: model.fc1.weight.grad[-1].zero_())


@fault(*UNEQUAL, wrong="the decay covers all rows but the first one")
def first_row_not_decayed() -> Any:
    return mlp(after=lambda model, _: model.fc2.weight[1:].mul_(0.999))


@fault(*UNEQUAL, wrong="one row decays by a hundred-thousandth in each step")
def one_row_decays_a_little() -> Any:
    return mlp(after=lambda model, _: model.fc1.weight[-1].mul_(1 - 1e-5))


@fault("symmetry/permutation", wrong="the optimiser's second moments are one unit off")
def second_moments_rolled() -> Any:
    def roll(model: models.MLP, optimizer: Any) -> None:
        state = optimizer.state[model.fc1.weight]
        state["exp_avg_sq"] = state["exp_avg_sq"].roll(1, 0)

    return mlp(after=roll)


@fault("symmetry/permutation", wrong="the optimiser forgets the momentum of one unit")
def momentum_of_a_unit_lost() -> Any:
    def forget(model: models.MLP, optimizer: Any) -> None:
        optimizer.state[model.fc1.weight]["momentum_buffer"][2] = 0

    return mlp(after=forget, optimizer=lambda p, lr: torch.optim.SGD(p, lr, momentum=0.9))


@fault(*UNEQUAL, wrong="the norm for clipping is taken of half a layer at a time")
def clipped_by_halves() -> Any:
    def clip(model: models.MLP, _: Any) -> None:
        for half in model.fc1.weight.grad.chunk(2):
            half.mul_(0.01 / half.norm())

    return mlp(clip, optimizer=torch.optim.SGD)


@fault(*UNEQUAL, wrong="gradients above a threshold are clipped in all rows but the last")
def last_row_not_clipped() -> Any:
    return mlp(lambda model, _: model.fc2.weight.grad[:-1].clamp_(-1e-3, 1e-3))


@fault(*UNEQUAL, wrong="the gradient of the last third of a layer is reduced twice")
def shard_reduced_twice() -> Any:
    return mlp(lambda model, _: model.fc1.weight.grad[6:].mul_(2), optimizer=torch.optim.SGD)


@fault(
    "symmetry/permutation",
    wrong="of two micro-batches one thread's rows keep the first gradient alone",
)
def update_lost_between_threads() -> Any:
    model = models.MLP()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)

    def step(i: int) -> None:
        optimizer.zero_grad()
        classify(model, 2 * i).backward()
        lost = model.fc1.weight.grad[4:6].clone()
        classify(model, 2 * i + 1).backward()
        model.fc1.weight.grad[4:6] = lost
        optimizer.step()

    return model, step


@fault(*UNEQUAL, wrong="half of a matrix is copied back through bfloat16")
def half_of_the_rows_in_bfloat16() -> Any:
    def cast(model: models.MLP, _: Any) -> None:
        model.fc2.weight[:4] = model.fc2.weight[:4].bfloat16().float()

    return mlp(after=cast)


@fault(
    *UNEQUAL,
    wrong="values are lost on the way between devices, the same places every time",
    source="TrainCheck",
)
def values_lost_between_devices() -> Any:
    def transfer(model: models.MLP, _: Any) -> None:
        model.fc2.weight.view(-1)[::17] = 0

    return mlp(after=transfer)


@fault(*UNEQUAL, wrong="rates grow with the index of the unit")
def rate_by_index() -> Any:
    def scale(model: models.MLP, _: Any) -> None:
        model.fc1.weight.grad.mul_(torch.linspace(0.9, 1.1, 9)[:, None])

    return mlp(scale, optimizer=torch.optim.SGD)


@fault(*UNEQUAL, wrong="the gradient is compressed to its first half instead of its largest")
def first_half_of_the_gradient_kept() -> Any:
    return mlp(lambda model, _: model.fc2.weight.grad.view(-1)[32:].zero_())


class _NeighbourInBackward(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        return x @ weight.t()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor]:
        x, weight = ctx.saved_tensors
        of_weight = grad.t() @ x
        of_weight[-1] = of_weight[-2]
        return grad @ weight, of_weight


@fault(*UNEQUAL, wrong="a backward by hand writes the gradient of the last row but one twice")
def wrong_row_in_backward() -> Any:
    model = models.MLP(nn.Tanh())
    optimizer = torch.optim.SGD(model.parameters(), 0.1)

    def loss(i: int) -> Tensor:
        x = torch.tanh(_NeighbourInBackward.apply(numbers(12, 6, seed=i), model.fc1.weight))
        out = model.fc3(torch.tanh(model.fc2(x + model.fc1.bias)))
        return F.cross_entropy(out, labels(12, 4, seed=i))

    return between(model, optimizer, loss)


@fault(*UNEQUAL, wrong="a hook scales the gradient that flows into the second half of the units")
def hook_scales_some_units() -> Any:
    model = models.MLP(nn.Tanh())
    scale = torch.cat([torch.ones(5), torch.full((4,), 1.01)])
    model.fc1.register_full_backward_hook(lambda m, into, out: None)
    model.fc1.register_forward_hook(
        lambda m, a, out: (out.register_hook(lambda g: g * scale), out)[1]
    )
    return between(model, torch.optim.SGD(model.parameters(), 0.1), lambda i: classify(model, i))


@fault("symmetry/permutation", wrong="the averaged model follows half of the units")
def average_of_half_the_units() -> Any:
    model = models.MLP()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    ema = swa_utils.AveragedModel(model)

    def follow() -> None:
        for slow, fast in zip(ema.module.parameters(), model.parameters(), strict=True):
            slow[: len(slow) // 2].lerp_(fast[: len(slow) // 2], 0.1)

    model, step = between(model, optimizer, lambda i: classify(model, i), after=follow)
    return model, step, {"ema": ema}


@fault(*UNEQUAL, wrong="BatchNorm's running variance of the last channel is not updated")
def running_variance_updated_in_part() -> Any:
    model = models.CNN()
    kept = model.bn1.running_var[-1].clone()

    def keep() -> None:
        model.bn1.running_var[-1] = kept

    return between(
        model,
        torch.optim.SGD(model.parameters(), 0.1),
        lambda i: classify(model, i, 6, 2, 8, 8),
        after=keep,
    )


class ForgetfulNorm(nn.Module):
    """A normalisation over the batch that keeps no running mean of its last units."""

    def __init__(self, units: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(units))
        self.register_buffer("running_mean", torch.zeros(units))

    def forward(self, x: Tensor) -> Tensor:
        mean = x.mean(0)
        with torch.no_grad():
            self.running_mean[:-2] = 0.9 * self.running_mean[:-2] + 0.1 * mean[:-2]
        return (x - mean) / x.std(0) * self.weight


@fault(*UNEQUAL, wrong="a forward keeps no running mean of two units")
def running_mean_kept_in_part() -> Any:
    model = nn.Sequential(nn.Linear(6, 9), ForgetfulNorm(9), nn.Tanh(), nn.Linear(9, 4))
    return between(model, torch.optim.SGD(model.parameters(), 0.1), lambda i: classify(model, i))


@fault(*UNEQUAL, wrong="one filter's gradient is divided by the wrong count")
def one_filter_scaled() -> Any:
    model = models.CNN()
    return between(
        model,
        torch.optim.SGD(model.parameters(), 0.1, momentum=0.9),
        lambda i: classify(model, i, 6, 2, 8, 8),
        before=lambda: model.conv2.weight.grad[2].mul_(0.5),
    )


@fault(*UNEQUAL, wrong="the gradient of one attention head is scaled")
def one_head_scaled() -> Any:
    model = models.GPT(1)
    return between(
        model,
        torch.optim.SGD(model.parameters(), 0.1),
        lambda i: language(model, i),
        before=lambda: model.blocks[0].proj.weight.grad[:, :3].mul_(1.1),
    )


@fault(*UNEQUAL, wrong="LayerNorm's gain is trained for all dimensions but the last")
def last_gain_frozen() -> Any:
    model = models.GPT(1)
    return between(
        model,
        torch.optim.AdamW(model.parameters(), 1e-2),
        lambda i: language(model, i),
        before=lambda: model.norm.weight.grad[-1:].zero_(),
    )


@fault(*UNEQUAL, wrong="of four stacked gates the last one's bias loses its last gradient")
def last_gate_loses_a_gradient() -> Any:
    model = models.Recurrent(nn.LSTM)
    return between(
        model,
        torch.optim.Adam(model.parameters(), 1e-2),
        lambda i: classify(model, i, 4, 3, 5, classes=3),
        before=lambda: model.rnn.bias_hh_l0.grad[-1:].zero_(),
    )


@fault("symmetry/permutation", wrong="one expert is trained at twice the rate")
def one_expert_favoured() -> Any:
    model = models.Experts()
    return between(
        model,
        torch.optim.SGD(model.parameters(), 0.1),
        lambda i: classify(model, i),
        before=lambda: model.up.grad[1].mul_(2),
    )


@fault("symmetry/permutation", wrong="of stacked experts in a loop one is trained at half the rate")
def one_looped_expert_left_behind() -> Any:
    model = models.RoutedExperts()
    return between(
        model,
        torch.optim.SGD(model.parameters(), 0.1),
        lambda i: classify(model, i),
        before=lambda: [p.grad[0].div_(2) for p in (model.up, model.down)],
    )


@fault("symmetry/permutation", wrong="of experts chosen by groups one is trained at half the rate")
def one_expert_of_a_group_left_behind() -> Any:
    model = models.GroupedExperts()
    return between(
        model,
        torch.optim.SGD(model.parameters(), 0.1),
        lambda i: classify(model, i, 40, 6),
        before=lambda: [p.grad[5].div_(2) for p in (model.up, model.down)],
    )


@fault(*UNEQUAL, wrong="gradients are accumulated in bfloat16 for the first four units")
def accumulated_in_bfloat16() -> Any:
    model = models.MLP()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)

    def step(i: int) -> None:
        optimizer.zero_grad()
        for part in range(3):
            classify(model, 3 * i + part).backward()
            grad = model.fc1.weight.grad
            grad[:4] = grad[:4].bfloat16().float()
        optimizer.step()

    return model, step


@fault(*UNEQUAL, wrong="noise is added to the gradients, and its seed gives each unit its own")
def noise_by_unit() -> Any:
    noise = numbers(9, 6, seed=5)
    return mlp(lambda model, _: model.fc1.weight.grad.add_(1e-3 * noise))


# Forwards that tell units apart: the groups become smaller, and the pins say so.


class _Forward(models.MLP):
    def __init__(self, change: Callable[[Tensor], Tensor]) -> None:
        super().__init__(nn.Tanh())
        self.change = change

    def forward(self, x: Tensor) -> Tensor:
        x = self.change(torch.tanh(self.fc1(x)))
        out: Tensor = self.fc3(torch.tanh(self.fc2(x)))
        return out


def pinned(change: Callable[[Tensor], Tensor]) -> Any:
    model = _Forward(change)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    return between(model, optimizer, lambda i: classify(model, i))


@fault("training/units", wrong="the forward cuts off the last hidden unit")
def last_unit_cut_off() -> Any:
    return pinned(lambda x: F.pad(x[:, :-1], (0, 1)))


@fault("training/units", wrong="a mask for dropout is the same in every step")
def mask_that_never_changes() -> Any:
    mask = numbers(9, seed=3) > 0
    return pinned(lambda x: x * mask * 2)


@fault("training/units", wrong="a second activation covers the first half of the units")
def activation_of_half_the_units() -> Any:
    return pinned(lambda x: torch.cat([torch.relu(x[:, :4]), x[:, 4:]], 1))


@fault("training/units", wrong="units are mixed with their neighbours: a wrong reshape")
def units_mixed_with_neighbours() -> Any:
    return pinned(lambda x: (x + x.roll(1, 1)) / 2)


for broken in (
    last_unit_cut_off,
    mask_that_never_changes,
    activation_of_half_the_units,
    units_mixed_with_neighbours,
):
    broken.expect_units = {"fc1": 9}  # type: ignore[attr-defined]
