"""Notes on metrics, from records that are written down here, and an evaluation before training."""

from __future__ import annotations

from dataclasses import replace

import pytest

from symmetry.base import fork
from symmetry.invariants.loop.metrics import metrics
from symmetry.training.events import Metric, Saved, Updated
from tests.invariants.loop.helpers import run_of
from tests.invariants.loop.made import at, epochs, event


def judged(*events, **facts):
    return metrics(epochs(*events, metrics=(Metric(at=at(5), size=8, **facts),)))


def test_a_small_weight_of_a_last_batch_is_a_note():
    facts = {"effect": "weights", "name": "score() returns", "before": 1.0, "after": 2.0}
    (accused,) = judged(**facts, excess=0.1).accusations
    assert accused.text.startswith("the mean that score() returns is 1 for 0 samples")
    (note,) = judged(**facts, excess=0.005).notes
    assert note.name == "loop/last-batch"


def test_a_line_that_also_saves_behind_later_evaluations_has_a_note():
    saved = {"keys": (), "position": False, "model": True, "optimizer": False}
    later = event(Saved, 5, **saved)
    assert judged(event(Updated), later, effect="left").notes == []
    (note,) = judged(event(Updated), replace(later, update=1), effect="left").notes
    assert (note.name, note.line) == ("loop/best", 5)


SCRIPT = """
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

model = nn.Linear(8, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
loader = DataLoader(TensorDataset(torch.randn(64, 8)), 8)
best = float("inf")


@torch.no_grad()
def evaluate(limit):
    global best
    total = 0.0
    for k, (x,) in enumerate(loader):
        if k == limit:
            break
        total += model(x).square().sum().item()
    if total < best:
        best = total
        torch.save(model.state_dict(), "best.pt")


evaluate(LIMIT)
for _ in range(2):
    optimizer.zero_grad()
    model(torch.randn(8, 8)).square().mean().backward()
    optimizer.step()
    evaluate(100)
"""


@pytest.mark.skipif(not fork.POSSIBLE, reason="processes are forked on Linux alone")
@pytest.mark.usefixtures("forking")
def test_an_evaluation_that_is_left_before_the_training_is_seen(tmp_path):
    for limit, expected in ((3, ["left"]), (100, [])):
        file = tmp_path / f"script_{limit}.py"
        file.write_text(SCRIPT.replace("LIMIT", str(limit)))
        assert [m.effect for m in run_of(file).metrics] == expected
