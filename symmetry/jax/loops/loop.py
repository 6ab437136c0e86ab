"""A loop that trains: its body as the step of a training.

Example: an epoch in one call.

    def update(params, batch):
        loss, gradient = jax.value_and_grad(loss_of)(params, *batch)
        return jax.tree.map(lambda p, g: p - 0.1 * g, params, gradient), loss

    params, losses = jax.lax.scan(update, params, batches)

The carry, params, is the state, update is the step, and row i of batches the batch of step i: after
the last row the first one comes again. Keys among the rows belong to the number of the step, not to
samples.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from symmetry.jax.jaxprs.interpreter import is_key
from symmetry.jax.loops.context import context_of
from symmetry.jax.made import MadeTraining
from symmetry.observe.source_line import NOWHERE, SourceLine
from symmetry.units.words import count

Body = Callable[[Any, Any], tuple[Any, Any]]


@dataclass(frozen=True)
class Loop:
    """A loop with the arguments of its rounds."""

    kind: str  # the function of ``jax.lax`` that loops
    function: Any  # the body as the user has written it
    body: Body  # the same, as ``lax.scan`` takes it
    carry: Any  # the state that the first round takes
    rows: Any  # the further arguments of the rounds, one row each, in their order
    length: int | None  # how many rounds there are; None if that is not known
    is_mapped: bool = False  # whether ``vmap`` maps it, and this is its first copy

    @property
    def text(self) -> str:
        """Say which body the step is, and which code is not checked."""
        place, name = _line_of(self.function), getattr(self.function, "__name__", "its body")
        at = f" ({place})" if place.file else ""
        rows = ""
        if self.length is not None and jax.tree.leaves(self.rows):
            rows = f"; after its {count(self.length, 'round')} the first batch comes again"
        return (
            f"its step is {name}{at}, the body of a lax.{self.kind} that trains"
            f"{', in the first copy that vmap maps' if self.is_mapped else ''}; what is done "
            f"around that loop is not checked{rows}"
        )

    def row(self, number: int) -> Any:
        """Return the further arguments of a round."""
        return jax.tree.map(lambda row: row[number], self.rows)

    def training(self) -> MadeTraining:
        """Return its body as the step of a training."""
        leaves, tree = jax.tree.flatten(self.rows)
        keys = {n: jnp.asarray(leaf) for n, leaf in enumerate(leaves) if _are_keys(leaf)}
        carry = jax.tree.map(jnp.asarray, self.carry)
        if not leaves:
            return MadeTraining(carry, lambda state, _: self._step(state, None), None, 0, self.text)
        size = np.shape(leaves[0])[0]

        def batch(number: int) -> Any:
            rows = [None if n in keys else leaf[number % size] for n, leaf in enumerate(leaves)]
            return {"batch": jax.tree.unflatten(tree, rows), "number": np.int32(number)}

        def step(state: Any, given: Any) -> Any:
            rest = iter(jax.tree.leaves(given["batch"]))
            own = [
                keys[n][given["number"] % size] if n in keys else next(rest)
                for n in range(len(leaves))
            ]
            return self._step(state, jax.tree.unflatten(tree, own))

        return MadeTraining(carry, step, batch, 0, self.text)

    def _step(self, carry: Any, row: Any) -> Any:
        with context_of(self.function):
            return self.body(carry, row)


def _are_keys(rows: Any) -> bool:
    """Return whether rows are keys of random numbers, of the new kind or of the old one."""
    return is_key(rows.dtype) or (rows.dtype == np.uint32 and rows.shape[1:] == (2,))


def _line_of(function: Any) -> SourceLine:
    """Return the line at which a function is defined."""
    while isinstance(function, partial) or hasattr(function, "__wrapped__"):
        function = function.func if isinstance(function, partial) else function.__wrapped__
    code = getattr(function, "__code__", None)
    return NOWHERE if code is None else SourceLine(code.co_filename, code.co_firstlineno)
