"""A training on a GPU is checked as any other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.conftest import needs

pytestmark = needs("gpu")

SCRIPT = """
import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3)).cuda()
optimizer = torch.optim.SGD(model.parameters(), 0.1)
scaler = torch.amp.GradScaler("cuda")
for _ in range(8):
    x, y = torch.randn(4, 6).cuda(), torch.randint(3, (4,)).cuda()
    optimizer.zero_grad()
    with torch.autocast("cuda", dtype=torch.float16):
        loss = nn.functional.cross_entropy(model(x), y)
    scaler.scale(loss).backward()
    scaler.step(optimizer)
    scaler.update()
"""


def training(after: Any = lambda model: None) -> Any:
    import torch
    from torch import nn

    def make():
        model = nn.Sequential(nn.Linear(6, 12), nn.Dropout(0.5), nn.Tanh(), nn.Linear(12, 4)).to(
            "cuda"
        )
        optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9)

        def step(i):
            generator = torch.Generator("cuda").manual_seed(i)
            dtype = model[0].weight.dtype
            x = torch.randn(16, 6, generator=generator, device="cuda", dtype=dtype)
            optimizer.zero_grad()
            model(x).square().mean().backward()
            optimizer.step()
            after(model)

        return model, step

    return make


def test_a_sound_training_is_not_accused() -> None:
    import symmetry

    report = symmetry.check(training())
    assert report.ok, report
    kinds = {verdict.invariant: verdict.kind for verdict in report}
    assert kinds["symmetry/permutation"] == "holds"
    assert kinds["symmetry/repeatable"] == "holds"


def test_a_faulty_one_is_found_out() -> None:
    import torch

    import symmetry

    def decay_a_row(model: Any) -> None:
        with torch.no_grad():
            model[0].weight[0] *= 0.99

    report = symmetry.check(training(decay_a_row), only="symmetry/permutation")
    assert {verdict.kind for verdict in report} == {"violated"}


def test_tf32_is_off_during_a_step_and_restored() -> None:
    import torch

    from symmetry.training.target import FunctionTraining

    seen = []
    torch.backends.cudnn.allow_tf32 = True
    FunctionTraining(
        "mine", training(lambda _: seen.append(torch.backends.cudnn.allow_tf32))
    ).begin().step()
    assert seen == [False]
    assert torch.backends.cudnn.allow_tf32


def test_a_script_runs_on_the_gpu_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import symmetry

    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.py").write_text(SCRIPT)
    found = symmetry.script("train.py").training
    run = found.begin()
    run.step()
    assert all(parameter.is_cuda for parameter in run.parameters.values())
    assert found.facts.substitution is None
    run.close()
    found.close()
    report = symmetry.check(symmetry.script("train.py"), only=("training/moves", "*/repeatable"))
    assert report.ok, report
