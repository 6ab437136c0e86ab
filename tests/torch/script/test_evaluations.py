"""Evaluations are cut short where the steps of a script do not depend on them."""

from __future__ import annotations

from contextlib import closing

import pytest
import torch
from torch import nn

from symmetry.torch.script import evaluations, execution
from symmetry.torch.script.evaluations import Evaluations
from tests.torch.script.helpers import steps_of, written

SCRIPT = """
import torch

torch.manual_seed(0)
net = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Dropout({dropout}), torch.nn.Linear(4, 1))
optimizer = torch.optim.SGD(net.parameters(), 0.1)
data = torch.utils.data.TensorDataset(torch.randn(40, 3))
validation = torch.utils.data.DataLoader(data, 4)
calls = []


@torch.no_grad()
def evaluate():
    net.train({mode})
    calls.extend(net(x).mean().item() for (x,) in validation)
    net.train()


for step in range(6):
    evaluate()
    loss = net(torch.randn(8, 3) {changed}).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
print("seen", len(calls))
"""


@pytest.mark.parametrize(
    ("parts", "cut"),
    [
        ({}, True),
        ({"mode": True}, True),  # it draws nothing
        ({"mode": True, "dropout": 0.5}, False),
        ({"changed": "+ calls[-1]"}, False),
        ({"changed": "if len(calls) % 10 == 0 else 1 / 0"}, False),
    ],
)
def test_they_are_cut_if_the_steps_stay_the_same(folder, monkeypatch, parts, cut):
    text = SCRIPT.format(**{"dropout": 0.0, "mode": False, "changed": "", **parts})
    losses = steps_of(written(folder, text))
    monkeypatch.setattr(evaluations, "_DEAR", -1.0)
    with closing(training := written(folder, text)):
        assert steps_of(training) == losses
        assert training._cut == cut


def test_the_run_that_shows_where_steps_begin_is_compared_with_a_cut_one(folder, monkeypatch):
    runs = []
    contained = execution.contained
    monkeypatch.setattr(execution, "contained", lambda *a: runs.append(a) or contained(*a))
    monkeypatch.setattr(evaluations, "_DEAR", -1.0)
    with closing(training := written(folder, SCRIPT.format(dropout=0.0, mode=False, changed=""))):
        training.prepare()
        assert training._cut
    assert len(runs) == 2


def test_they_are_left_whole_if_they_take_no_time(folder):
    with closing(training := written(folder, SCRIPT.format(dropout=0.0, mode=False, changed=""))):
        training.prepare()
        assert not training._cut


class Adding(nn.Module):
    def __init__(self):
        super().__init__()
        self.calls = 0

    def forward(self, x, more=0, **_):
        self.calls += 1
        return {"sum": x + more, "calls": self.calls}


@pytest.fixture
def adding():
    return Adding()


@pytest.fixture
def call(adding):
    mine = Evaluations(cut=True)

    def call(*args, **kwargs):
        return mine.call(nn.Module.__call__, adding, args, kwargs)["calls"]

    call.mine = mine
    return call


def test_calls_of_the_same_shapes_are_repeated_up_to_the_next_update(call):
    assert [call(torch.ones(2)) for _ in range(4)] == [1, 2, 2, 2]
    assert [call(torch.ones(3)) for _ in range(4)] == [3, 4, 4, 4]
    call.mine.forget()
    assert call(torch.ones(2)) == 5


def test_calls_with_other_numbers_or_objects_are_computed(call):
    assert [call(torch.ones(2), more=n) for n in range(4)] == [1, 2, 3, 4]
    cache = object()
    assert [call(torch.ones(2), cache=cache) for _ in range(4)] == [5, 6, 7, 8]


def test_a_result_that_is_changed_in_place_is_not_changed_for_later_calls(adding):
    mine, x = Evaluations(cut=True), torch.ones(2)
    for _ in range(5):
        result = mine.call(nn.Module.__call__, adding, (x,), {})["sum"]
        assert result.tolist() == [1, 1]
        result.zero_()
        x = torch.ones(2)
