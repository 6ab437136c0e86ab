"""A script is resumed from its own files, wherever it saves them."""

from __future__ import annotations

import pytest

from symmetry.sandbox.source import Source
from symmetry.torch.script.script import Script
from tests.conftest import slow

SAVES_TWICE = """
import os
from pathlib import Path
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
        torch.save({"model": model.state_dict(), "step": step}, Path("last.pt"))
    optimizer.step()
    optimizer.zero_grad()
"""


RECOVERS = SAVES_TWICE.replace(
    'saved = torch.load("last.pt")',
    "try:\n"
    '        saved = torch.load("last.pt")\n'
    "    except RuntimeError:\n"
    '        saved = torch.load("before.pt")',
).replace(
    "        torch.save(",
    '        if os.path.exists("last.pt"):\n'
    '            os.replace("last.pt", "before.pt")\n'
    "        torch.save(",
)


@pytest.mark.parametrize(("text", "is_lost"), [(SAVES_TWICE, True), slow(RECOVERS, False)])
def test_a_script_may_save_several_times_between_two_updates_and_be_killed_meanwhile(
    tmp_path, text, is_lost
):
    file = tmp_path / "train.py"
    file.write_text(text)
    script = Script(Source("train.py", file, folder=tmp_path, resume_with=()))
    found = script.resumed_runs()
    script.close()
    assert found is not None
    assert {(each.saved, each.position) for each in found.resumptions} == {(1, 1), (2, 2)}
    assert (found.half_written is not None) is is_lost
    if found.half_written is not None:
        assert found.half_written.file == "last.pt"
        assert found.half_written.failure.startswith("it fails: train.py raised ")
        assert "torch.save" in text.splitlines()[found.half_written.at.line - 1]


SAVES_BY_STEP = """
import sys
import torch

model = torch.nn.Linear(4, 2)
optimizer = torch.optim.SGD(model.parameters(), 0.1)
begin = 0
if sys.argv[1:]:
    saved = torch.load(sys.argv[1].removeprefix("--resume="))
    model.load_state_dict(saved["model"])
    begin = saved["step"]
for step in range(begin, 9):
    model(torch.randn(8, 4)).square().mean().backward()
    optimizer.step()
    optimizer.zero_grad()
    torch.save({"model": model.state_dict(), "step": step + 1}, f"{step + 1}.pt")
"""


@pytest.mark.slow
def test_a_script_is_resumed_from_a_save_that_has_written_the_file_of_the_arguments(tmp_path):
    file = tmp_path / "train.py"
    file.write_text(SAVES_BY_STEP)
    script = Script(Source("train.py", file, folder=tmp_path, resume_with=("--resume=3.pt",)))
    found = script.resumed_runs()
    script.close()
    assert found is not None
    assert [(each.saved, each.position) for each in found.resumptions] == [(3, 3)]
