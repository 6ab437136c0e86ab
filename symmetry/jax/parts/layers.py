"""The layers of a run's model, as the names and shapes of its parameters show them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from symmetry.jax.stepper import Stepper
from symmetry.training.capabilities.layered import Layered

# What Flax, NNX and Keras, and Haiku call the matrix of a layer: its outputs are the last axis.
_MATRICES = ("kernel", "w")
_TABLES = ("embedding", "embeddings")


class JaxLayers(Layered):
    """The layers of a JAX model."""

    def __init__(self, stepper: Stepper) -> None:
        self._stepper = stepper

    @property
    def model_name(self) -> str:
        """The name of the state's class."""
        return type(self._stepper.program.made.state).__name__

    @property
    def output_on_axis_1(self) -> frozenset[str]:
        """Weights whose output axis is 1, not 0: matrices of most libraries, and tables."""
        return frozenset(
            name
            for name, leaf in self._stepper.leaves.parameters.items()
            if np.ndim(leaf) == 2 and name.rpartition(".")[2] in (*_MATRICES, *_TABLES)
        )

    @property
    def layers(self) -> Mapping[str, tuple[int, int]]:
        """The matrices of layers, with the axis along which they make units, and how many."""
        return {
            name: (np.ndim(leaf) - 1, np.shape(leaf)[-1])
            for name, leaf in self._stepper.leaves.parameters.items()
            if np.ndim(leaf) > 1 and name.rpartition(".")[2] in (*_MATRICES, *_TABLES)
        }

    @property
    def sharded(self) -> bool:
        """Whether ranks hold parameters in parts: a run has one process."""
        return False
