"""The operation that lets outputs see later tokens, found backwards from the outputs.

Scores of attention depend on later tokens before they are masked, and no output does. So the search
goes from the outputs along values that move before a place, to the one that is made of none.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from jax.extend.core import Literal

from symmetry.jax.jaxprs.forward import Forward
from symmetry.jax.jaxprs.interpreter import is_key
from symmetry.jax.probes.provenance import SHAPES
from symmetry.units.compare import unequal

# Which axes may be those of samples and tokens; (samples, heads, tokens, ...) is the second.
_AXES = ((0, 1), (0, 2), (1, 0))
_VIEWS = SHAPES | {"transpose"}


class BackwardSearch:
    """Looks for the first operation whose result moves before a place, while its operands do not.

    Parameters
    ----------
    forward
        The equations.
    plain, other
        The values of all variables with the one text and with the other.
    shape
        (batch, tokens)
    cut
        The place from which on the texts differ.
    """

    def __init__(
        self,
        forward: Forward,
        plain: Callable[[Any], Any],
        other: Callable[[Any], Any],
        shape: tuple[int, int],
        cut: int,
    ) -> None:
        self._forward, self._plain, self._other = forward, plain, other
        self._shape, self._cut = shape, cut

    def behind(self, scores: Any) -> Any:
        """Return the equation that mixes tokens first on a way to the scores; None if unknown."""
        equation, atom = None, scores
        while (maker := self._forward.maker(atom)) is not None:
            equation = maker
            own = [atom for atom in maker.invars if not isinstance(atom, Literal)]
            moved = own if len(own) == 1 and maker.primitive.name in _VIEWS else []
            moved = moved or [atom for atom in own if self._moves(atom)]
            if not moved:
                return equation
            atom = moved[0]
        return None

    def _moves(self, variable: Any) -> bool:
        """Return whether a value differs before the place; False if it has no tokens."""
        if is_key(variable.aval.dtype):
            return False
        a, b = np.asarray(self._plain(variable)), np.asarray(self._other(variable))
        if a.shape != b.shape:
            return True
        if a.ndim and a.shape[0] == self._shape[0] * self._shape[1]:
            a, b = (array.reshape(*self._shape, *array.shape[1:]) for array in (a, b))
        axes = next((axes for axes in _AXES if _fit(a.shape, axes, self._shape)), None)
        if axes is None:
            return False
        one, other = (array.take(range(self._cut), axes[1]) for array in (a, b))
        return bool(unequal(one, other).any())


def _fit(shape: tuple[int, ...], axes: tuple[int, int], text: tuple[int, int]) -> bool:
    return max(axes) < len(shape) and (shape[axes[0]], shape[axes[1]]) == text
