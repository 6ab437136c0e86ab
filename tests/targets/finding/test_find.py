"""Groups found in many architectures, against those counted by hand."""

from __future__ import annotations

import importlib.util
import json

import numpy as np
import pytest

from symmetry import memory
from symmetry.errors import SymmetryError
from tests.conftest import needs

pytestmark = needs("torch")

if importlib.util.find_spec("torch") is not None:
    import torch

    from symmetry.targets.finding.find import find
    from symmetry.targets.training import Training
    from tests.targets.finding import models

    MODELS = models.COUNTED
else:
    MODELS = {}


@pytest.mark.parametrize("make", MODELS, ids=lambda make: make.__name__)
def test_groups_are_those_counted_by_hand(make):
    coverage = find(Training(make.__name__, make))
    assert len(coverage.groups) == MODELS[make], coverage
    assert len({units.name for units in coverage.groups}) == MODELS[make]
    run = Training(make.__name__, make).start(dtype="float64", noise=False)
    start = run.state()
    for units in coverage.groups:  # a group is a permutation of what the arrays hold
        rotated = units.rearranged(start, np.roll(np.arange(units.count), 1))
        before, after = (
            np.concatenate([state[name].ravel() for name in units.arrays])
            for state in (start, rotated)
        )
        assert np.array_equal(np.sort(before), np.sort(after))


def test_units_without_gradient_are_told_and_stay_in_their_group():
    def dead():
        model, step = models.mlp()
        with torch.no_grad():
            model[0].weight[2], model[0].bias[2] = 0.0, -1.0
        return model, step

    coverage = find(Training("dead", dead))
    assert [units.count for units in coverage.groups] == [7, 6]
    assert coverage.idle == {"layer 0 units": (2,), "layer 2 units": ()}
    assert "7  layer 0 units (1 of them without gradient)" in repr(coverage)
    first, second = json.loads(coverage.to_json())["groups"]
    assert (first["no_gradient"], second["no_gradient"]) == ([2], [])


def test_what_does_not_fit_into_memory_is_refused_beforehand(monkeypatch):
    monkeypatch.setattr(memory, "limits", lambda: iter([1000]))
    with pytest.raises(SymmetryError, match=r"this would take 8\.\d KiB of memory"):
        find(Training("mlp", models.mlp))
