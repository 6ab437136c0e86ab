"""From which batch the arguments of a call come: by memory, or by shape."""

from __future__ import annotations

import torch

from symmetry.torch.script.epochs.batches.loaders import RecentBatches


def three():
    recent = RecentBatches()
    batches = [torch.randn(4, 2) for _ in range(3)]
    for event, batch in enumerate(batches):
        recent.add(10 + event, 5, [batch])
    return recent, batches


def test_memory_decides_before_the_order():
    recent, (first, _, last) = three()
    assert recent.batch_of((first[1:], {})) == (10, 5)
    assert recent.batch_of(([last], {})) == (12, 5)


def test_a_shape_stands_for_the_last_one():
    recent, _ = three()
    assert recent.batch_of(torch.zeros(4, 2)) == (12, 5)
    assert recent.batch_of(torch.zeros(3, 2)) == (None, 5)


def test_a_batch_is_forgotten_after_three_others_or_with_its_loader():
    recent, (first, *_) = three()
    recent.add(13, 6, [torch.randn(4, 2)])
    assert recent.batch_of(first) == (13, 6)  # its shape is all that is left
    recent.forget(6)
    assert recent.batch_of(torch.zeros(4, 2)) == (12, 5)
    recent.forget(5)
    assert recent.batch_of(torch.zeros(4, 2)) == (None, None)
