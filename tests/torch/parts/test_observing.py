"""What a step shows: what modules are given and return, losses, gradients, rates."""

from __future__ import annotations

import numpy as np
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
