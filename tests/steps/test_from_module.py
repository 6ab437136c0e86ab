"""The adapter for people's own PyTorch modules."""

from __future__ import annotations

import numpy as np
import pytest

from symmetry import explain
from symmetry.base.errors import SymmetryError, TargetError
from symmetry.law.case import Case
from symmetry.network import formulas
from symmetry.targets.resolve import as_step_target, resolve

LR = 0.25


def make_model(inputs, hidden, classes, **options):
    from torch import nn

    return nn.Sequential(
        nn.Linear(inputs, hidden, **options), nn.Sigmoid(), nn.Linear(hidden, classes, **options)
    )


def from_module(make_model=make_model, make_optimizer=None, loss=None):
    import torch

    from symmetry import from_module

    return from_module(
        make_model, make_optimizer or torch.optim.SGD, loss or torch.nn.CrossEntropyLoss()
    )


def problem(dtype="float32", n=12, i=3, h=5, c=4):
    rng = np.random.default_rng(7)
    x = rng.uniform(0, 1, (n, i)).astype(dtype)
    y = formulas.one_hot_encode(rng.integers(0, c, n), c, dtype)
    return (
        x,
        y,
        rng.normal(0, 1, (i + 1, h)).astype(dtype),
        rng.normal(0, 1, (h + 1, c)).astype(dtype),
    )


def train(trainer, steps, dtype="float32"):
    run = trainer.start()
    x, y, w1, w2 = problem(dtype)
    for _ in range(steps):
        result = run(x, y, w1, w2, LR)
        w1, w2 = result.w1, result.w2
    return w1, w2


def message(trainer) -> str:
    with pytest.raises(TargetError) as info:
        train(as_step_target(trainer), 1)
    return str(info.value)


