"""What a training makes, and what is found of it without being named."""

from __future__ import annotations

import random
from collections import UserDict

import numpy as np
import pytest

from symmetry.base.errors import TrainingError


def objects(extras=None, step=lambda i: None):
    import torch

    from symmetry.torch.objects import make_objects

    def make():
        model = torch.nn.Linear(2, 2)
        optimizer = torch.optim.SGD(model.parameters(), 0.1)
        torch.optim.lr_scheduler.StepLR(optimizer, 1)
        return model, step, extras or {}

    return make_objects("train.py:training", make)


def test_optimisers_and_schedulers_are_found():
    found = objects()
    assert list(found.stateful) == ["model", "optimizer", "scheduler"]


def test_a_dictionary_of_tensors_is_saved_and_restored():
    import torch

    kept = {"mean": torch.zeros(2)}
    tensors = objects({"own": kept}).extras["own"]
    tensors.load_state_dict({"mean": torch.ones(2), "more": torch.ones(1)})
    assert kept["mean"].tolist() == [1, 1]
    assert "more" in kept


@pytest.mark.parametrize(
    ("extras", "message"),
    [
        ({"batch": 3}, r'train.py:training: extras\["batch"\] must be a function of the step'),
        ({"batch_axis": "0"}, r'extras\["batch_axis"\] must be an integer'),
        ({"ema": 3}, r"extras\['ema'\] is an int without state_dict\(\)"),
    ],
)
def test_extras_that_are_something_else_are_told(extras, message):
    with pytest.raises(TrainingError, match=message):
        objects(extras)


def test_generators_are_found_in_what_the_step_encloses():
    import torch

    from symmetry.torch.objects import generators_of

    class Loader:
        def __init__(self):
            self.rng = np.random.default_rng(0)

    loader, own, listed = Loader(), torch.Generator(), [random.Random(0)]
    legacy = np.random.RandomState(0)

    def step(i, given=legacy):
        return loader, own, listed

    kinds = {type(each) for each in generators_of(objects(step=step))}
    assert kinds == {torch.Generator, np.random.Generator, np.random.RandomState, random.Random}


def test_entries_that_are_computed_are_not_looked_into():
    """Example: the entries of a configuration that refer to others, or are missing."""
    from symmetry.torch.objects import generators_in

    class Computed(UserDict[str, object]):
        def __getitem__(self, key):
            raise AssertionError

    own = np.random.default_rng(0)
    assert generators_in([Computed(own=own)]) == [own]


def test_the_parameters_of_all_groups_are_held():
    import torch

    from symmetry.torch.objects import held_by

    a, b = torch.nn.Parameter(torch.ones(1)), torch.nn.Parameter(torch.ones(2))
    assert held_by(torch.optim.SGD([{"params": [a]}, {"params": [b]}], 0.1)) == [a, b]
