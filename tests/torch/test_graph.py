"""The operations that made a tensor."""

from __future__ import annotations


def test_makers_are_named_from_the_last_one_on():
    import torch

    from symmetry.torch.graph import makers

    layer, x = torch.nn.Linear(3, 1), torch.ones(4, 3)
    assert makers(layer(x))[0] == "linear"
    squeezed = torch.sigmoid(layer(x)).squeeze(1).double()
    assert makers(squeezed)[:4] == ("view", "view", "sigmoid", "linear")
    assert makers(layer(x).unsqueeze(0))[:2] == ("unsqueeze", "linear")
    assert makers(layer(x).log_softmax(0))[0] == "logsoftmax"
    assert makers(x) == makers(layer.weight) == ()
