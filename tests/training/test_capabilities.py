"""Capabilities: PyTorch's runs have all of them, and a run without one says which is missing."""

from __future__ import annotations

import importlib
import inspect
import pkgutil

import pytest

from symmetry.base.errors import TrainingError
from symmetry.training import capabilities
from symmetry.training.capabilities.capability import Capability
from symmetry.training.capabilities.drawing import Keyed
from symmetry.training.capabilities.platform import Copied
from symmetry.training.capabilities.saving import HandingOn
from symmetry.training.run import needed
from tests.torch.runs import run, training

OF_JAX = Copied, HandingOn, Keyed  # copies on devices, states that are handed on, keys
DECLARED = [
    value
    for module in pkgutil.iter_modules(capabilities.__path__, f"{capabilities.__name__}.")
    for value in vars(importlib.import_module(module.name)).values()
    if inspect.isclass(value)
    and issubclass(value, Capability)
    and value.__module__ == module.name
    and value not in (Capability, *OF_JAX)
]


class Unknown:
    """A capability that no run has."""


@pytest.fixture(scope="module")
def begun():
    return run(training())


def test_there_are_some():
    assert len(DECLARED) >= 10


@pytest.mark.parametrize("capability", DECLARED, ids=lambda capability: capability.__name__)
def test_a_run_of_pytorch_has_each_capability(begun, capability):
    found = begun.capability(capability)
    assert isinstance(found, capability)
    assert not getattr(type(found), "__abstractmethods__", None)


def test_a_capability_that_is_missing_is_named(begun):
    assert begun.capability(Unknown) is None
    with pytest.raises(TrainingError, match="Unknown"):
        needed(begun, Unknown)
