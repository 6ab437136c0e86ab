"""A run of a training: fresh objects, seeds, promotion and means."""

from __future__ import annotations

import random

import numpy as np
import pytest

from symmetry.base.errors import TrainingError
from tests.torch.runs import after, data, run, same, training


def unreadable(i):
    class Unreadable(BaseException):
        def __str__(self):
            raise self

    raise Unreadable


def test_runs_are_fresh_and_seeded():
    assert same(after(2, training()), after(2, training()))
    assert not same(after(2, training()), after(2, training(), seed=1))


def test_runs_that_take_turns_do_not_disturb_each_other_or_anybody():
    import torch

    def make():
        model = torch.nn.Linear(2, 2)

        def step(i):
            noise = random.random() + np.random.rand() + float(torch.rand(()))
            model(torch.full((1, 2), noise)).sum().backward()
            with torch.no_grad():
                model.weight -= model.weight.grad

        return model, step

    random.seed(7)
    expected = random.random()
    random.seed(7)
    a, b = run(make), run(make)
    for taken in (a, b, a, b):
        taken.step()
    assert same(a.state(), b.state())
    assert random.random() == expected


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_promoted_run_follows_the_one_as_written(dtype):
    import torch

    written, promoted = after(3, training()), after(3, training(), dtype="float64")
    assert {array.dtype for array in promoted.values()} == {np.dtype(np.float64)}
    for name, array in written.items():
        np.testing.assert_allclose(array, promoted[name], rtol=1e-3, atol=1e-5)
    assert torch.get_default_dtype() == torch.float32


def test_shapes_that_are_arguments_stay_shapes():
    import torch

    def make():
        model = torch.nn.Linear(2, 2)
        return model, lambda i: model(torch.ones(3, 2)).expand(torch.Size([4, 3, 2])).sum()

    promoted = run(make, dtype="float64")
    promoted.step()
    assert promoted.events.losses[0].dtype == torch.float64


def test_promoted_run_leaves_out_autocast_scaling_and_conversions():
    import torch

    def make():
        x, y = data()
        model = torch.nn.Linear(5, 3)
        optimizer = torch.optim.SGD(model.parameters(), 0.1)
        scaler = torch.amp.GradScaler("cpu")
        seen.clear()

        def step(i):
            with torch.autocast("cpu", torch.bfloat16):
                output = model(x.half())
            seen.extend([output.dtype, output.float().dtype, torch.zeros(2).dtype])
            scaler.scale(torch.nn.functional.cross_entropy(output, y)).backward()
            scaler.step(optimizer)
            scaler.update()

        return model, step

    seen = []
    taken = run(make, dtype="float64")
    taken.step()
    assert seen == [torch.float64] * 3
    assert taken.loss < 10


def test_quantisation_whose_kernels_take_no_scale_in_float64_is_promoted():
    def quantised():
        import torch

        class Quantised(torch.nn.Module):
            def forward(self, x):
                scale, zero = torch.full((4,), 0.01), torch.zeros(4, dtype=torch.int32)
                return torch.fake_quantize_per_channel_affine(x, scale, zero, 1, -127, 127)

        return Quantised()

    make = training(torch_sgd, inner=quantised)
    written, promoted = after(2, make), after(2, make, dtype="float64")
    for name, array in promoted.items():
        assert array.dtype == np.float64
        np.testing.assert_allclose(array, written[name], rtol=1e-4, atol=1e-5)


def torch_sgd(parameters, rate):
    import torch

    return torch.optim.SGD(parameters, rate)


def test_products_by_group_that_have_no_kernel_for_float64_are_promoted():
    import torch

    def make():
        rows = torch.randn(5, 8, generator=torch.Generator().manual_seed(0))
        model = torch.nn.ParameterList([torch.ones(2, 8, 8)])
        ends = torch.tensor([2, 5], dtype=torch.int32)
        return model, lambda i: torch.nn.functional.grouped_mm(rows, model[0], offs=ends).sum()

    written, promoted = run(make), run(make, dtype="float64")
    written.step()
    promoted.step()
    assert promoted.loss == pytest.approx(written.loss)
    assert promoted.events.losses[0].dtype == torch.float64


def test_noise_in_a_forward_is_replaced_by_its_mean_and_told():
    import torch

    def noisy(make):
        return training(inner=lambda: torch.nn.Dropout(0.5)) if make else training()

    taken = run(noisy(True), noise=False)
    taken.step()
    taken.step()
    assert [name for name, _ in taken.random] == ["bernoulli"]
    assert next(place for _, place in taken.random).startswith("tests/torch/runs.py:")
    ways = [{"noise": True}, {"noise": False}]
    noisy_state, quiet = (after(1, noisy(True), **way) for way in ways)
    assert not same(noisy_state, quiet)


def test_random_data_of_the_step_stay():
    import torch

    drawn = []

    def make():
        return torch.nn.Linear(1, 1), lambda i: drawn.append(float(torch.rand(())))

    for noise in (True, False):
        run(make, noise=noise).step()
    assert drawn[0] == drawn[1] != 0.5


@pytest.mark.parametrize("owner", ["model", "a module in it"])
def test_what_methods_of_modules_draw_is_noise_and_what_the_model_draws_is_data(owner):
    import torch

    class Drawing(torch.nn.Linear):
        def draw(self):
            drawn.append(float(torch.randn(())))

    drawn = []

    def make():
        own = Drawing(1, 1)
        model = own if owner == "model" else torch.nn.Sequential(own, torch.nn.ReLU())
        return model, lambda i: own.draw()

    taken = run(make, noise=False)
    taken.step()
    assert (drawn == [0.0]) == bool(taken.random) == (owner != "model")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: None, r"returned None, expected a function without parameters that"),
        (lambda: (1, 2), r"returned an int for the model, expected an nn.Module"),
        (
            lambda: 1 / 0,
            r"training\(\) raised ZeroDivisionError: division by zero \(tests/torch/test_run",
        ),
        (
            lambda: ((), 2),
            r"tuple for the model, expected an nn.Module; put several models into an nn.ModuleDict",
        ),
        (training(extras=lambda *_: 3), r"returned an int for the extras, expected a dict"),
        (training(extras=lambda *_: {"a": 3}), r"extras\['a'\] is an int without state_dict\(\)"),
        (training(extras=lambda *_: {"batch": 3}), r'extras\["batch"\] must be a function'),
        (training(before=lambda: None), r"step\(0\) raised TypeError"),
        (training(before=lambda i: 1 / i), r"step\(0\) raised ZeroDivisionError"),
        (training(before=unreadable), r"step\(0\) raised Unreadable: \(its message cannot be read"),
    ],
)
def test_what_is_no_training_is_told_in_one_line(make, message):
    with pytest.raises(TrainingError, match=message) as caught:
        run(make).step()
    assert "\n" not in str(caught.value)


def test_a_step_without_number_a_model_without_parameters_and_a_lone_gpu():
    import torch

    def lone():
        raise RuntimeError("Found no NVIDIA driver on your system.")

    for make, message in (
        (lambda: (torch.nn.Linear(1, 1), lambda: None), "the step is called as step"),
        (lambda: (torch.nn.ReLU(), lambda i: None), "the model has no parameters"),
        (lambda: (torch.nn.Linear(1, 1), None), "returned None for the step, expected a function"),
        (lambda: (torch.nn.Linear(1, 1, device="meta"), lambda i: None), "is on the device meta"),
        (lone, "let it choose the device that there is"),
    ):
        with pytest.raises(TrainingError, match=message):
            run(make).step()
