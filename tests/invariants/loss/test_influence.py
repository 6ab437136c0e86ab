"""``loss/influence``: terms that are cut from their gradients."""

import pytest

from symmetry.invariants.loss.influence import influence
from tests.invariants.loop.helpers import updates_of

SCRIPT = """
import torch
from torch import nn

torch.manual_seed(0)
net = nn.Linear(4, 3)
optimizer = torch.optim.SGD(net.parameters(), 0.1)
for _ in range(2):
    scores = net(torch.randn(8, 4))
    term = scores.exp().mean().detach()
    loss = scores.square().mean() + {coefficient} * term
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""


@pytest.mark.slow
@pytest.mark.parametrize(("coefficient", "is_noted"), [(0.5, True), (0.0, False)])
def test_a_term_that_is_a_number_and_cut_has_a_note(tmp_path, coefficient, is_noted):
    file = tmp_path / "other.py"
    file.write_text(SCRIPT.format(coefficient=coefficient))
    judgement = influence(updates_of(file))
    assert judgement.accusations == []
    assert [note.name for note in judgement.notes] == ["loss/constant"] * is_noted
    said = [excuse.name for excuse, _ in judgement.spared]
    assert set(said) == (set() if is_noted else {"a coefficient of 0"})
