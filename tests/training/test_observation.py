"""What two runs saw of one thing, brought into the same pieces; names without wrappers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from symmetry.training.observation import Observation, ObservedName, bare, together


@pytest.mark.parametrize(
    ("name", "without"),
    [
        ("module.fc.weight", "fc.weight"),
        ("_orig_mod.fc", "fc"),
        ("blocks.1._fsdp_wrapped_module.fc.weight", "blocks.1.fc.weight"),
        ("a._checkpoint_wrapped_module", "a"),
        ("my_module.fc", "my_module.fc"),
        ("modules.fc", "modules.fc"),
        ("", ""),
    ],
)
def test_wrappers_do_not_show(name, without):
    assert bare(name) == without


@given(lengths=st.lists(st.integers(1, 4), min_size=1, max_size=3), pieces=st.integers(1, 3))
def test_parts_of_a_batch_are_joined_along_the_samples(lengths, pieces):
    """Of each call, the first run has the whole, the other one the pieces, in turns."""
    whole = [np.arange(n * pieces * 2.0).reshape(-1, 2) + 100 * n for n in lengths]
    cut = [part for k in range(pieces) for part in (w[k * len(w) // pieces :] for w in whole)]
    parts = [c[: len(w) // pieces] for c, w in zip(cut, whole * pieces, strict=True)]
    one, other = together(whole, parts)
    assert all(map(np.array_equal, one, whole))
    assert all(map(np.array_equal, other, whole))
    joined, again = together(parts, whole)
    assert all(map(np.array_equal, joined, again))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ([np.zeros(3)], [np.zeros(2)]),
        ([], [np.zeros(2)]),
        ([np.zeros(2)] * 2, [np.zeros(1)] * 3),
        ([np.zeros(2)], [np.zeros(())] * 2),
        ([np.zeros((2, 2))], [np.zeros((1, 2)), np.zeros((1, 3))]),
    ],
    ids=["shapes", "nothing", "no whole number of pieces", "numbers", "pieces of two widths"],
)
def test_what_does_not_correspond(one, other):
    assert together(one, other) is None
    assert together(other, one) is None


def test_the_state_is_what_the_update_left():
    seen = Observation(
        {ObservedName("loss", ""): [np.ones(())], ObservedName("update", "model.w"): [np.zeros(2)]}
    )
    assert [*seen.state] == ["model.w"]
