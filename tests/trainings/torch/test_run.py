"""A run of a training: fresh objects, seeds, state by name, losses, promotion and means."""

from __future__ import annotations

import random

import numpy as np
import pytest

from symmetry.base.errors import TrainingError
from symmetry.trainings.training import TrainingTarget
from tests.conftest import needs

pytestmark = needs("torch")


def run(make, **options):
    return TrainingTarget("training", make).start(**options)


def data():
    import torch

    generator = torch.Generator().manual_seed(0)
    x = torch.randn(12, 5, generator=generator)
    return x, torch.randint(0, 3, (12,), generator=generator)


def unreadable(i):
    class Unreadable(BaseException):
        def __str__(self):
            raise self

    raise Unreadable


def training(make_optimizer=None, extras=None, before=lambda i: None, inner=None):
    """Return a training of a small network; the arguments vary it."""

    def make():
        import torch
        from torch import nn

        x, y = data()
        layers = [nn.Linear(5, 4), nn.Tanh(), *([inner()] if inner else []), nn.Linear(4, 3)]
        model = nn.Sequential(*layers)
        optimizer = (make_optimizer or torch.optim.Adam)(model.parameters(), 0.1)

        def step(i):
            before(i)
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x), y).backward()
            optimizer.step()

        return (model, step) if extras is None else (model, step, extras(model, optimizer))

    return make


def after(steps, make, **options):
    """Return the state after steps of a fresh run."""
    taken = run(make, **options)
    for _ in range(steps):
        taken.step()
    return taken.state()


def same(a, b):
    return a.keys() == b.keys() and all(np.array_equal(a[name], b[name]) for name in a)


def test_state_is_every_floating_tensor_by_name():
    names = [f"{layer}.{kind}" for layer in (0, 2) for kind in ("weight", "bias")]
    assert list(run(training()).state()) == [f"model.{name}" for name in names]
    kept = [f"optimizer.{key}.{n}" for n in names for key in ("step", "exp_avg", "exp_avg_sq")]
    assert list(after(1, training())) == [*(f"model.{name}" for name in names), *kept]


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
    assert promoted.losses[0].dtype == torch.float64


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
    assert promoted.losses[0].dtype == torch.float64


def test_noise_in_a_forward_is_replaced_by_its_mean_and_told():
    import torch

    def noisy(make):
        return training(inner=lambda: torch.nn.Dropout(0.5)) if make else training()

    taken = run(noisy(True), noise=False)
    taken.step()
    taken.step()
    assert [name for name, _ in taken.random] == ["bernoulli"]
    assert next(place for _, place in taken.random).startswith("test_run.py:")
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


def test_losses_are_those_of_backward_or_of_grad_or_what_is_returned():
    import torch

    def make():
        model = torch.nn.Linear(1, 1)

        def step(i):
            loss = model(torch.ones(1, 1)).sum()
            if i == 0:
                return loss
            if i == 2:
                torch.autograd.grad(3 * loss, model.weight)
                return loss
            (2 * loss).backward()
            loss.detach().requires_grad_().backward()
            return loss

        return model, step

    taken = run(make)
    taken.step()
    assert len(taken.losses) == 1
    first = taken.loss
    taken.step()
    assert len(taken.losses) == 2
    assert taken.loss == pytest.approx(3 * first)
    taken.step()
    assert (len(taken.losses), taken.backwards, taken.grads) == (1, 0, 1)
    assert taken.loss == pytest.approx(3 * first)


def test_samples_can_be_rearranged_where_the_batch_is_given():
    import torch

    def make():
        model = torch.nn.Linear(1, 1)
        x = torch.arange(3.0)[:, None]
        return (
            model,
            lambda batch: seen.append(batch["x"][:, 0].tolist()),
            {"batch": lambda i: {"x": x + i, "more": "words"}},
        )

    seen = []
    taken = run(make)
    assert taken.samples() == 3
    taken.step()
    taken.order = np.array([2, 0, 1])
    taken.step()
    assert seen == [[0, 1, 2], [3, 1, 2]]
    assert run(training()).samples() is None


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: None, r"returned None, expected a function without parameters that"),
        (lambda: (1, 2), r"returned an int for the model, expected an nn.Module"),
        (lambda: 1 / 0, r"training\(\) raised ZeroDivisionError: division by zero \(test_run"),
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
