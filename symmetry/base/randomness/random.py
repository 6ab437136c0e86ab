"""Random numbers that are the same on every machine and with every version of NumPy.

NumPy promises the raw 64-bit numbers of a bit generator for all time, but neither the floats nor
the permutations that its ``Generator`` makes of them. So every method here starts from
``PCG64.random_raw`` and goes on by steps that have one possible result: shifts, remainders, a
stable sort, conversions that are exact, and IEEE-754 additions and multiplications, element by
element and in the order stated.
"""

import math

import numpy as np
from numpy.typing import NDArray

from symmetry.base.errors import SymmetryError

Shape = int | tuple[int, ...]


class Random:
    """A stream of random numbers; each call goes on where the last one ended.

    Parameters
    ----------
    seed
        At least 0.
    *stream
        Numbers from 0 to 2**32 - 1 that name independent streams of one seed: ``Random(5)``,
        ``Random(5, 0)``, ``Random(5, 1)`` and ``Random(5, 0, 0)`` all differ. (They become NumPy's
        *spawn key*, because ``SeedSequence((5, 0))`` would equal ``SeedSequence(5)``.)
    """

    def __init__(self, seed: int, *stream: int) -> None:
        if (least := min((seed, *stream))) < 0:
            raise SymmetryError(f"a seed is at least 0, not {least}")
        self._bits = np.random.PCG64(np.random.SeedSequence(seed, spawn_key=stream))

    def uniform(self, shape: Shape, low: float = 0.0, high: float = 1.0) -> NDArray[np.float64]:
        """Return numbers from ``low`` to ``high``; ``high`` itself can come by rounding only.

        Each is ``low + (high - low) * u``, every operation rounded, where u is the upper 53 bits
        of a raw number times 2**-53, which is exact and below 1. Rounding never leads past
        ``high``: the product is below the rounded difference, hence not above the exact one.
        """
        u = (self._raw(shape) >> np.uint64(11)).astype(np.float64)
        u *= 2.0**-53
        u *= high - low
        u += low
        return u

    def normals(self, shape: Shape) -> NDArray[np.float64]:
        """Return sums of twelve uniforms less 6: mean 0, variance 1, nothing beyond ±6.

        The first number of all elements is drawn first, then the second of all, and so on; each
        is added to the sum of those before it, and 6 is subtracted at the end.
        """
        total = self.uniform(shape)
        for _ in range(11):
            total += self.uniform(shape)
        return total - 6.0

    def integers(self, bound: int, shape: Shape) -> NDArray[np.int64]:
        """Return numbers from 0 to ``bound - 1``: the remainders of raw numbers.

        A number is likelier than another by at most ``bound / 2**64`` of its probability.

        Raises ValueError if ``bound`` is not from 1 to 2**63.
        """
        if not 1 <= bound <= 2**63:
            raise ValueError(f"bound is from 1 to 2**63, not {bound}")
        return (self._raw(shape) % np.uint64(bound)).astype(np.int64)

    def integer(self, bound: int) -> int:
        """Return one number from 0 to ``bound - 1``."""
        return int(self.integers(bound, (1,))[0])

    def permutation(self, n: int) -> NDArray[np.int64]:
        """Return 0 to ``n - 1`` in random order: how a stable sort arranges ``n`` raw numbers."""
        return np.argsort(self._raw(n), kind="stable").astype(np.int64)

    def _raw(self, shape: Shape) -> NDArray[np.uint64]:
        """Return unsigned 64-bit numbers, drawn one after the other in C order."""
        lengths = (shape,) if isinstance(shape, int) else shape
        return np.asarray(self._bits.random_raw(math.prod(lengths)), np.uint64).reshape(lengths)
