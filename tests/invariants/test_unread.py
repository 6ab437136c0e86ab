"""What may tell units apart without being a bug."""

from __future__ import annotations

import re

import pytest

from symmetry.invariants.unread import only_if_initialised
from symmetry.law.measurement import Measurement, Violation
from symmetry.training.start import TrainingStart
from symmetry.training.target import FunctionTraining
from tests.conftest import slow
from tests.invariants.beside import beside, noisy_by_numpy, stepping, verdicts


def start(sets):
    """Return the start of a training whose forward sets its shift in these steps."""

    def make():
        import torch

        model = torch.nn.ParameterDict({"weight": torch.ones(3), "shift": torch.zeros(3)})
        optimizer = torch.optim.SGD(model.parameters(), 0.1)

        def step(i):
            x = torch.arange(6.0).reshape(2, 3) + i
            if i in sets:
                model["shift"].data.copy_(-x.mean(0))
            optimizer.zero_grad()
            ((x + model["shift"]) * model["weight"]).square().sum().backward()
            optimizer.step()

        return model, step

    return TrainingStart(FunctionTraining("training", make), "float32")


def violated(_):
    return Measurement.violated(Violation("unit 1 differs", 1, "model.weight"))


def test_no_violation_is_told_where_the_first_forward_sets_parameters():
    found = only_if_initialised(violated)(start({0}))
    assert found.violation is None
    assert not found.counted
    assert found.note == "cannot judge: the first forward sets model.shift from its batch"


def target_made_late():
    """Return a training whose first step copies the network, as BYOL's may."""
    import copy

    import torch
    from torch import nn

    nets = nn.ModuleDict({"online": nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 3))})
    optimizer = torch.optim.SGD(nets.parameters(), 0.1)

    def step(i):
        x = torch.randn(8, 4, generator=torch.Generator().manual_seed(i))
        if "target" not in nets:
            nets["target"] = copy.deepcopy(nets["online"]).requires_grad_(False)
        with torch.no_grad():
            wanted = nets["target"](x + 1)
        optimizer.zero_grad()
        (nets["online"](x) - wanted).square().mean().backward()
        optimizer.step()
        for old, new in zip(nets["target"].parameters(), nets["online"].parameters(), strict=True):
            old.data.lerp_(new.data, 0.1)

    return nets, step


def test_no_violation_is_told_in_a_copy_that_the_first_step_makes():
    found, _ = verdicts(target_made_late, "symmetry/permutation")
    verdict = found["symmetry/permutation", "float64"]
    assert verdict.kind == "vacuous"
    assert "the first step makes model.target." in verdict.message
    begun = TrainingStart(FunctionTraining("training", target_made_late), "float32")
    other = Measurement.violated(Violation("unit 1 differs", 1, "model.online.0.weight"))
    assert only_if_initialised(lambda _: other)(begun) is other


@pytest.mark.parametrize("sets", [set(), {0, 1}])
def test_a_violation_stays_where_no_forward_or_every_one_sets_them(sets):
    assert only_if_initialised(violated)(start(sets)).violation is not None


def test_what_holds_is_not_looked_at_again():
    held = Measurement(counted=True)
    assert only_if_initialised(lambda _: held)(start({0})) is held


LAW = ("symmetry/permutation", "symmetry/clones")


def feedback(after=lambda model: None):
    """Return a training whose backward hands errors on through matrices that are fixed at random.

    ``after`` is called with the model after each backward.
    """

    def make():
        import torch
        from torch import nn

        class Product(torch.autograd.Function):
            @staticmethod
            def forward(ctx, x, weight, back):
                ctx.save_for_backward(x, back)
                return x @ weight.T

            @staticmethod
            def backward(ctx, gradient):
                x, back = ctx.saved_tensors
                return gradient @ back, gradient.T @ x, None

        class Layer(nn.Module):
            def __init__(self, inputs, outputs):
                super().__init__()
                self.weight = nn.Parameter(torch.randn(outputs, inputs))
                self.register_buffer("back", torch.randn(outputs, inputs))

            def forward(self, x):
                return Product.apply(x, self.weight, self.back)

        model = nn.Sequential(Layer(5, 6), nn.Tanh(), Layer(6, 3))
        return stepping(model, lambda _: after(model))

    return make


