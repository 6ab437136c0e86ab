"""Where the run of a two-layer step begins: data and weights."""

from __future__ import annotations

import numpy as np

from symmetry.checker import recipes
from symmetry.checker.case import Case
from symmetry.data.dataset import Dataset
from symmetry.invariants.two_layer import TwoLayer
from symmetry.memory import bytes_to_train, refuse_beyond_memory
from symmetry.network.formulas import one_hot_encode

_LIVE = 16  # arrays of one entry a sample and unit that are kept at once


def start_of_case(case: Case) -> TwoLayer:
    """Return the start that a case describes."""
    _refuse((case.n, case.i, case.h, case.c), case.dtype)
    return recipes.setting(case)


def start_of_dataset(dataset: Dataset, samples: int | None, case: Case) -> TwoLayer:
    """Return what a case says, but zero weights and the first samples of a data set, or all."""
    x, dtype = dataset.train_x[:samples], case.dtype
    _refuse((len(x), dataset.inputs, case.h, dataset.classes), dtype)
    y = one_hot_encode(dataset.train_labels[:samples], dataset.classes, dtype)
    w1 = np.zeros((dataset.inputs + 1, case.h), dtype)
    w2 = np.zeros((case.h + 1, dataset.classes), dtype)
    return TwoLayer(x.astype(dtype), y, w1, w2, case.lr, case.iterations, 0)


def _refuse(sizes: tuple[int, int, int, int], dtype: str) -> None:
    """Refuse what memory cannot hold, before it is tried."""
    refuse_beyond_memory(bytes_to_train(sizes, dtype, inputs=4, layers=_LIVE, weights=0))
