"""Where a step looks tokens up: in a table, by comparing them with all classes, or in a loop."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from jax.extend.core import Literal

from symmetry.jax.jaxprs.forward import Forward
from symmetry.jax.jaxprs.graph import Operand
from symmetry.jax.jaxprs.interpreter import kind_of
from symmetry.jax.probes.provenance import CASTS, SHAPES, source
from symmetry.units.state import Array

_FEWEST = 3  # tokens in a row


@dataclass(frozen=True)
class Lookup:
    """An operand that holds tokens."""

    operand: Operand  # which one it is
    atom: Any  # the value there
    shape: tuple[int, ...]  # its lengths

    def tokens_in(self, value: Any) -> Array:
        """Return the tokens, (batch, tokens) or (tokens, batch)."""
        return np.asarray(value).reshape(self.shape[:2])

    def holding(self, tokens: Array, like: Any) -> Array:
        """Return other tokens as this operand holds them."""
        return tokens.reshape(self.shape).astype(np.asarray(like).dtype)


def lookups(forward: Forward) -> list[Lookup]:
    """Return the operands that may hold tokens, in the order of the equations."""
    found = []
    for number, equation in enumerate(forward.equations):
        for position in _places(forward, equation):
            atom = equation.invars[position]
            shape = tuple(atom.aval.shape)
            whole = not isinstance(atom, Literal) and kind_of(atom.aval.dtype) in ("i", "u")
            # The indices of a table have one more axis.
            two = len(shape) == 2 if equation.primitive.name == "scan" else shape[2:] == (1,)
            if whole and two and max(shape[:2]) >= _FEWEST:
                found.append(Lookup((number, position), atom, shape))
    return found


def _places(forward: Forward, equation: Any) -> Iterator[int]:
    name = equation.primitive.name
    if name == "gather":
        table, dimensions = equation.invars[0], equation.params["dimension_numbers"]
        plain = len(dimensions.start_index_map) == 1 and not dimensions.operand_batching_dims
        if forward.is_trained(table) and plain:
            yield 1
    elif name == "eq":
        for position, atom in enumerate(equation.invars):
            other = forward.maker(source(forward, equation.invars[1 - position], SHAPES | CASTS))
            if other is not None and other.primitive.name == "iota" and len(atom.aval.shape) == 3:
                yield position
    elif name == "scan" and any(map(forward.is_trained, equation.invars)):
        yield from range(
            equation.params["num_consts"] + equation.params["num_carry"], len(equation.invars)
        )