def assert_same(found, expected):
    for one, other in zip(found, expected, strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_sgd_gives_the_bits_of_torch_autograd(dtype):
    assert_same(
        train(as_step_target(from_module()), 3, dtype), train(resolve("torch-autograd"), 3, dtype)
    )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("optimizer", ["Adam", "momentum", "AdamW", "RMSprop"])
def test_an_optimiser_keeps_its_state_over_the_steps_of_a_run(optimizer, dtype):
    import torch

    def make_optimizer(parameters, lr):
        if optimizer == "momentum":
            return torch.optim.SGD(parameters, lr, momentum=0.9, nesterov=True)
        return getattr(torch.optim, optimizer)(parameters, lr)

    x, y, w1, w2 = (torch.from_numpy(a) for a in problem(dtype))
    model = make_model(3, 5, 4).to(x.dtype)
    first, _, second = model
    with torch.no_grad():
        for layer, w in ((first, w1), (second, w2)):
            layer.weight.copy_(w[1:].T)
            layer.bias.copy_(w[0])
    own = make_optimizer(model.parameters(), LR)
    for _ in range(4):
        own.zero_grad()
        torch.nn.functional.cross_entropy(model(x), y).backward()
        own.step()
    expected = [
        torch.vstack([layer.bias, layer.weight.T]).detach().numpy() for layer in (first, second)
    ]

    trainer = as_step_target(from_module(make_optimizer=make_optimizer))
    assert_same(train(trainer, 4, dtype), expected)

    x, y, w1, w2 = problem(dtype)
    for _ in range(4):  # a fresh instance for every step forgets the moments
        result = trainer.start()(x, y, w1, w2, LR)
        w1, w2 = result.w1, result.w2
    assert not np.array_equal(w1, expected[0])


def test_runs_do_not_share_anything():
    import torch

    trainer = as_step_target(from_module(make_optimizer=torch.optim.Adam))
    first = train(trainer, 3)
    assert_same(train(trainer, 3), first)


def test_every_step_starts_from_the_weights_that_it_is_given():
    run = as_step_target(from_module()).start()
    x, y, w1, w2 = problem()
    run(x, y, w1 + 1, w2 - 1, LR)
    again = run(x, y, w1, w2, LR)
    fresh = as_step_target(from_module()).start()(x, y, w1, w2, LR)
    assert_same((again.w1, again.w2), (fresh.w1, fresh.w2))


def test_make_optimizer_gets_the_parameters_and_the_learning_rate():
    import torch

    seen = []

    def make_optimizer(parameters, lr):
        parameters = list(parameters)
        seen.append((len(parameters), lr))
        return torch.optim.SGD(parameters, lr)

    train(as_step_target(from_module(make_optimizer=make_optimizer)), 3)
    assert seen == [(4, LR)]


def test_a_loss_for_class_indices():
    from torch.nn import functional

    def loss(output, y):
        return functional.cross_entropy(output, y.argmax(dim=1))

    assert_same(
        train(as_step_target(from_module(loss=loss)), 3), train(as_step_target(from_module()), 3)
    )


def test_other_losses_take_the_one_hot_targets_in_the_dtype_of_the_run():
    from torch import nn

    w1, _ = train(as_step_target(from_module(loss=nn.MSELoss())), 1, "float64")
    assert not np.array_equal(w1, problem("float64")[2])


def test_a_layer_without_bias_hands_its_row_back():
    trainer = as_step_target(from_module(lambda *sizes: make_model(*sizes, bias=False)))
    w1, w2 = train(trainer, 2)
    _, _, old_w1, old_w2 = problem()
    np.testing.assert_array_equal(w1[0], old_w1[0])
    np.testing.assert_array_equal(w2[0], old_w2[0])
    assert (w1[1:] != old_w1[1:]).all()
    assert (w2[1:] != old_w2[1:]).all()


def test_other_parameters_begin_the_same_in_every_run_and_are_trained_along():
    import torch
    from torch import nn

    made = []

    def make(inputs, hidden, classes):
        norm = nn.BatchNorm1d(hidden)
        nn.init.uniform_(norm.weight)
        made.append((norm.weight, norm.weight.detach().clone()))
        return nn.Sequential(nn.Linear(inputs, hidden), norm, nn.Linear(hidden, classes))

    state = torch.get_rng_state()
    trainer = as_step_target(from_module(make))
    first = train(trainer, 3)
    assert torch.equal(torch.get_rng_state(), state)
    torch.rand(1)
    assert_same(train(trainer, 3), first)
    (factor, start), (_, other_start) = made
    assert torch.equal(start, other_start)
    assert not torch.equal(factor, start)


def test_dropout_that_was_left_on_is_on():
    from torch import nn

    def make(inputs, hidden, classes):
        layers = (
            nn.Linear(inputs, hidden),
            nn.Sigmoid(),
            nn.Dropout(0.5),
            nn.Linear(hidden, classes),
        )
        return nn.Sequential(*layers).eval()

    x, y, w1, w2 = problem(h=40)
    result = as_step_target(from_module(make)).start()(x, y, w1 * 0, w2 * 0, LR)
    assert len(np.unique(result.w2[1:], axis=0)) > 1
    result = as_step_target(from_module()).start()(x, y, w1 * 0, w2 * 0, LR)
    assert np.ptp(result.w2[1:], axis=0).max() < 1e-6


def test_dtypes_can_be_set_on_the_class():
    trainer_class = from_module()
    assert as_step_target(trainer_class).dtypes == ("float32", "float64")
    trainer_class.dtypes = ("float32",)
    assert as_step_target(trainer_class).dtypes == ("float32",)
    assert as_step_target(from_module()).dtypes == ("float32", "float64")


# What cannot be adapted


def test_number_of_linear_layers():
    from torch import nn

    deep = lambda i, h, c: nn.Sequential(nn.Linear(i, h), nn.Linear(h, h), nn.Linear(h, c))  # noqa: E731
    assert message(from_module(deep)) == (
        "from_module: the model has 3 nn.Linear layers (0, 1, 2), expected two: "
        "inputs to hidden, hidden to classes"
    )
    assert message(from_module(lambda i, h, c: nn.ReLU())) == (
        "from_module: the model has 0 nn.Linear layers, expected two: "
        "inputs to hidden, hidden to classes"
    )


def test_sizes_of_the_layers():
    assert message(from_module(lambda i, h, c: make_model(784, h, c))) == (
        "from_module: the model's first nn.Linear layer, 0, has 784 inputs and 5 outputs, expected "
        "3 and 5 from make_model(inputs=3, hidden=5, classes=4)"
    )
    assert message(from_module(lambda i, h, c: make_model(i, h, 10))) == (
        "from_module: the model's second nn.Linear layer, 2, has 5 inputs and 10 outputs, expected "
        "5 and 4 from make_model(inputs=3, hidden=5, classes=4)"
    )


def test_weights_that_cannot_be_loaded():
    from torch import nn

    def normed(inputs, hidden, classes):
        model = make_model(inputs, hidden, classes)
        nn.utils.parametrizations.weight_norm(model[0])
        return model

    assert "is computed from other parameters" in message(from_module(normed))

    def tied(inputs, hidden, classes):
        model = make_model(inputs, hidden, classes)
        model[2].weight = model[0].weight
        return model

    x, y, w1, w2 = problem(i=4, h=4, c=4)
    with pytest.raises(TargetError, match="layers share a parameter"):
        as_step_target(from_module(tied)).start()(x, y, w1, w2, LR)


def test_make_model_that_makes_no_model():
    assert message(from_module(lambda *sizes: None)) == (
        "from_module: make_model returned None, expected an nn.Module"
    )


def test_a_loss_that_does_not_take_one_hot_targets_gets_a_hint():
    from torch import nn

    text = message(from_module(loss=nn.NLLLoss()))
    assert text.startswith("from_module: loss(model(x), y) raised RuntimeError: ")
    assert text.endswith(
        "y is the one-hot (n, c) float tensor: for class indices use y.argmax(dim=1)"
    )


def test_a_loss_that_is_no_number():
    from torch import nn

    expected = "from_module: loss(model(x), y) returned {}, expected a tensor without dimensions"
    assert message(from_module(loss=lambda output, y: 0.5)) == expected.format("a float")
    assert message(from_module(loss=nn.MSELoss(reduction="none"))) == (
        expected.format("a tensor of shape (12, 4)")
    )


def test_things_in_place_of_what_makes_them():
    import torch
    from torch import nn

    model = make_model(3, 5, 4)
    optimizer = torch.optim.SGD(model.parameters())
    for arguments, text in [
        ((model, None, None), "make_model must be a function or class that makes the model for "),
        ((None, optimizer, None), "make_optimizer must be a function or class that makes the "),
        ((None, None, nn.MSELoss), "loss must be an instance or a function: nn.MSELoss(), for "),
    ]:
        given = [
            a or b for a, b in zip(arguments, (make_model, torch.optim.SGD, print), strict=True)
        ]
        with pytest.raises(SymmetryError) as info:
            from_module(*given)
        assert str(info.value).startswith(f"from_module: {text}")


def test_an_instance_does_not_serve_several_runs():
    trainer = as_step_target(from_module()())
    train(trainer, 2)
    with pytest.raises(TargetError) as info:
        train(trainer, 1, "float64")
    assert str(info.value) == (
        "from_module: sizes, dtype or learning rate changed within one training run: "
        "the step is the class that from_module returns, not an instance of it"
    )


def test_what_the_module_raises_names_the_users_line():
    from torch import nn

    class Broken(nn.Module):
        def __init__(self, inputs, hidden, classes):
            super().__init__()
            self.body = make_model(inputs, hidden, classes)

        def forward(self, x):
            return self.body(x.T)

    line = Broken.forward.__code__.co_firstlineno + 1
    text = message(from_module(Broken))
    assert text.startswith("the step raised RuntimeError: mat1 and mat2")
    assert text.endswith(f" (test_from_module.py, line {line})")


def test_the_class_is_named_by_where_it_can_be_found(monkeypatch):
    from symmetry import from_module as adapt

    step = adapt(make_model, print, print)
    monkeypatch.setitem(globals(), "Adapted", step)  # as ``Adapted = from_module(...)`` does
    assert as_step_target(step).name == f"{__name__}:Adapted"


def test_a_layer_that_lies_in_no_file_of_the_user_is_named_by_its_class():
    import torch

    def make(inputs, hidden, classes):
        layers = torch.nn.Linear(inputs, hidden), torch.nn.Linear(hidden, classes)
        return torch.nn.Sequential(layers[0], torch.nn.Sigmoid(), torch.nn.Dropout(0.5), layers[1])

    start = Case(8, 3, 4, 2, 0.1, 1, "float32", "unit", "zero", 0)
    found = explain(from_module(make, torch.optim.SGD, torch.nn.CrossEntropyLoss()), case=start)
    remarks = " ".join(remark for culprit in found.culprits for remark in culprit.remarks)
    assert "(module Dropout)" in remarks
