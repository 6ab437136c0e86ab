"""A training on a GPU is checked as any other."""

from __future__ import annotations

from typing import Any

from tests.conftest import needs

pytestmark = needs("gpu")


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
