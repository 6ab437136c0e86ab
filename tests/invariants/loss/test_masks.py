"""Notes on sums over masks that are divided by lengths, and on means that padding counts in."""

from __future__ import annotations

import pytest

from symmetry.invariants.loss.masks import masks
from tests.invariants.loop.helpers import updates_of

SCRIPT = """
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
LENGTH = 10
model = nn.Linear(6, 6)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
mask = (torch.arange(LENGTH) < torch.randint(3, LENGTH, (32, 1))).float()


def loss_of(x, mask):
    error = (model(x) - x.roll(1, 2)).square().mean(2)
    TERM
    return loss


for x, kept in DataLoader(TensorDataset(torch.randn(32, LENGTH, 6), mask), 8):
    optimizer.zero_grad()
    loss_of(x, kept).backward()
    optimizer.step()
"""
OWN = "loss = (error * mask).sum() / mask.sum()"
MIXED = "z = model(x).softmax(2); loss = (error * mask).sum() / mask.sum() + z"


@pytest.mark.parametrize(
    ("term", "noted"),
    [
        (OWN, []),
        ("loss = ((error * mask).sum(1) / mask.shape[1]).mean()", ["a product"]),
        ("loss = ((error * mask).sum(1) / LENGTH).mean()", []),  # a constant on purpose
        ("loss = (error * mask).sum(1).mean()", []),  # sums of sequences
        ("loss = (error * mask).mean()", ["a product"]),
        ("loss = (error * mask).mean() + (error * (1 - mask)).mean() / 4", []),  # labels
        (f"{MIXED}.mean((0, 1)).square().sum()", ["a value of a model"]),
        (f"{MIXED}.mean(2).mul(mask).sum() / mask.sum()", []),
        (f"{MIXED}.sum()", []),
    ],
)
def test_a_mean_over_hidden_places_is_noted(tmp_path, term, noted):
    file = tmp_path / "script.py"
    file.write_text(SCRIPT.replace("TERM", term))
    found = masks(updates_of(file))
    assert found.accusations == []
    assert [note.text.partition(" with")[0].partition(" is")[0] for note in found.notes] == noted