def last_row_is_halved(model):
    for parameter in model.parameters():
        parameter.grad[-1] *= 0.5


def anchored(model):
    anchors = [parameter.detach().clone() for parameter in model.parameters()]

    def pull(_):
        for parameter, anchor in zip(model.parameters(), anchors, strict=True):
            parameter.grad.add_(parameter.detach() - anchor, alpha=0.1)

    return pull


def scaled_rows(model):
    import torch

    scale = torch.tensor([1.0, 1.0, 1.0, 1.0, 0.5, 0.5])[:, None]
    return lambda _: model[0].weight.grad.mul_(scale)


def noisy(model):
    import torch

    def add(i):
        generator = torch.Generator().manual_seed(i + 100)
        with torch.no_grad():
            for parameter in model.parameters():
                noise = torch.empty_like(parameter).normal_(generator=generator)
                parameter.add_(noise.mul_(1e-3))

    return add, lambda _: None


def noisy_alike(model):
    import torch

    def add(_):
        generator = torch.Generator().manual_seed(0)
        weight = model[0].weight
        noise = torch.randn(weight.shape, generator=generator).to(weight.dtype)
        weight.grad += 1e-3 * noise

    return add


def noisy_gradients(model):
    import torch

    def add(_):
        for parameter in model.parameters():
            noise = torch.normal(0.0, 1e-3, parameter.shape)
            parameter.grad += noise.to(parameter.dtype)

    return add, lambda _: None, "Adam"


def noisy_and_halved(model):
    add, _ = noisy(model)
    return lambda i: (add(i), last_row_is_halved(model))


def flat_noise_by_numpy(model):
    import numpy as np
    import torch

    random = np.random.default_rng(0)

    def add(_):
        parameters = [*model.parameters()]
        noise = torch.from_numpy(random.normal(0, 1e-3, sum(p.numel() for p in parameters)))
        pieces = noise.to(parameters[0].dtype).split([p.numel() for p in parameters])
        for parameter, piece in zip(parameters, pieces, strict=True):
            parameter.grad += piece.view_as(parameter)

    return add


def without_backward(update):
    """Return a training whose ``update`` is called with its model, its loss and a generator."""

    def make():
        import torch
        from torch import nn

        model = nn.Sequential(nn.Linear(5, 6), nn.Tanh(), nn.Linear(6, 3))

        def step(i):
            generator = torch.Generator().manual_seed(i)
            x = torch.randn(12, 5, generator=generator).to(next(model.parameters()).dtype)
            y = torch.randint(0, 3, (12,), generator=generator)

            def loss():
                return torch.nn.functional.cross_entropy(model(x), y)

            return update([*model.parameters()], loss, generator)

        return model, step

    return make


def of_zeroth_order(parameters, loss, generator):
    """Perturb the parameters by noise, and move them along it: no gradient at all."""
    import torch

    with torch.no_grad():
        noise = [torch.randn(p.shape, generator=generator).to(p.dtype) for p in parameters]
        losses = []
        for sign in (1, -1):
            for parameter, each in zip(parameters, noise, strict=True):
                parameter.add_(each, alpha=sign * 1e-2)
            losses.append(loss())
            for parameter, each in zip(parameters, noise, strict=True):
                parameter.sub_(each, alpha=sign * 1e-2)
        for parameter, each in zip(parameters, noise, strict=True):
            parameter.sub_(each * (losses[0] - losses[1]))
    return losses[0]


