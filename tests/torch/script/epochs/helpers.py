"""Scripts that are written into a folder, and run over whole epochs."""

from __future__ import annotations

from symmetry.targets.script import script
from symmetry.training.events import Epochs

HEAD = """
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
data = TensorDataset(torch.randn(96, 4), torch.randint(3, (96,)))
loader = DataLoader(data, batch_size=8, shuffle=True)
model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.1), nn.Linear(8, 3))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)


def train():
    for x, y in loader:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()


"""


def run(folder, text: str, name: str = "epochs_of.py") -> Epochs:
    """Run a script over whole epochs: what ``HEAD`` makes, and a text."""
    (folder / name).write_text(HEAD + text)
    target = script(name)
    try:
        epochs = target.training.epochs()
    finally:
        target.close()
    assert epochs is not None
    return epochs
