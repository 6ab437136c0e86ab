"""The samples of micro-batches: which belong to an update, how large they are, and exchanged."""

from __future__ import annotations

from collections import Counter

import torch

from symmetry.torch.script.samples import MicroBatches, kind_of

FIRST, SECOND = object(), object()  # loaders


def kept(batches, backwards, given=None):
    """Return what has kept these batches, pairs of a loader and its samples, and these samples."""
    micro_batches = MicroBatches(given)
    seen = [micro_batches.see(loader, samples) for loader, samples in batches]
    micro_batches.update(Counter(backwards))
    return micro_batches.window, seen


def test_as_many_batches_of_a_loader_as_backwards_belong_to_the_update():
    batches = [(FIRST, [1, 2]), (SECOND, [9, 9]), (FIRST, [3, 4]), (FIRST, [5, 6])]
    window, seen = kept(batches, {"train.py:7": 2, "train.py:9": 1})
    assert (window.loader, window.batches) == (0, ((1, 2), (3, 4)))
    assert seen == [samples for _, samples in batches]


def test_one_backward_or_batches_of_other_sizes_are_no_window():
    assert kept([(FIRST, [1, 2]), (FIRST, [3, 4])], {"train.py:7": 1})[0] is None
    assert kept([(FIRST, [1, 2]), (FIRST, [3])], {"train.py:7": 2})[0] is None


def test_samples_are_exchanged_in_another_run_up_to_the_update():
    batches = [(FIRST, [1, 2]), (FIRST, [3, 4])]
    window, _ = kept(batches, {"train.py:7": 2})
    moved = window.rearranged([3, 0, 1, 2])
    assert moved.batches == ((4, 1), (2, 3))
    assert kept(batches, {"train.py:7": 2}, moved)[1] == [[4, 1], [2, 3]]


def test_what_empties_a_sample_leaves_the_kept_one():
    samples = [{"ids": [1, 2], "label": 0}, {"ids": [3], "label": 1}]
    micro_batches = MicroBatches(None)
    for _ in range(2):
        micro_batches.see(FIRST, samples)
    samples[0].pop("label")
    micro_batches.update(Counter({"train.py:7": 2}))
    assert micro_batches.window.batches[0][0] == {"ids": [1, 2], "label": 0}


def test_samples_of_one_kind_have_one_size_and_as_many_labels_that_count():
    def ids(*tokens):
        return {"ids": torch.tensor(tokens), "label": torch.tensor(tokens[0])}

    assert kind_of(ids(1, 2, 3)) == kind_of(ids(4, 5, 6))
    assert kind_of(ids(1, 2, 3)) != kind_of(ids(1, 2))
    assert kind_of(ids(1, 2, 0)) != kind_of(ids(1, 0, 0))
    assert kind_of(([1, 2, -100], "text")) != kind_of(([1, -100, -100], "text"))
    assert kind_of(ids(1, 2, 3))[0] == 3
