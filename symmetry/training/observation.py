"""Observations of a step: module inputs and outputs, losses, gradients, and the state after it.

    ("data", "input 0")                      what the first module is given
    ("forward", "blocks.1.fc input")         what a module is given, if no other module returned it
    ("forward", "blocks.1.fc")               what a module returns; a second tensor is fc[1]
    ("loss", "")                             the sum of the losses
    ("backward", "blocks.1.fc")              the gradient of what a module returns, or is given
    ("gradient", "model.blocks.1.fc.bias")   what the last backward left
    ("gradient", "model.blocks.1.fc.bias used")  what the update found
    ("update", "model.blocks.1.fc.bias")     the state

They come in the order in which they happen.
"""

import re
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from symmetry.units.state import Array

USED = " used"  # at the end of the name of a gradient, as the update finds it
_WRAPPERS = re.compile(
    r"(?:(?<=\.)|^)(?:module|_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)(?:\.|\b)"
)


class ObservedName(NamedTuple):
    """The name of an observation: when it happens, and of which module or array."""

    phase: str  # data, forward, loss, backward, gradient or update
    name: str


class ObservedCall(NamedTuple):
    """One call of a module."""

    module: str
    parent: str | None  # the module that calls it; None if the step itself does
    inputs: tuple[ObservedName, ...]
    outputs: tuple[ObservedName, ...]


@dataclass
class Observation:
    """The observations of one step."""

    # By key the arrays that were seen, call by call: accumulated batches come in parts.
    parts: dict[ObservedName, list[Array]] = field(default_factory=dict)
    calls: list[ObservedCall] = field(
        default_factory=list
    )  # of the first time, in the order they end
    rates: dict[str, Any] = field(default_factory=dict)  # numbers that the optimisers are given
    # File and line of the user's code that made it, or wrote into it last, where that is known.
    lines: dict[ObservedName, tuple[str, int]] = field(default_factory=dict)
    loss: float | None = None  # as the step has it

    @property
    def state(self) -> dict[str, Array]:
        """The state after the step, by name."""
        return {key.name: parts[0] for key, parts in self.parts.items() if key.phase == "update"}


def bare(name: str) -> str:
    """Return the name of a module or a tensor without what wrappers put into it."""
    return _WRAPPERS.sub("", name).rstrip(".")


def together(a: list[Array], b: list[Array]) -> tuple[list[Array], list[Array]] | None:
    """Return what two runs saw of one thing in the same pieces; None if they do not correspond.

    One of them may have taken its batch in parts: these are joined along the samples.
    """
    if len(a) != len(b):
        if len(a) > len(b):
            other = together(b, a)
            return other and other[::-1]
        if not a or len(b) % len(a):
            return None
        if any(array.ndim == 0 for array in b):
            return None
        try:
            b = [np.concatenate(b[number :: len(a)]) for number in range(len(a))]
        except ValueError:
            return None
    same = all(x.shape == y.shape for x, y in zip(a, b, strict=True))
    return (a, b) if same else None
