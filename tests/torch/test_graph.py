"""The operations that made a tensor."""

from __future__ import annotations

import pytest


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


@pytest.mark.parametrize(
    ("sound", "goal_of"),
    [
        (False, lambda v, w, x: 1 + 0.9 * v(x)),
        (False, lambda v, w, x: (x[:, :1] + 0.9 * v(x) * (x[:, 1:2] > 0)).squeeze(1)),
        (False, lambda v, w, x: (x[:, :1] + 0.9 * v(x)).where(x[:, :1] > 0, x[:, :1])),
        (True, lambda v, w, x: 1 + 0.9 * v(x).detach()),
        (True, lambda v, w, x: 1 + 0.9 * w(x)),  # of another network
        (True, lambda v, w, x: v(x) + 0.9 * v(x)),
        (True, lambda v, w, x: 0.9 * v(x)),
        (True, lambda v, w, x: x.sum(1)),
    ],
)
def test_a_goal_of_the_same_weights_is_bootstrapped(sound, goal_of):
    import torch

    from symmetry.torch.graph import is_bootstrapped

    value, other = torch.nn.Linear(3, 1), torch.nn.Linear(3, 1)
    x, y = torch.randn(2, 4, 3)
    assert is_bootstrapped(goal_of(value, other, y), value(x)) is not sound


def test_two_parts_of_one_pass_are_no_goal():
    import torch

    from symmetry.torch.graph import is_bootstrapped

    values = torch.nn.Linear(3, 1)(torch.randn(8, 3))
    assert not is_bootstrapped(1 + 0.9 * values[4:], values[:4])