def of_langevin(parameters, loss, generator):
    """Move the parameters along gradients that no backward leaves, and add noise."""
    import torch

    value = loss()
    gradients = torch.autograd.grad(value, parameters)
    with torch.no_grad():
        for parameter, gradient in zip(parameters, gradients, strict=True):
            noise = torch.randn(parameter.shape, generator=generator).to(parameter.dtype)
            parameter.sub_(0.1 * gradient + 1e-3 * noise)
    return value


def of_langevin_in_part(parameters, loss, generator):
    value = of_langevin(parameters, loss, generator)
    parameters[0].data[-1] *= 0.99
    return value


def masked(model):
    import torch

    masks = [(torch.rand(p.shape) < 0.5).to(p.dtype) for p in model.parameters()]

    def mask(_):
        for parameter, each in zip(model.parameters(), masks, strict=True):
            parameter.grad.mul_(each)

    return mask


def masked_and_marked(model):
    import torch

    mask, mark = masked(model), torch.tensor([1.0, 1.0, 1.0, 1.0, 0.5, 0.5])
    return lambda i: (mask(i), model[0].bias.grad.mul_(mark))


def noisy_by_numpy_and_halved(model):
    add = noisy_by_numpy(model)
    return lambda i: (add(i), last_row_is_halved(model))


def scaled_anew(model):
    import torch

    def scale(_):
        rates = torch.tensor([[1.0], [1.1], [1.2], [1.3], [1.4], [1.5]])
        model[0].weight.grad.mul_(rates)

    return scale


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (feedback(), r"model\.2\.back \(read at \S*test_unread\.py:\d+\) and 1 more differ"),
        slow(
            beside(anchored), r"a fixed tensor of shape .* in the extras under its parameter's name"
        ),
        slow(beside(masked), r"a fixed tensor of shape \(6, 5\)"),
        slow(beside(noisy_by_numpy), r"a tensor that each step has anew, .* Draw noise by PyTorch"),
        slow(beside(flat_noise_by_numpy), r"a tensor that each step has anew, of shape \(57,\)"),
        slow(beside(noisy_alike), r"draws from the same seed, .* Draw other noise"),
    ],
    ids=[
        "by the backward",
        "by the update",
        "masks",
        "noise of others",
        "flat noise of others",
        "noise of a fixed seed",
    ],
)
def test_fixed_numbers_that_no_forward_reads_leave_nothing_to_judge(make, named):
    found, _ = verdicts(make, *LAW)
    assert {verdict.kind for verdict in found.values()} == {"vacuous"}
    for verdict in found.values():
        assert "cannot judge" in verdict.message
        assert re.search(named, verdict.message)


@pytest.mark.parametrize(
    "make",
    [
        feedback(last_row_is_halved),
        slow(beside(scaled_rows)),
        slow(beside(noisy_and_halved)),
        slow(beside(noisy_by_numpy_and_halved)),
        slow(beside(masked_and_marked)),
        slow(beside(scaled_anew)),
        slow(without_backward(of_langevin_in_part)),
    ],
    ids=[
        "beside fixed numbers",
        "a mask that marks rows",
        "beside noise",
        "beside noise of others",
        "a mask that marks rows beside masks",
        "the same numbers in each step",
        "without backward",
    ],
)
def test_what_they_do_not_explain_is_accused_as_ever(make):
    found, _ = verdicts(make, *LAW)
    assert {verdict.kind for verdict in found.values()} == {"violated"}


@pytest.mark.parametrize(
    "make",
    [
        slow(beside(noisy)),
        slow(beside(noisy_gradients)),
        slow(without_backward(of_zeroth_order)),
        without_backward(of_langevin),
    ],
    ids=["in weights", "in gradients", "instead of gradients", "beside gradients"],
)
def test_noise_that_a_step_draws_is_left_out(make):
    found, notes = verdicts(make, *LAW, "training/zero-rate")
    assert {v.kind for v in found.values()} <= {"holds", "rounding", "not applicable"}
    assert any("test_unread.py:" in note for note in notes)
