"""What a step shows: what modules are given and return, losses, gradients, rates."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from symmetry.torch.parts.observing import Lines
from symmetry.torch.watch.operations import Recorder
from symmetry.training.capabilities.observing import Observing
from symmetry.training.observation import ObservedName
from symmetry.training.target import FunctionTraining

X = np.arange(12, dtype=np.float32).reshape(4, 3) / 7


def shown(change=lambda model: model, *, parts=1, scaler=None, clip=False):
    """Return what the first step shows of a network of two layers."""

    def make():
        model = change(nn.Sequential(nn.Linear(3, 2), nn.Tanh(), nn.Linear(2, 1)))
        optimizer = torch.optim.SGD(model.parameters(), 0.1)
        scale = scaler() if scaler else None

        def step(i):
            optimizer.zero_grad()
            for x in torch.from_numpy(X).chunk(parts):
                loss = model(x).square().sum()
                (scale.scale(loss) if scale else loss).backward()
            if clip:
                nn.utils.clip_grad_norm_(model.parameters(), 1e-3)
            if scale:
                scale.step(optimizer)
                scale.update()
            else:
                optimizer.step()

        return (model, step, {"scaler": scale}) if scale else (model, step)

    return FunctionTraining("training", make).begin().capability(Observing).observe()


def test_a_step_is_told_in_the_order_in_which_it_happens():
    seen = shown()
    phases = [key.phase for key in seen.parts]
    order = ["data", "forward", "loss", "backward", "gradient"]
    assert sorted({*phases}, key=phases.index) == order
    assert [call.module for call in seen.calls] == ["0", "1", "2", ""]
    assert [call.parent for call in seen.calls] == ["", "", "", None]
    (given,) = seen.parts[ObservedName("data", "input 0")]
    np.testing.assert_array_equal(given, X)


def test_what_a_module_passes_on_is_known_by_the_module_that_made_it():
    seen = shown()
    first, tanh, last, whole = seen.calls
    assert tanh.inputs == first.outputs == (ObservedName("forward", "0"),)
    assert last.inputs == tanh.outputs
    assert whole.inputs == (ObservedName("forward", " input"),)
    (made,), (returned,) = (
        seen.parts[ObservedName("forward", "2")],
        seen.parts[ObservedName("forward", "")],
    )
    assert returned is made


def test_gradients_of_what_modules_return_and_of_parameters():
    seen = shown()
    (back,), (out,) = (
        seen.parts[ObservedName("backward", "2")],
        seen.parts[ObservedName("forward", "2")],
    )
    np.testing.assert_allclose(back, 2 * out)
    (left,) = seen.parts[ObservedName("gradient", "model.2.bias")]
    np.testing.assert_allclose(left, back.sum(0), rtol=1e-5)
    assert (
        seen.parts[ObservedName("gradient", "model.2.bias used")][0] is left
    )  # nothing changed it


def test_what_the_update_is_given_may_be_another_gradient():
    seen = shown(clip=True)
    (left,) = seen.parts[ObservedName("gradient", "model.2.bias")]
    (used,) = seen.parts[ObservedName("gradient", "model.2.bias used")]
    assert abs(used).max() < abs(left).max() / 2


def test_a_batch_in_parts_is_seen_in_parts():
    whole, parts = shown(), shown(parts=2)
    assert len(parts.parts[ObservedName("data", "input 0")]) == 2
    assert [len(parts.parts[ObservedName(phase, "2")]) for phase in ("forward", "backward")] == [
        2,
        2,
    ]
    (one,), (other,) = (seen.parts[ObservedName("loss", "")] for seen in (whole, parts))
    np.testing.assert_allclose(one, other, rtol=1e-6)


def test_a_scaled_loss_is_told_without_its_scale():
    plain = shown()
    scaled = shown(scaler=lambda: torch.amp.GradScaler("cpu", init_scale=8.0))
    for key in (
        ObservedName("loss", ""),
        ObservedName("backward", "2"),
        ObservedName("gradient", "model.0.weight"),
    ):
        np.testing.assert_allclose(plain.parts[key][0], scaled.parts[key][0], rtol=1e-6)


def test_a_wrapper_stands_for_what_it_wraps():
    def wrapped(model):
        class Wrapper(nn.Module):
            def __init__(self):
                super().__init__()
                self.module = model

            def forward(self, x):
                return self.module(x)

        return Wrapper()

    seen = shown(wrapped)
    assert [call.module for call in seen.calls] == ["0", "1", "2", ""]


def test_rates_are_told():
    (facts,) = shown().rates.values()
    assert facts["lr"] == pytest.approx(0.1)
    assert facts["nesterov"] is False


def test_what_is_computed_again_in_a_backward_shows_once():
    def checkpointed(model):
        class Again(nn.Module):
            def __init__(self):
                super().__init__()
                self.inner = model

            def forward(self, x):
                x = x.requires_grad_()
                return torch.utils.checkpoint.checkpoint(self.inner, x, use_reentrant=False)

        return Again()

    seen = shown(checkpointed)
    assert {len(parts) for key, parts in seen.parts.items() if key.phase == "forward"} == {1}


def test_a_line_is_named_from_the_folder_where_it_began(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    lines, found = Lines(), {"torch": torch}
    (tmp_path / "mirror").mkdir()
    monkeypatch.chdir("mirror")  # as a script does
    with Recorder(lines):
        exec(compile("made = torch.ones(2) + 1", tmp_path / "train.py", "exec"), found)
    assert lines.of(found["made"]) == ("train.py", 1)
