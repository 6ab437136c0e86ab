"""Noise of NumPy is seen, from the shared generator and from others; orders and indices are not."""

from __future__ import annotations

import numpy as np
import pytest

from symmetry.torch.script.ranks.observing import seeing_noise


@pytest.mark.parametrize("name", ["normal", "uniform", "standard_normal", "random"])
def test_noise_is_seen_and_is_the_same_as_unseen(name):
    np.random.seed(1)
    shared, own = getattr(np.random, name)(size=3), getattr(np.random.default_rng(1), name)(size=3)
    seen = []
    with seeing_noise(seen.append):
        np.random.seed(1)
        drawn = getattr(np.random, name)(size=3), getattr(np.random.default_rng(1), name)(size=3)
    getattr(np.random, name)(size=3)
    assert [array.tolist() for array in seen] == [array.tolist() for array in drawn]
    assert [array.tolist() for array in seen] == [shared.tolist(), own.tolist()]


def test_orders_and_indices_are_not_seen():
    seen = []
    with seeing_noise(seen.append):
        np.random.permutation(3)
        np.random.randint(9, size=3)
        generator = np.random.default_rng(0)
        generator.permutation(3)
        generator.integers(9, size=3)
    assert not seen
    assert isinstance(generator, np.random.Generator)
