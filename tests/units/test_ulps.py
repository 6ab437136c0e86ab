"""Numbers moved by one ulp, and arrays that are left alone."""

from __future__ import annotations

import numpy as np
import pytest

from symmetry.units.ulps import is_discrete


@pytest.mark.parametrize(
    ("numbers", "discrete"),
    [
        ([0.0, 1.0, 1.0], True),
        ([0.0, 1.25, 0.0, 1.25], True),
        ([3.0, 17.0, -2.0], True),
        ([], True),
        ([0.1, 0.2, 0.3], False),
        ([np.inf, 0.5, 0.25], False),
    ],
)
def test_masks_and_whole_numbers_are_discrete(numbers, discrete):
    assert is_discrete(np.array(numbers)) == discrete
