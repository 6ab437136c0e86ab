"""Modules are noted as they are made, and read only once they are whole."""

from __future__ import annotations

import torch
from torch import nn

from symmetry.base.patches import patched
from symmetry.torch.creation import Modules, creation_of, note
from symmetry.training.capabilities.model import UNKNOWN


class Wrapper(nn.Module):
    """A module that hands unknown attributes on to the one inside."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def __getattr__(self, name):
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(self.inner, name)


def test_no_attribute_of_a_module_is_read_before_it_is_whole():
    modules = Modules()
    with patched(modules.patches()):
        model = Wrapper(nn.Linear(2, 3))
    assert modules.roots() == [model]
    assert creation_of(model).number > 0
    before = creation_of(model)
    note(model)
    assert creation_of(model) is before
    assert creation_of(nn.Linear(1, 1)) is UNKNOWN


def test_modules_without_numbers_are_no_models():
    modules = Modules()
    with patched(modules.patches()):
        with torch.device("meta"):
            counted = nn.Linear(2, 3)
        model = nn.Linear(2, 3)
    assert modules.roots() == [model]
    assert counted.weight.is_meta
