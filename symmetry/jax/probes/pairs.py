"""Operations of NumPy's broadcasting that pair each entry with all others: (n, 1) with (n,).

JAX writes the (n,) as a (1, n). If a step does so itself, with ``y[None, :]``, it means to pair
all; then another line of JAX's own leads there than to the operation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jax.extend.core import Literal

from symmetry.jax.jaxprs.forward import Forward
from symmetry.jax.jaxprs.graph import Operand
from symmetry.jax.jaxprs.places import place_of
from symmetry.jax.probes.provenance import CASTS, makers, source
from symmetry.training.losses import Pair

_NAMES = ("add", "div", "max", "min", "mul", "sub")
_LONGER = ("broadcast_in_dim", "reshape")


@dataclass(frozen=True)
class PairSite:
    """A pair in the jaxpr of a step."""

    operand: Operand  # its data: which operand that is
    axis: int  # the axis of the data's entries
    # The data, and the other side before it was broadcast.
    data: Any
    trained: Any
    equation: Any
    column_trained: bool  # whether the (n, 1) is trained, and the (n,) is data

    def pair(self, forward: Forward, number: int, values: Any) -> Pair:
        """Return the facts about it; ``values`` are the entries of the data."""
        flat = np.asarray(values).ravel()
        return Pair(
            number=number,
            operation=self.equation.primitive.name,
            count=flat.size,
            column_trained=self.column_trained,
            makers=makers(forward, self.trained, forward.is_of_model),
            spread=not self.column_trained and _is_spread(forward, self.data),
            varies=bool((flat != flat[0]).any()),
            place=place_of(self.equation),
        )


def pairs(forward: Forward) -> list[PairSite]:
    """Return the pairs of which one side is trained, in their order.

    Or one is of a network that is not trained, as in the goal of a critic.
    """
    found = []
    for number, equation in enumerate(forward.equations):
        sides = _sides(forward, equation) if equation.primitive.name in _NAMES else None
        if sides is None:
            continue
        column, row = sides
        kinds = forward.is_trained, forward.is_of_model
        found_by = ([of(atom) for atom in equation.invars] for of in kinds)
        names = next((each for each in found_by if each[0] != each[1]), None)
        if names is None:
            continue
        column_trained = names[column]
        data = row if column_trained else column
        inner = forward.maker(equation.invars[row]).invars[0]
        trained = equation.invars[column] if column_trained else inner
        found.append(
            PairSite(
                (number, data),
                int(data == row),
                equation.invars[data],
                trained,
                equation,
                column_trained,
            )
        )
    return found


def _sides(forward: Forward, equation: Any) -> tuple[int, int] | None:
    """Return which operand is the (n, 1), and which the (1, n) that was an (n,)."""
    shapes = [tuple(getattr(atom.aval, "shape", ())) for atom in equation.invars]
    for column, row in ((0, 1), (1, 0)):
        n = shapes[column][0] if len(shapes[column]) == 2 else 0
        if n >= 2 and shapes[column] == (n, 1) and shapes[row] == (1, n):
            made = forward.maker(equation.invars[row])
            if made is not None and made.primitive.name in _LONGER and _is_implied(made, equation):
                return column, row
    return None


def _is_implied(made: Any, equation: Any) -> bool:
    """Return whether an operand was given its second axis by the operation itself."""
    return made.invars[0].aval.ndim == 1 and _frames(made) == _frames(equation)


def _frames(equation: Any) -> Sequence[tuple[str, int]]:
    traceback = equation.source_info.traceback
    return [] if traceback is None else [(f.function_name, f.line_num) for f in traceback.frames]


def _is_spread(forward: Forward, atom: Any) -> bool:
    """Return whether a step has made a (n, 1) of an (n,)."""
    made = forward.maker(source(forward, atom, CASTS))
    if made is None or made.primitive.name not in (*_LONGER, "expand_dims"):
        return False
    return not isinstance(made.invars[0], Literal) and made.invars[0].aval.ndim < 2
