"""Views that name axes in another order."""

from __future__ import annotations

import pytest
import torch

from symmetry.torch.probes.flowing import permuting_views


@pytest.mark.parametrize(
    ("before", "after", "mixes"),
    [
        ((8, 12, 6, 6), (8, -1, 4), True),  # the head of a detector: 3 anchors of 4 numbers
        ((8, 5, 6, 6), (-1, 5), True),  # the classes of each place
        ((8, 6, 6, 12), (8, -1, 4), False),  # the channels come last
        ((8, 12, 1, 1), (8, -1, 4), False),  # there is one place
        ((8, 12, 6, 6), (8, 12, 36), False),
        ((8, 12, 6, 6), (8, -1), False),
        ((8, 12, 6, 6), (-1, 6), False),  # the lines of an image
        ((8, 12, 6, 6), (8, -1, 3), False),  # halves of them
        ((8, 12, 6, 6), (8, -1, 12), False),  # two of them
    ],
)
def test_channels_that_are_cut_as_if_they_came_last_are_mixed(before, after, mixes):
    with permuting_views() as found:
        torch.zeros(before).view(after)
    assert bool(found) == mixes
