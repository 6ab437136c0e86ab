"""Copies of a model that follow its weights."""

from __future__ import annotations

import pytest

from tests.torch.script.epochs.helpers import run

FOLLOWED = """
import copy
average = copy.deepcopy(model)
for epoch in range(2):
    for x, y in loader:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
        with torch.no_grad():
            for mine, its in zip(average.parameters(), model.parameters()):
                {}
"""
EMA = "mine.mul_(0.9).add_(its, alpha=0.1)"


def test_buffers_that_the_copy_never_takes_over_are_stale(folder):
    (copy,) = run(folder, FOLLOWED.format(EMA)).copies
    assert copy.stale == ("1.running_mean", "1.running_var")


@pytest.mark.parametrize("line", ["pass", "mine.add_(0.01)"])
def test_a_copy_that_goes_its_own_way_follows_nothing(folder, line):
    assert run(folder, FOLLOWED.format(line)).copies == ()
