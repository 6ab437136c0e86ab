"""``symmetry watch``: the timeline of a script, as text."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.cli.inside import symmetry
from tests.cli.process import Finished

SCRIPT = """\
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(4, 8), nn.Dropout(), nn.Linear(8, 3))
optimizer = torch.optim.SGD(model.parameters(), 0.1)
scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1)
data = TensorDataset(torch.randn(48, 4), torch.randint(3, (48,)))
train, valid = DataLoader(data, 8, shuffle=True), DataLoader(data, 16)
for epoch in range(2):
    model.train()
    for x, y in train:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
    scheduler.step()
    model.eval()
    with torch.no_grad():
        for x, y in valid:
            model(x)
    torch.save(model.state_dict(), "last.pt")
"""


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> tuple[Finished, Path]:
    folder = tmp_path_factory.mktemp("watched")
    (folder / "train.py").write_text(SCRIPT)
    return symmetry("watch", "train.py", cwd=folder), folder


def test_the_timeline_has_what_a_script_does_in_order_with_its_lines(watched):
    done, folder = watched
    assert done.status == 0, done.err
    assert done.out.startswith("train.py: 4 updates, ended: the script's end\n")
    timeline = done.out.partition("\ntimeline\n")[2]
    expected = (
        r"train\.py:12 +model\.train\(\)",
        r"train\.py:13 +batch of train \(8 x 4, 8\)",
        r"train\.py:14 +gradients are cleared\n",
        r"train\.py:15 +model\(8 x 4\) in training mode, with gradients",
        r"train\.py:16 +update by optimizer \(SGD\), rate 0\.1 to 0\.01\n",
        r"train\.py:17 +StepLR",
        r"train\.py:21 +model\(16 x 4\) in evaluation mode, without gradients",
        r"train\.py:22 +torch\.save",
    )
    places = [found.start() if (found := re.search(e, timeline)) else None for e in expected]
    assert None not in places
    assert places == sorted(places)
    assert sorted(path.name for path in folder.iterdir()) == ["train.py"]


def test_a_function_has_no_epochs(tmp_path):
    text = (
        "def training():\n    from torch import nn\n\n    return nn.Linear(2, 1), lambda i: None\n"
    )
    (tmp_path / "own.py").write_text(text)
    done = symmetry("watch", "own.py:training", cwd=tmp_path)
    assert done.status == 2
    assert done.err.splitlines()[-1] == (
        "error: 'own.py:training' cannot be watched: only a script whose steps are calls has epochs"
    )
