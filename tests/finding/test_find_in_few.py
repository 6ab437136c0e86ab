"""Groups are looked for in a trace of few samples, and the result is the one of all samples."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from symmetry.finding import find as finding
from symmetry.finding.rehearsal import Rehearsal
from symmetry.training.target import FunctionTraining, Training
from tests.torch.script.helpers import script

CLASSES = 3


def training(
    forward=lambda model, x: model(x), *, labels=lambda count: torch.arange(count) % CLASSES
) -> Training:
    """Return a training of 32 samples; ``labels`` makes as many labels."""

    def make():
        model = nn.Sequential(nn.Linear(5, 6), nn.Tanh(), nn.Linear(6, CLASSES))
        optimizer = torch.optim.SGD(model.parameters(), 0.1)

        def batch(i):
            generator = torch.Generator().manual_seed(i)
            x = torch.randn(32, 5, generator=generator)
            return x.to(model[0].weight.dtype), labels(32)

        def step(data):
            x, y = data
            optimizer.zero_grad()
            F.cross_entropy(forward(model, x), y).backward()
            optimizer.step()

        return model, step, {"batch": batch}

    return FunctionTraining("few", make)


def traced(target: Training, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Find the units of a training; return how many samples each trace had."""
    sizes = []
    trace = Rehearsal.trace

    def counted(self, few=None):
        result, thinned = trace(self, few)
        outputs = [a for a in result.arrays if a.ndim == 2 and a.shape[1] == CLASSES]
        sizes.append(max(map(len, outputs)))
        return result, thinned

    monkeypatch.setattr(Rehearsal, "trace", counted)
    found = finding.find(target)
    with monkeypatch.context() as patch:
        patch.setattr(finding, "_FEW", 32)
        assert finding.find(target) == found
    return sizes[:-1]


def test_few_samples_suffice(monkeypatch):
    assert traced(training(), monkeypatch) == [8]


def test_each_label_occurs(monkeypatch):
    def labels(count):
        return torch.tensor([0] * (count - 2) + [1, 2])

    assert traced(training(labels=labels), monkeypatch) == [10]


def test_a_step_that_names_the_size_of_its_batch_is_traced_whole(monkeypatch):
    fixed = training(lambda model, x: model(x.reshape(32, 5)))
    assert {*traced(fixed, monkeypatch)} == {32}


def test_a_layer_that_few_samples_leave_silent_is_traced_whole(monkeypatch):
    """Only the last sample reaches it."""

    def forward(model, x):
        gate = torch.zeros(len(x), 1, dtype=x.dtype)
        if len(x) == 32:
            gate[-1] = 1.0
        return model[2](model[1](model[0](x)) * gate)

    assert traced(training(forward), monkeypatch)[-1] == 32


def test_units_that_all_samples_tell_apart_are_no_group(monkeypatch):
    """Only a sample that is left out treats unit 0 in another way."""

    def forward(model, x):
        hidden = model[1](model[0](x))
        if len(x) == 32:
            scale = torch.ones_like(hidden)
            scale[-1, 0] = 3.0
            hidden = hidden * scale
        return model[2](hidden)

    assert traced(training(forward), monkeypatch) == [8, 32]


SCRIPT = """
import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(5, 6), nn.Tanh(), nn.Linear(6, 3))
optimizer = torch.optim.SGD(model.parameters(), 0.1)
images, labels = torch.randn(128, 5), torch.arange(128) % 3
{loop}
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(x), y).backward()
    optimizer.step()
"""
LOADER = """
data = torch.utils.data.TensorDataset(images, labels)
for x, y in torch.utils.data.DataLoader(data, batch_size=32):
"""
SLICES = """
for i in range(0, 128, 32):
    x, y = images[i : i + 32], labels[i : i + 32]
"""


@pytest.mark.slow
@pytest.mark.parametrize("loop", [LOADER, SLICES])
def test_samples_of_a_script_are_left_out(loop, tmp_path, monkeypatch):
    (tmp_path / "train.py").write_text(SCRIPT.format(loop=loop))
    sizes = traced(script(str(tmp_path / "train.py")), monkeypatch)
    assert sizes == [8]


@pytest.mark.slow
def test_a_script_that_names_the_size_before_its_step_is_traced_whole(tmp_path, monkeypatch):
    noisy = f"{SLICES}    x = x + 0.1 * torch.randn(32, 5)\n"
    (tmp_path / "train.py").write_text(SCRIPT.format(loop=noisy))
    assert traced(script(str(tmp_path / "train.py")), monkeypatch) == [32]
