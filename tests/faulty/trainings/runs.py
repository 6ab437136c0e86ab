"""Trainings that are wrong for all units alike: what they keep, hold, move and draw."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.faulty.trainings.fault import fault
from tests.sound.trainings import models
from tests.sound.trainings.models import labels, numbers, tokens
from tests.sound.trainings.steps import classify, masked_tokens, pausing, plain

_calls = itertools.count()
_cache: list[Tensor] = []


@fault("training/resume", wrong="gradients are never cleared", source="TrainCheck")
def gradients_never_cleared() -> Any:
    model = models.MLP()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)

    def step(i: int) -> None:
        classify(model, i).backward()
        optimizer.step()

    return model, step


@fault("training/resume", wrong="the state of the recurrent network is carried on by the step")
def carried_state_is_not_saved() -> Any:
    class Language(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.into, self.rnn = nn.Embedding(11, 5), nn.LSTM(5, 6, batch_first=True)
            self.out = nn.Linear(6, 11)

    model = Language()
    optimizer = torch.optim.SGD(model.parameters(), 0.5)
    carried: dict[str, Any] = {"state": None}

    def loss(i: int) -> Tensor:
        text = tokens(3, 6, seed=i)
        out, state = model.rnn(model.into(text[:, :-1]), carried["state"])
        carried["state"] = tuple(s.detach() for s in state)
        return F.cross_entropy(model.out(out).flatten(0, 1), text[:, 1:].flatten())

    return plain(model, optimizer, loss)


@fault("training/resume", wrong="layers in a plain list: no state dictionary knows them")
def layers_in_a_list() -> Any:
    class Listed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers, self.out = [nn.Linear(6, 8)], nn.Linear(8, 4)

        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = self.out(torch.tanh(self.layers[0](x)))
            return out

    model = Listed()
    held = [*model.parameters(), *model.layers[0].parameters()]
    optimizer = torch.optim.SGD(held, 0.1)
    return plain(model, optimizer, lambda i: classify(model, i))


@fault("training/resume", wrong="a warm-up counts by itself, outside of all state dictionaries")
def warm_up_counts_by_itself() -> Any:
    model = models.MLP()
    optimizer = torch.optim.SGD(model.parameters(), 0.0)
    counter = itertools.count(1)

    def step(i: int) -> None:
        optimizer.zero_grad()
        classify(model, i).backward()
        optimizer.param_groups[0]["lr"] = 0.1 * min(1.0, next(counter) / 4)
        optimizer.step()

    return model, step


class _Momentum(torch.optim.Optimizer):
    """Keeps its momentum in an attribute, not in its state."""

    def __init__(self, params: Any, lr: float) -> None:
        super().__init__(params, {"lr": lr})
        self.kept: dict[Any, Tensor] = {}

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for p in group["params"]:
                self.kept[p] = 0.9 * self.kept.get(p, torch.zeros_like(p)) + p.grad
                p -= group["lr"] * self.kept[p]


@fault("training/resume", wrong="an optimiser keeps its momentum where no state dictionary looks")
def momentum_in_an_attribute() -> Any:
    model = models.MLP()
    return plain(model, _Momentum(model.parameters(), 0.1), lambda i: classify(model, i))


@fault("symmetry/repeatable", wrong="augmentation draws from a generator that nobody seeds")
def augmentation_unseeded() -> Any:
    model = models.MLP()
    generator = np.random.default_rng()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)

    def loss(i: int) -> Tensor:
        noise = torch.from_numpy(generator.standard_normal((12, 6))).float()
        out = model(numbers(12, 6, seed=i) + 0.1 * noise)
        return F.cross_entropy(out, labels(12, 4, seed=i))

    return plain(model, optimizer, loss)


@fault("symmetry/repeatable", wrong="a counter in the module goes on in the next run")
def counter_outlives_the_run() -> Any:
    model = models.MLP()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    return plain(model, optimizer, lambda i: classify(model, i) / (1 + 0.01 * next(_calls)))


@fault("symmetry/repeatable", wrong="a cache in the module keeps a target of the run before")
def cache_outlives_the_run() -> Any:
    model = models.MLP()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)

    def loss(i: int) -> Tensor:
        out = model(numbers(12, 6, seed=i))
        target = _cache[-1] if _cache else 0.5 * out.detach()
        _cache.append(0.5 * out.detach())
        return F.mse_loss(out, target)

    return plain(model, optimizer, loss)


@fault(
    "symmetry/repeatable",
    wrong="values are lost at random between devices",
    source="TrainCheck",
)
def values_lost_at_random() -> Any:
    model = models.MLP()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    generator = np.random.default_rng()

    def lose() -> None:
        with torch.no_grad():
            model.fc1.weight.view(-1)[int(generator.integers(54))] = 0

    return plain(model, optimizer, lambda i: classify(model, i), lose)


@fault("training/zero-rate", wrong="weights decay by hand, whatever the rate")
def decay_by_hand() -> Any:
    model = models.MLP()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)

    def decay() -> None:
        with torch.no_grad():
            for p in model.parameters():
                p.mul_(0.999)

    return plain(model, optimizer, lambda i: classify(model, i), decay)


@fault("training/zero-rate", wrong="an update by hand was left in, beside the optimiser's")
def updated_twice() -> Any:
    model = models.MLP()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)

    def again() -> None:
        with torch.no_grad():
            for p in model.parameters():
                p -= 1e-3 * p.grad

    return plain(model, optimizer, lambda i: classify(model, i), again)


@fault("training/zero-rate", wrong="decay that is not multiplied by the rate")
def decay_not_scaled_by_the_rate() -> Any:
    class Decaying(torch.optim.SGD):
        def step(self, closure: Any = None) -> None:  # type: ignore[override]
            with torch.no_grad():
                for group in self.param_groups:
                    for p in group["params"]:
                        p.mul_(1 - 1e-3)
            super().step(closure)

    model = models.MLP()
    return plain(model, Decaying(model.parameters(), 0.1), lambda i: classify(model, i))


@fault(
    "training/moves",
    wrong="the model is made anew after the optimiser: that one holds the old parameters",
    source="TrainCheck",
)
def optimiser_of_an_older_model() -> Any:
    model = models.MLP()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    model = models.MLP()
    return plain(model, optimizer, lambda i: classify(model, i))


@fault("training/moves", wrong="the head is replaced after the optimiser was made")
def head_replaced() -> Any:
    model = models.MLP()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    model.fc3 = nn.Linear(7, 4)
    return plain(model, optimizer, lambda i: classify(model, i))


@fault("training/moves", wrong="the optimiser is handed the weights only")
def biases_forgotten() -> Any:
    model = models.MLP()
    weights = [p for p in model.parameters() if p.ndim > 1]
    return plain(model, torch.optim.SGD(weights, 0.1), lambda i: classify(model, i))


@fault(
    "training/moves", wrong="the step has become a no-op after it was compiled", source="TrainCheck"
)
def compiled_step_is_a_no_op() -> Any:
    model = models.MLP()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)

    class Stuck(torch.optim.SGD):
        def step(self, closure: Any = None) -> None:  # type: ignore[override]
            """Do nothing: the graph was captured before there were gradients."""

    optimizer = Stuck(model.parameters(), 0.1)
    return plain(model, optimizer, lambda i: classify(model, i))


@fault(
    "training/moves",
    "training/resume",
    wrong="a step that is compiled in a pause, without gradients, stays a no-op after it",
    source="TrainCheck",
)
def step_compiled_in_a_pause() -> Any:
    class Compiled(torch.optim.SGD):
        captured: bool | None = None

        def step(self, closure: Any = None) -> None:  # type: ignore[override]
            if self.captured is None:
                self.captured = any(p.grad is not None for p in self.param_groups[0]["params"])
            if self.captured:
                super().step(closure)

    model = models.MLP()
    return pausing(model, Compiled(model.parameters(), 0.1))


@fault(
    "training/resume",
    wrong="stages are frozen by train(), which nobody calls before the first evaluation",
    source="TrainCheck",
)
def stages_frozen_too_late() -> Any:
    model = models.MLP()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)

    def step(i: int) -> None:
        optimizer.zero_grad()
        classify(model, i).backward()
        optimizer.step()
        if i == 0:
            model.fc1.requires_grad_(False)

    return model, step


@fault("training/moves", wrong="an update of a copy: p = p - ... instead of p -= ...")
def copies_updated() -> Any:
    class Copies(torch.optim.SGD):
        @torch.no_grad()
        def step(self, closure: Any = None) -> None:  # type: ignore[override]
            for group in self.param_groups:
                for p in group["params"]:
                    p = p - group["lr"] * p.grad

    model = models.MLP()
    return plain(model, Copies(model.parameters(), 0.1), lambda i: classify(model, i))


def given(loss: Any, count: int = 12) -> Any:
    """Return a training that gives its batches; ``loss(model, x, y)``."""
    model = models.MLP(nn.Tanh())
    optimizer = torch.optim.SGD(model.parameters(), 0.1)

    def step(batch: tuple[Tensor, Tensor]) -> None:
        optimizer.zero_grad()
        loss(model, *batch).backward()
        optimizer.step()

    return model, step, {"batch": lambda i: (numbers(count, 6, seed=i), labels(count, 4, seed=i))}


@fault("symmetry/samples", wrong="the last sample of each batch is left out")
def last_sample_left_out() -> Any:
    return given(lambda model, x, y: F.cross_entropy(model(x[:-1]), y[:-1]))


@fault("symmetry/samples", wrong="the last sample is left out, beside noise on all inputs")
def last_sample_left_out_beside_noise() -> Any:
    def loss(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        return F.cross_entropy(model((x + 0.3 * torch.randn_like(x))[:-1]), y[:-1])

    return given(loss)


@fault("training/padding", wrong="states of hidden tokens take part in the mean")
def mean_over_padding() -> Any:
    return masked_tokens(lambda x, mask: x.mean(1))


@fault("symmetry/samples", wrong="inputs are mixed with their neighbours, labels are not")
def inputs_mixed_with_neighbours() -> Any:
    return given(lambda model, x, y: F.cross_entropy(model((x + x.roll(1, 0)) / 2), y))


@fault("symmetry/samples", wrong="inputs are mixed with the flipped batch, labels are not")
def inputs_mixed_with_the_flipped_batch() -> Any:
    def loss(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        return F.cross_entropy(model(0.7 * x + 0.3 * x.flip(0)), y)

    return given(loss, 7)


@fault("symmetry/samples", wrong="the first sample comes twice, the last one never")
def first_sample_in_the_place_of_the_last() -> Any:
    def loss(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        numbers = torch.arange(len(x)) % (len(x) - 1)
        return F.cross_entropy(model(x[numbers]), y[numbers])

    return given(loss)


@fault("symmetry/samples", wrong="labels are those of the next sample")
def labels_of_the_next_sample() -> Any:
    return given(lambda model, x, y: F.cross_entropy(model(x), y.roll(1, 0)))


@fault(
    "symmetry/samples",
    wrong="of a batch only the first input is processed, and compared with all labels",
    source="TrainCheck",
)
def first_input_for_all_labels() -> Any:
    return given(lambda model, x, y: F.cross_entropy(model(x[:1]).expand(len(y), -1), y))


@fault("symmetry/samples", wrong="a batch is folded into the wrong axis and back")
def batch_folded() -> Any:
    def loss(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        return F.cross_entropy(model(x.reshape(6, 12).t().reshape(12, 6)), y)

    return given(loss)


@fault("symmetry/samples", wrong="the mean of micro-batches of unequal size is not weighted")
def micro_batches_of_unequal_size() -> Any:
    def loss(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        parts = zip(x.split(5), y.split(5), strict=True)
        return torch.stack([F.cross_entropy(model(a), b) for a, b in parts]).mean()

    return given(loss)


class _SlopeOff(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return torch.tanh(x)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return grad * (1 - x**2)


@fault(
    "training/gradient",
    "model/functions",
    wrong="a slope is computed from the input instead of the output",
)
def slope_of_the_input() -> Any:
    class Activation(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = _SlopeOff.apply(x)
            return out

    model = models.MLP(Activation())
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    return plain(model, optimizer, lambda i: classify(model, i))


@fault("training/gradient", wrong="a path is cut by detach, and its gradient is missing")
def path_cut_by_detach() -> Any:
    class Cut(models.Gated):
        def forward(self, x: Tensor) -> Tensor:
            y = self.norm(x)
            gate = F.silu(self.gate(y)).detach()
            out: Tensor = self.head(x + self.down(gate * self.up(y) + F.silu(self.gate(y))))
            return out

    model = Cut()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    return plain(model, optimizer, lambda i: classify(model, i))
