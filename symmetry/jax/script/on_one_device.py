"""The calls of functions that ``jax.pmap`` maps over one device, without the axis of the devices.

Example: a script on one device, whose batch has one row.

    step = jax.pmap(update)
    params = step(params, x)        w of shape (1, 3, 4), x of shape (1, 8, 3)

The step of the training gets w of shape (3, 4) and x of shape (8, 3), as without ``pmap``: so its
samples, tokens and units are those of ``update``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np

from symmetry.jax.script.jitted import Jitted
from symmetry.jax.script.round import Round


class OneDevice:
    """The calls of a step that is mapped over one device, as ``Jitted`` has those of any other.

    Parameters
    ----------
    step
        The function that is mapped, or a round of such functions.
    """

    def __init__(self, step: Jitted | Round) -> None:
        self._step = step
        self.name, self.tree, self.state = step.name, step.tree, step.state
        self._own = dict[int, tuple[Any, Any]]()  # by its id an array, and its only row
        leaves = range(len(step.first))
        self._static = step.constants_in(jax.tree.unflatten(step.tree, leaves))
        self.first = self._rows(step.first)
        self.given = [self._rows(leaves) for leaves in step.given]

    def constants_in(self, arguments: Mapping[str, Any]) -> frozenset[int]:
        """Return the leaves of the arguments that JAX compiles as constants."""
        return self._step.constants_in(arguments)

    def called(self, arguments: Mapping[str, Any], call: int | None = None) -> Any:
        """Call it with arguments by their names, each the only row of the script's."""
        leaves, tree = jax.tree.flatten(arguments)
        whole = [
            leaf if n in self._static else jax.tree.map(lambda row: row[None], leaf)
            for n, leaf in enumerate(leaves)
        ]
        returned = self._step.called(jax.tree.unflatten(tree, whole), call)
        return jax.tree.map(lambda result: result.squeeze(0), returned)

    def _rows(self, leaves: Sequence[Any]) -> list[Any]:
        """Return the only row of each leaf; the same array for the same leaf."""
        return [
            leaf if leaf is None or n in self._static else self._row(leaf)
            for n, leaf in enumerate(leaves)
        ]

    def _row(self, leaf: Any) -> Any:
        if id(leaf) not in self._own:
            self._own[id(leaf)] = leaf, leaf[0]
        return self._own[id(leaf)][1]


Calls = Jitted | Round | OneDevice


def without_rows(step: Jitted | Round) -> Calls:
    """Return a step as it is without the axis of the devices, if there is only one."""
    functions = [call.jitted for call in step.calls] if isinstance(step, Round) else [step]
    if not all(isinstance(each, Jitted) and each.by_rows for each in functions):
        return step
    static = step.constants_in(jax.tree.unflatten(step.tree, range(len(step.first))))
    rows = (np.shape(leaf)[:1] for n, leaf in enumerate(step.first) if n not in static)
    return OneDevice(step) if all(shape == (1,) for shape in rows) else step
