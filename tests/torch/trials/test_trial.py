"""The trial of a run: what its modules are called with, and calls that are repeated."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from symmetry.base.errors import TrainingError
from symmetry.training.run import RunSettings
from symmetry.training.target import FunctionTraining
from symmetry.training.trial import Trial

COUNT, SAMPLE = 4, 2


class Net(nn.Module):
    """A model that is called as a whole, with a layer that mixes samples if one is given."""

    def __init__(self, mix=lambda x: x):
        super().__init__()
        self.into, self.drop, self.out = nn.Linear(3, 5), nn.Dropout(0.5), nn.Linear(5, 2)
        self.mix = mix

    def forward(self, x):
        return self.out(self.mix(self.drop(self.into(x))))


def begun(model, order=None, updated=(), before=lambda x: x):
    """Return a run whose batch has four samples, changed before the model; updates are noted."""

    def make():
        optimizer = torch.optim.SGD(model.parameters(), 0.1)

        def step(x):
            F.cross_entropy(model(before(x)), torch.arange(len(x)) % 2).backward()
            optimizer.step()
            if updated != ():
                updated.append(True)

        draw = torch.Generator().manual_seed(0)
        x = torch.randn(COUNT, 3, generator=draw)
        return model, step, {"batch": lambda _: x}

    return FunctionTraining("net", make).begin(RunSettings(dtype="float64", order=order))


def changed(model, **facts):
    places = np.arange(COUNT)
    places[SAMPLE] = 3
    return begun(model, places, **facts).capability(Trial).module_inputs()


def repeated(model, **facts):
    """Return what is said of the model with one sample replaced."""
    other = changed(model, **facts)
    return begun(model, **facts).capability(Trial).with_samples({SAMPLE: other}, COUNT)


def test_what_cannot_be_called_in_evaluation_says_why():
    class Training(Net):
        def forward(self, x):
            if not self.training:
                raise RuntimeError("for training alone")
            return super().forward(x)

    (call,) = begun(Training()).capability(Trial).in_evaluation().calls
    assert "for training alone" in call.raised


def test_a_model_is_judged_behind_mixup():
    mixup = {"before": lambda x: 0.7 * x + 0.3 * x.flip(0)}
    (call,) = repeated(Net(), **mixup)
    assert (call.alone, call.mixer, call.why_not) == (True, None, "")
    (call,) = repeated(Net(lambda x: x.softmax(0)), **mixup)
    assert call.mixer.kind == "softmax"
    (call,) = repeated(Net(), before=lambda x: x - x.mean(0))
    assert call.why_not == "its samples are combined before they reach the model"


def with_lengths(body):
    """Return what is said of a model that packs its rows by their lengths around a body."""

    class Packing(Net):
        def forward(self, x, lengths):
            order = lengths.argsort()
            return self.out(body(self.into(x), order).view(4, 5)[order.argsort()])

    class Given(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = Packing()

        def __call__(self, x):
            return self.net(x, (1000 * x[:, 0]).long())

    (call,) = repeated(Given())
    return call


def test_rows_in_the_order_of_their_lengths_lie_apart():
    assert with_lengths(lambda x, order: x[order].tanh()).alone
    mixer = with_lengths(lambda x, order: x.view(2, 10).softmax(1).view(4, 5)[order]).mixer
    assert (mixer.kind, mixer.operation) == ("view", "view")


def test_statistics_of_the_batch_are_an_excuse():
    model = Net()
    model.mix = nn.BatchNorm1d(5, track_running_stats=False)
    (call,) = repeated(model)
    assert call.why_not == "a batch normalisation without running statistics is in it"


def test_an_argument_may_give_each_sample_a_partner():
    class Mixed(Net):
        def forward(self, x, order=(1, 0, 3, 2)):
            return super().forward(x + x[torch.as_tensor(order)])

    class Given(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = Mixed()

        def __call__(self, x):
            return self.net(x, torch.tensor([1, 0, 3, 2]))

    (call,) = repeated(Mixed())
    assert call.mixer.operation == "index"
    (call,) = repeated(Given())
    assert call.why_not == "an argument is an order of its samples"


class TidiesUp:
    """A trainer that fails as it tidies up after an exception."""

    def __init__(self, model, fails_itself=False):
        self.model, self.fails_itself = model, fails_itself

    def __call__(self, x):
        if self.fails_itself:
            raise KeyError("its own")
        try:
            F.cross_entropy(self.model(x), torch.arange(len(x)) % 2).backward()
        except BaseException:
            raise IndexError("pop from empty list") from None


@pytest.mark.parametrize("fails_itself", [False, True])
def test_a_step_may_fail_as_it_is_ended(fails_itself):
    def make():
        model = Net()
        torch.optim.SGD(model.parameters(), 0.1)
        step = TidiesUp(model, fails_itself)
        return model, step, {"batch": lambda _: torch.randn(COUNT, 3)}

    trial = FunctionTraining("net", make).begin().capability(Trial)
    if fails_itself:
        with pytest.raises(TrainingError, match="its own"):
            trial.module_inputs()
    else:
        assert trial.module_inputs() is not None
