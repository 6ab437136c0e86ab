"""The state of a run as arrays: what is in it, and what becomes of its bits."""

from __future__ import annotations

import numpy as np

from tests.torch.runs import after, data, run, same, training


def test_state_is_every_floating_tensor_by_name():
    names = [f"{layer}.{kind}" for layer in (0, 2) for kind in ("weight", "bias")]
    assert list(run(training()).state()) == [f"model.{name}" for name in names]
    kept = [f"optimizer.{key}.{n}" for n in names for key in ("step", "exp_avg", "exp_avg_sq")]
    assert list(after(1, training())) == [*(f"model.{name}" for name in names), *kept]


def test_a_state_is_loaded_into_the_same_tensors():
    first, second = run(training()), run(training(), seed=1)
    for _ in range(2):
        first.step()
        second.step()
    second.load(first.state())
    first.step()
    second.step()
    assert same(first.state(), second.state())


def test_numbers_of_16_bits_are_exact_in_float32():
    import torch

    def make():
        return torch.nn.Linear(2, 2).bfloat16(), lambda i: None

    taken = run(make)
    state = taken.state()
    assert {array.dtype for array in state.values()} == {np.dtype(np.float32)}
    taken.load({name: array * 2 for name, array in state.items()})
    assert same(taken.state(), {name: array * 2 for name, array in state.items()})


def test_everything_with_a_state_is_found():
    import torch

    def make():
        model = torch.nn.Linear(2, 2)
        optimizer = torch.optim.SGD(model.parameters(), 0.1)
        other = torch.optim.SGD([torch.nn.Parameter(torch.ones(3))], 0.1)
        torch.optim.lr_scheduler.StepLR(optimizer, 1)
        torch.amp.GradScaler("cpu")
        ema = torch.optim.swa_utils.AveragedModel(model)
        return model, lambda i: None, {"ema": ema, "second": other}

    taken = run(make)
    assert list(taken.objects.optimizers) == ["second", "optimizer"]
    assert sorted(taken.objects.extras) == ["ema", "scaler", "scheduler"]
    assert list(taken.state()) == [
        "model.weight",
        "model.bias",
        "second.held.0",
        "ema.weight",
        "ema.bias",
    ]


def test_lbfgs_keeps_one_array_for_each_parameter():
    import torch

    def make():
        x, y = data()
        model = torch.nn.Linear(5, 3)
        optimizer = torch.optim.LBFGS(model.parameters(), max_iter=2)

        def closure():
            optimizer.zero_grad()
            loss = torch.nn.functional.cross_entropy(model(x), y)
            loss.backward()
            return loss

        return model, lambda i: optimizer.step(closure)

    state = after(1, make)
    assert state["optimizer.d.weight"].shape == state["model.weight"].shape
    assert state["optimizer.prev_flat_grad.bias"].shape == state["model.bias"].shape
