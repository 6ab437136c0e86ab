"""Groups found in many architectures, against those counted by hand."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest

from tests.conftest import needs

pytestmark = needs("torch")

if importlib.util.find_spec("torch") is not None:
    from symmetry.targets.finding.find import find
    from symmetry.targets.training import Training
    from tests.targets.finding.models import COUNTED

    MODELS = COUNTED
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
