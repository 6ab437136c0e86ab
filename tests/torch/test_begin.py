"""What models are filled with at random is drawn once."""

from __future__ import annotations


def test_large_draws_are_remembered_and_the_generator_goes_on_as_if_they_were_made():
    import torch

    from symmetry.torch.begin import InitCache

    known, results = {}, []
    for _ in range(2):
        torch.manual_seed(3)
        with InitCache(known):
            results.append((torch.empty(200, 100).normal_(), torch.rand(3)))
    assert len(known) == 1
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))
