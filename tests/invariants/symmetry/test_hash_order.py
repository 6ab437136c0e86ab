"""A script whose words are numbered by the order of a set is another one in the next process."""

from __future__ import annotations

import pytest

from tests.cli.process import symmetry

SCRIPT = """
import torch
from torch import nn

torch.manual_seed(0)
text = "the cat sat on the mat and the dog sat on the log while a bird sang".split() * 4
number = {{word: i for i, word in enumerate({order}(set(text)))}}
tokens = torch.tensor([number[word] for word in text])
model = nn.Sequential(nn.Embedding(len(number), 8), nn.Linear(8, len(number)))
optimizer = torch.optim.AdamW(model.parameters(), 1e-2)
for i in torch.randperm(len(tokens) - 1).split(8):
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(tokens[i]), tokens[i + 1]).backward()
    optimizer.step()
"""


@pytest.mark.slow
@pytest.mark.parametrize(("order", "noted"), [("list", True), ("sorted", False)])
def test_the_order_of_a_set_has_a_note(tmp_path, order, noted):
    (tmp_path / "train.py").write_text(SCRIPT.format(order=order))
    options = ("--only", "symmetry/repeatable", "--dtype", "float32")
    done = symmetry("check", "train.py", *options, cwd=tmp_path)
    assert done.status == 0, done.err
    assert ("note: symmetry/hash-order: train.py:7: under another" in done.out) is noted
