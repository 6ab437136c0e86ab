"""A script is resumed from its own files, wherever it saves them."""

from __future__ import annotations

from symmetry.sandbox.source import Source
from symmetry.torch.script.script import Script

SAVES_TWICE = """
import os
import torch

model = torch.nn.Linear(4, 2)
optimizer = torch.optim.SGD(model.parameters(), 0.1)
begin = 0
if os.path.exists("last.pt"):
    saved = torch.load("last.pt")
    model.load_state_dict(saved["model"])
    begin = saved["step"]
for step in range(begin, 4):
    for part in range(2):
        model(torch.randn(8, 4)).square().mean().backward()
        os.makedirs(f"out/{step}/{part}", exist_ok=True)
        torch.save({"model": model.state_dict(), "step": step}, "last.pt")
    optimizer.step()
    optimizer.zero_grad()
"""


def test_a_script_may_save_several_times_between_two_updates(tmp_path):
    file = tmp_path / "train.py"
    file.write_text(SAVES_TWICE)
    script = Script(Source("train.py", file, folder=tmp_path, resume_with=()))
    found = script.resumed_runs()
    script.close()
    assert found is not None
    assert {(each.saved, each.position) for each in found.resumptions} == {(1, 1)}
