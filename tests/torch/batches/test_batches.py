"""The batches that steps are given, and how many samples they have."""

from __future__ import annotations

import numpy as np

from tests.torch.runs import run, training


def test_samples_can_be_rearranged_where_the_batch_is_given():
    import torch

    def make():
        model = torch.nn.Linear(1, 1)
        x = torch.arange(3.0)[:, None]
        return (
            model,
            lambda batch: seen.append(batch["x"][:, 0].tolist()),
            {"batch": lambda i: {"x": x + i, "more": "words"}},
        )

    seen = []
    taken, rearranged = run(make), run(make, order=np.array([2, 0, 1]))
    assert taken.samples() == 3
    taken.step()
    rearranged.taken = 1
    rearranged.step()
    assert seen == [[0, 1, 2], [3, 1, 2]]
    assert run(training()).samples() is None
