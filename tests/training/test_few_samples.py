"""A few samples of a batch: spread over it, and one of each label."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from symmetry.training.capabilities.batching import FewSamples


@given(st.integers(1, 12), st.lists(st.integers(0, 4), max_size=60))
def test_each_label_is_kept_and_few_samples_are(count, labels):
    kept = FewSamples(count).places(len(labels), labels)
    assert kept == sorted({*kept})
    assert {*kept} <= {*range(len(labels))}
    assert {labels[k] for k in kept} == {*labels}
    assert len(kept) == len(labels) or 2 * len(kept) <= len(labels)


def test_they_are_spread_evenly():
    assert FewSamples(4).places(40) == [0, 10, 20, 30]
    assert FewSamples(2).places(8, "aaabbbcb") == [0, 4, 6]


def test_a_small_batch_stays_whole():
    assert FewSamples(8).places(15) == [*range(15)]
    assert FewSamples(2).places(4, "abcd") == [*range(4)]
