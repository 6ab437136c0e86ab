"""Groups found in many architectures, against those counted by hand."""

from __future__ import annotations

import json
from functools import cache

import numpy as np
import pytest
import torch
from torch import nn

from symmetry import find_units
from symmetry.base import memory
from symmetry.base.errors import SymmetryError, TrainingError
from symmetry.finding.find import find
from symmetry.finding.rehearsal import Rehearsal
from symmetry.training.run import RunSettings
from symmetry.training.target import FunctionTraining
from tests.checking import check_target
from tests.finding import models
from tests.finding.models import COUNTED

QUICK = {  # the others are made of the same parts, or take more of them together
    models.mlp,
    models.cnn,
    models.resnet,
    models.gpt,
    models.lstm,
    models.own_cell,
    models.gan,
    models.vae,
    models.stacked_experts,
    models.glu,
    models.few_rows,
    models.twin_critics,
    models.dots,
    models.late,
    models.chosen_matrices,
}


@cache
def found(make):
    """Return the groups of a model; several tests look at the same ones."""
    return find(FunctionTraining(make.__name__, make))


def marked(makes):
    for make in makes:
        yield pytest.param(make, id=make.__name__, marks=[pytest.mark.slow] * (make not in QUICK))


@pytest.mark.parametrize("make", [*marked(COUNTED)])
def test_groups_are_those_counted_by_hand(make):
    coverage = found(make)
    assert len(coverage.groups) == COUNTED[make], coverage
    assert len({units.name for units in coverage.groups}) == COUNTED[make]
    run = FunctionTraining(make.__name__, make).begin(RunSettings(dtype="float64", noise=False))
    numbers, count = {}, 0
    for name, array in run.state().items():
        numbers[name] = np.arange(count, count + array.size).reshape(array.shape)
        count += array.size
    for units in coverage.groups:  # a group moves something in each array, and loses nothing
        rotated = units.rearranged(numbers, np.roll(np.arange(units.count), 1))
        assert all((rotated[name] != numbers[name]).any() for name in units.arrays)
        before, after = (
            np.concatenate([state[name].ravel() for name in units.arrays])
            for state in (numbers, rotated)
        )
        assert np.array_equal(np.sort(before), np.sort(after))


def test_units_are_named_by_what_makes_them():
    def generator():
        nn = torch.nn
        layers = [nn.ConvTranspose2d(a, b, 2, bias=False) for a, b in ((3, 5), (5, 4), (4, 1))]
        model = nn.Sequential(
            layers[0], nn.BatchNorm2d(5), nn.Tanh(), layers[1], nn.Tanh(), layers[2]
        )
        return models.train(model, lambda m, x: m(x).square().mean(), models.normal(6, 3, 2, 2))

    coverage = find(FunctionTraining("generator", generator))
    assert coverage.parameters == 3 * 5 * 4 + 2 * 5 + 5 * 4 * 4 + 4 * 1 * 4
    assert [units.name for units in coverage.groups] == ["layer 0 channels", "layer 3 channels"]


