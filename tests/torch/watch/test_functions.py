"""The functions of PyTorch that a training calls, with their results."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional as F

from symmetry.torch.watch.functions import FROM_NUMPY, results


def test_each_function_is_shown_with_its_result_and_that_can_be_replaced():
    seen = []

    def see(func, args, kwargs, result):
        seen.append((func, args, kwargs, result))
        return result + 1 if func is F.mse_loss else None

    x = torch.ones(2)
    with results(see):
        loss = F.mse_loss(x, target=x)
        given = torch.from_numpy(np.zeros(2))
    torch.ones(3)
    assert loss == 1
    (func, args, _, result), (convert, (array,), _, made) = seen
    assert (func, convert) == (F.mse_loss, FROM_NUMPY)
    assert args[0] is x
    assert result == 0
    assert made is given
    assert isinstance(array, np.ndarray)


def test_arrays_are_shown_by_one_function_however_often_they_are_listened_to():
    first, second = [], []
    with (
        results(lambda func, *_: first.append(func)),
        results(lambda func, *_: second.append(func)),
    ):
        torch.from_numpy(np.zeros(2))
    assert first == second == [FROM_NUMPY]
