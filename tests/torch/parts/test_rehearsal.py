"""Tensors that steps leave as they are."""

from __future__ import annotations


def test_tensors_that_are_frozen_are_not_written_into():
    import torch

    from symmetry.torch.parts.rehearsal import CopyOnWrite

    kept, free = torch.zeros(2), torch.zeros(2)
    with CopyOnWrite([kept]):
        kept.add_(1)
        free.add_(1)
    assert kept.tolist() == [0, 0]
    assert free.tolist() == [1, 1]