def test_statistics_that_begin_in_a_later_step_belong_to_their_units():
    def in_turn():
        nets = [
            nn.Sequential(nn.Linear(5, 7), nn.BatchNorm1d(7), nn.Tanh(), nn.Linear(7, 3))
            for _ in range(2)
        ]
        steps = [models.classify(net, models.normal(8, 5), 3)[1] for net in nets]
        return nn.ModuleList(nets), lambda k: steps[k % 2](k // 2)

    names = {f"model.{i}.1.running_{of}" for i in (0, 1) for of in ("mean", "var")}
    assert names <= {part.array for units in find_units(in_turn).groups for part in units.parts}


def test_statistics_that_begin_behind_the_loss_belong_to_their_units():
    def recalibrated():
        net = nn.Sequential(nn.Linear(5, 7), nn.BatchNorm1d(7), nn.Tanh(), nn.Linear(7, 3)).eval()
        _, train = models.classify(net, models.normal(8, 5), 3)

        def step(k):
            loss = train(k)
            net.train()
            with torch.no_grad():
                net(torch.ones(2, 5) * torch.arange(2)[:, None])
            net.eval()
            return loss

        return net, step

    (units,) = find_units(recalibrated).groups
    assert {"model.1.running_mean", "model.1.running_var"} <= {part.array for part in units.parts}


def test_units_without_gradient_are_told_and_stay_in_their_group():
    def dead():
        model, step = models.mlp()
        with torch.no_grad():
            model[0].weight[2], model[0].bias[2] = 0.0, -1.0
        return model, step

    coverage = find_units(dead)
    assert [units.count for units in coverage.groups] == [7, 6]
    assert coverage.no_gradient == {"layer 0 units": (2,), "layer 2 units": ()}
    assert "7  layer 0 units (1 of them without gradient)" in repr(coverage)
    first, second = json.loads(coverage.to_json())["groups"]
    assert (first["no_gradient"], second["no_gradient"]) == ([2], [])


def test_units_are_found_in_one_thread():
    threads, before = set(), torch.get_num_threads()

    def noting():
        model, step = models.mlp()
        return model, lambda k: threads.add(torch.get_num_threads()) or step(k)

    torch.set_num_threads(2)
    try:
        find_units(noting)
        assert (threads, torch.get_num_threads()) == ({1}, 2)
    finally:
        torch.set_num_threads(before)


@pytest.mark.slow  # the groups of this model are, too
def test_the_places_within_a_patch_are_inputs():
    coverage = found(models.vit)
    reasons = {u.axis: u.why for u in coverage.uncovered if u.array == "model.patch.weight"}
    assert reasons == {1: "input", 2: "input", 3: "input"}


def test_lazy_modules_have_their_units_after_their_first_call():
    def lazy():
        model = torch.nn.Sequential(torch.nn.LazyLinear(6), torch.nn.Tanh(), torch.nn.LazyLinear(3))
        return models.classify(model, models.normal(9, 5), 3)

    coverage = find(FunctionTraining("lazy", lazy))
    assert [(units.name, units.count) for units in coverage.groups] == [("layer 0 units", 6)]
    run = FunctionTraining("lazy", lazy).begin()
    assert run.taken == 0
    assert run.state()["model.0.weight"].shape == (6, 5)


def test_experts_whose_first_two_differ_are_tried_in_blocks_of_no_size(monkeypatch):
    def choose(m, x):
        weights, chosen = m.router(x).softmax(-1).topk(2)
        return weights * (1 + chosen), chosen

    def unequal():
        model = models.of_stacked_experts(models.in_a_loop(choose), 8)
        return models.classify(model, models.normal(40, 4), 3)

    tried, survivors = [], Rehearsal.survivors

    def noted(rehearsal, groups, others=(), excused=()):
        tried.extend(groups)
        return survivors(rehearsal, groups, others, excused)

    monkeypatch.setattr(Rehearsal, "survivors", noted)
    coverage = find(FunctionTraining("unequal", unequal))
    assert not any(units.selectable for units in coverage.groups)
    assert {units.count for units in tried if units.selectable} == {2}


def test_a_search_that_finds_nothing_ends():
    assert found(models.empty_memory).groups  # took hours


def update(parameters, gradients):
    """Update all but the last row of each parameter, which is what a check has to see."""
    with torch.no_grad():
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter[:-1] -= 0.1 * gradient[:-1]


def by_grad(model, loss):
    """Differentiate by ``torch.autograd.grad``, two halves of a batch one after the other."""
    parameters = [*model.parameters()]
    first, second = (
        torch.autograd.grad(loss(dict(model.named_parameters()), half), parameters)
        for half in (slice(0, 4), slice(4, 8))
    )
    update(parameters, [a + b for a, b in zip(first, second, strict=True)])


def by_func(model, loss):
    """Differentiate by ``torch.func.grad``, and return the loss after the update."""
    parameters = dict(model.named_parameters())
    gradients = torch.func.grad(loss)({n: p.detach() for n, p in parameters.items()}, slice(0, 8))
    update(parameters.values(), [gradients[name] for name in parameters])
    return loss(parameters, slice(0, 8))


def by_hand(model, loss):
    """Shrink the weights by what the loss is, without any derivative, and return it."""
    with torch.no_grad():
        found = loss(dict(model.named_parameters()), slice(0, 8))
        update([*model.parameters()], [found * parameter for parameter in model.parameters()])
    return found


@pytest.mark.parametrize("way", ["by_grad", "by_func", "by_hand"])
def test_an_update_without_backward_makes_no_group_smaller(way):
    def make():
        model, _ = models.mlp()

        def step(i):
            torch.manual_seed(i)
            x, y = torch.randn(8, model[0].in_features), torch.randint(2, (8,))

            def loss(parameters, half):
                logits = torch.func.functional_call(model, parameters, (x[half],))
                return torch.nn.functional.cross_entropy(logits, y[half])

            return globals()[way](model, loss)

        return model, step

    usual = found(models.mlp)
    assert [g.count for g in find(FunctionTraining(way, make)).groups] == [
        g.count for g in usual.groups
    ]


def resizing():
    """A buffer keeps what the hidden units of the last batch were."""
    model, step = models.mlp()
    model.register_buffer("seen", torch.zeros(0))
    model[1].register_forward_hook(lambda *args: setattr(model, "seen", args[-1].detach()))
    return model, step


def busy():
    """A step that is left by an exception cannot be taken again."""
    model, step = models.mlp()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    running = []

    def one_at_a_time(i):
        if running:
            raise RuntimeError("already running")
        running.append(i)
        optimizer.zero_grad()
        step(i)
        for parameter in model.parameters():
            parameter.data = parameter.data - 0.1 * parameter.grad
        optimizer.step()
        running.clear()

    return model, one_at_a_time


@pytest.mark.parametrize("make", [resizing, busy])
def test_what_a_step_leaves_makes_no_group_smaller(make):
    usual = found(models.mlp)
    assert [g.count for g in find(FunctionTraining("made", make)).groups] == [
        g.count for g in usual.groups
    ]


def test_what_changes_its_shape_is_not_compared():
    only = ["symmetry/permutation", "symmetry/clones", "symmetry/repeatable"]
    report = check_target(FunctionTraining("resizing", resizing), only=only)
    assert {verdict.kind for verdict in report.verdicts} <= {"holds", "rounding"}


def test_modules_of_several_names_are_named_by_all_of_them():
    coverage = find(FunctionTraining("twins", models.twin_critics))
    names = [units.name for units in coverage.groups]
    assert names == ["q1.0 units", "q2.0 units", "q1/q2 modules"]
    coverage = find(FunctionTraining("twins", models.flat_twins))
    assert coverage.groups[-1].name == "l0/l3 modules"


def test_what_does_not_fit_into_memory_is_refused_beforehand(monkeypatch):
    monkeypatch.setattr(memory, "limits", lambda: iter([1000]))
    with pytest.raises(SymmetryError, match=r"this would take 8\.\d KiB of memory"):
        find(FunctionTraining("mlp", models.mlp))


def ratio_to_itself(own, advantages):
    """Return a training whose loss is the same for all parameters, by what it calls its own."""

    def training():
        model = nn.Sequential(nn.Linear(6, 8), nn.GELU(), nn.Linear(8, 1))
        optimizer = torch.optim.SGD(model.parameters(), 0.01)

        def step(i):
            torch.manual_seed(i)
            chosen = model(torch.randn(7, 6))[:, 0]
            optimizer.zero_grad()
            (-(chosen - own(chosen)).exp() * advantages()).mean().backward()
            optimizer.step()

        return model, step

    return FunctionTraining("training", training)


def centred():
    advantages = torch.randn(7)
    return advantages - advantages.mean()  # so that the loss is 0, but for rounding


@pytest.mark.parametrize("advantages", [lambda: torch.randn(7), centred], ids=["drawn", "centred"])
def test_a_loss_that_cancels_its_own_value_is_proved_by_its_gradients(advantages):
    training = ratio_to_itself(lambda chosen: chosen.detach(), advantages)
    assert [(units.name, units.count) for units in find(training).groups] == [("layer 0 units", 8)]


def test_a_loss_whose_value_depends_on_no_parameter_proves_nothing():
    training = ratio_to_itself(lambda chosen: chosen.data, lambda: torch.randn(7))
    with pytest.raises(TrainingError, match="as with a ratio to its own detached value"):
        find(training)
