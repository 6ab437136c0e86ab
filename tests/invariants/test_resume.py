"""What is saved, loaded and gone on with: the same bits, or why not."""

from __future__ import annotations

import pytest

from tests.checking import check_target
from tests.torch.script import scripts
from tests.torch.script.helpers import written
from tests.training.small import checked, kinds


def test_what_is_saved_has_no_history():
    """The state that a recurrent network goes on with is the result of its last step."""

    def make():
        import torch

        class Memory:
            def __init__(self):
                self.value = torch.zeros(1, 3, 4)

            def state_dict(self):
                return {"value": self.value}

            def load_state_dict(self, saved):
                self.value = saved["value"]

        model, memory = torch.nn.GRU(2, 4), Memory()
        optimizer = torch.optim.SGD(model.parameters(), 0.1)

        def step(i):
            optimizer.zero_grad()
            x = torch.randn(5, 3, 2, generator=torch.Generator().manual_seed(i))
            x = x.to(memory.value.dtype)
            out, memory.value = model(x, memory.value.detach())
            out.square().mean().backward()
            optimizer.step()

        return model, step, {"memory": memory}

    assert {*kinds(checked(make, only=["training/resume"])).values()} == {"holds"}


@pytest.mark.parametrize(
    ("zeroed", "kind", "message"),
    [
        ("of_critic", "holds", ""),
        ("of_generator", "violated", "the gradients of earlier steps are added up"),
    ],
)
def test_a_script_is_judged_where_it_can_be_loaded(tmp_path, monkeypatch, zeroed, kind, message):
    """Between the updates of a critic and a generator, the generator's graph is half used."""
    monkeypatch.chdir(tmp_path)
    text = scripts.GAN.replace("critic.zero_grad()", f"{zeroed}.zero_grad()")
    (verdict,) = check_target(written(tmp_path, text), only=["training/resume"]).verdicts
    assert verdict.kind == kind
    assert message in verdict.message


def test_a_script_that_can_be_loaded_nowhere_is_not_judged(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (verdict,) = check_target(written(tmp_path, _ONLY_WITHIN), only=["training/resume"]).verdicts
    assert verdict.kind == "vacuous"
    assert verdict.message.startswith("cannot judge: it was saved in the middle of an iteration")


_ONLY_WITHIN = """
import torch
from torch import nn

body, head = nn.Sequential(nn.Linear(3, 3), nn.Tanh(), nn.Linear(3, 3)), nn.Linear(3, 1)
of_body, of_head = (torch.optim.SGD(m.parameters(), 0.1) for m in (body, head))
kept = body(torch.randn(8, 3))
for _ in range(8):
    of_head.zero_grad()
    head(kept.detach()).square().mean().backward()
    of_head.step()
    following = body(torch.randn(8, 3))
    of_body.zero_grad()
    head(kept).square().mean().backward()
    kept = following
"""
