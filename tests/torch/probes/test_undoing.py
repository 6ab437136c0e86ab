"""Steps with a mistake undone: a cut; and networks on the way."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from symmetry.training.capabilities.flowing import Cut, Flowing, Undoing
from symmetry.training.run import RunSettings, needed
from symmetry.training.target import FunctionTraining


def training(loss_of, trained=("one", "two"), prepare=lambda _: None):
    """Return a run of two layers, of which some are trained."""

    def make():
        model = nn.ModuleDict({"one": nn.Linear(6, 8), "two": nn.Linear(8, 4)})
        prepare(model)
        held = [p for name in trained for p in model[name].parameters()]
        optimizer = torch.optim.SGD(held, 0.5)

        def step(_):
            x = torch.linspace(-1, 1, 30).view(5, 6)
            optimizer.zero_grad()
            loss_of(model, x).backward()
            optimizer.step()

        return model, step

    return FunctionTraining("mine", make).begin(RunSettings())


def plain(model, x):
    return model["two"](torch.relu(model["one"](x))).square().mean()


def straight_through(model, x):
    y = model["two"](model["one"](x)).square().mean()
    return 1 + (y - y.detach())


def first_cut(loss_of, names=()) -> Cut:
    run = training(loss_of)
    with needed(run, Flowing).followed(frozenset(names or run.parameters)) as followed:
        run.step()
    flow = followed.flow
    return (*flow.terms, *flow.cuts)[0]


def test_a_tensor_that_the_loss_has_in_another_way_is_used():
    def beside(model, x):
        h = torch.relu(model["one"](x))
        return model["two"](h.detach()).square().mean() + h.square().mean().item()

    cut, run = first_cut(straight_through), training(straight_through)
    with needed(run, Undoing).cutting(cut) as found:
        run.step()
    assert found.is_used
    cut, run = first_cut(beside), training(beside)
    with needed(run, Undoing).cutting(cut) as found:
        run.step()
    assert (found.times, found.is_used) == (1, False)


@pytest.mark.parametrize(
    ("trained", "network", "way"), [(("one",), "two", True), (("two",), "one", False)]
)
def test_only_a_network_behind_others_is_on_the_way(trained, network, way):
    run = training(plain, trained)
    assert needed(run, Undoing).is_on_the_way(network) is way
    assert needed(run, Undoing).is_initial(network)


def test_a_network_in_evaluation_mode_is_not_on_the_way():
    run = training(plain, ("one",), lambda model: model["two"].eval())
    assert not needed(run, Undoing).is_on_the_way("two")


@pytest.mark.parametrize(
    "init",
    [
        lambda weight: weight.mul_(1.1),  # trained, or of another distribution
        lambda weight: weight.mul_(0.5),
        nn.init.normal_,
        nn.init.zeros_,
    ],
)
def test_other_weights_are_not_those_of_the_layers(init):
    def prepare(model):
        with torch.no_grad():
            init(model["two"].weight)

    assert not needed(training(plain, prepare=prepare), Undoing).is_initial("two")
