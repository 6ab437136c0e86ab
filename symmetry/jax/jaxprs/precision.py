"""How the numbers of a jaxpr are rounded: in another way each, or as the source has them.

Monte Carlo arithmetic in a jaxpr: each equation that rounds does so in another way.
Results, and the terms of sums, are moved by up to one eps: by a function of their bits, of where
they stand in their array, and of a seed, which is an input of what is compiled. So one executable
is enough for all seeds, loops need no random numbers, and copies on several devices stay equal.
``symmetry.torch.modes.rounding`` says what stays, and why.

Literals get the digits that a step traced in float32 has lost. A number of the source, such as an
epsilon, is rounded to float32 as a step is traced. Traced once more in float64 it has all its
digits; where both jaxprs have the same equations, they are taken over. All other literals become
the shortest decimal that rounds to them: people write decimals.

    as written      b:f32[3] = mul a 9.999999747378752e-06
    in float64      b:f64[3] = mul a 1e-05                      so the promoted step has 1e-05
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.extend.core import ClosedJaxpr, Literal

from symmetry.jax.jaxprs.interpreter import CONTROL, Interpreter, Position, is_key
from symmetry.jax.jaxprs.walk import Site, called, closed, is_call

_LARGEST = float(np.finfo(np.float32).max)


def wide_literals(narrow: ClosedJaxpr, wide: ClosedJaxpr) -> Mapping[Position, float]:
    """Return the digits of literals in a jaxpr, by their operands, as another one has them.

    Both are of the same step, in float32 and in float64.
    """
    return dict(_found(narrow, wide, ()))


def _found(
    narrow: ClosedJaxpr, wide: ClosedJaxpr, around: Site
) -> Iterator[tuple[Position, float]]:
    mine, theirs = narrow.jaxpr.eqns, wide.jaxpr.eqns
    for number, other in _matched([*map(_word, mine)], [*map(_word, theirs)]):
        equation, same, site = mine[number], theirs[other], (*around, number)
        if len(equation.invars) != len(same.invars):
            continue
        pairs = zip(equation.invars, same.invars, strict=True)
        for position, (a, b) in enumerate(pairs):
            if _is_float(a, np.float32) and _is_float(b, np.float64):
                full = float(b.val)
                if abs(full) <= _LARGEST and np.float32(full) == np.float32(a.val):
                    yield (site, position), full
        if is_call(equation):
            yield from _found(called(equation), called(same), site)
        elif equation.primitive.name == "scan":
            inner, other_inner = (closed(each.params["jaxpr"]) for each in (equation, same))
            yield from _found(inner, other_inner, site)


def _matched(mine: Sequence[str], theirs: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Yield the pairs of equations that stand in the same order in both."""
    if mine == theirs:
        yield from enumerate(range(len(mine)))
        return
    for a, b, size in SequenceMatcher(None, mine, theirs, autojunk=False).get_matching_blocks():
        yield from ((a + k, b + k) for k in range(size))


def _word(equation: Any) -> str:
    return f"{equation.primitive.name} {equation.params.get('name', '')}"


def _is_float(atom: Any, dtype: Any) -> bool:
    return isinstance(atom, Literal) and atom.aval.shape == () and atom.aval.dtype == dtype


_EXACT = re.compile(
    r"reshape|transpose|broadcast_in_dim|squeeze|(dynamic_)?slice|dynamic_update_slice|gather"
    r"|concatenate|pad|rev|copy(_p)?|convert_element_type|reduce_precision|stop_gradient|select_n"
    r"|(reduce_|cum)?(max|min)|arg(max|min)|clamp|neg|abs|sign|floor|ceil|round|sort|top_k|iota"
    r"|random_.*|bitcast_convert_type|nextafter|select_and_gather_add|scatter|device_put|split"
    r"|optimization_barrier|real|imag|conj|pure_callback|io_callback|ffi_call"
)
_SUMS = re.compile(
    r"dot_general|ragged_dot|conv_general_dilated|reduce_(sum|prod)|cum(sum|prod)|scatter-add"
    r"|reduce_window_sum|select_and_scatter_add"
)
_UNSIGNED = {2: np.uint16, 4: np.uint32, 8: np.uint64}  # by the number of bytes
_PRIMES = 0x9E3779B1, 0x2C1B3C6D, 0x85EBCA6B  # multipliers of integer hashes


class Rounding(Interpreter):
    """Evaluates a jaxpr without calls, rounded in the way that a seed says, loops included."""

    def __init__(self, seed: Any, *, promoted: bool) -> None:
        super().__init__()
        self._seed, self._promoted = seed, promoted
        self.rules = {**self.rules, **CONTROL}

    def operation(self, equation: Any, args: Sequence[Any]) -> Sequence[Any]:
        """Evaluate an equation as one operation."""
        name = equation.primitive.name
        if _SUMS.fullmatch(name):
            args = [*map(self._moved, args)]
        results = super().operation(equation, args)
        return results if _EXACT.fullmatch(name) else [*map(self._moved, results)]

    def _moved(self, value: Any) -> Any:
        dtype = jnp.result_type(value)
        if is_key(dtype) or not jnp.issubdtype(dtype, jnp.inexact):
            return value
        if jnp.issubdtype(dtype, jnp.complexfloating):
            return lax.complex(self._moved(lax.real(value)), self._moved(lax.imag(value)))
        if dtype.itemsize not in _UNSIGNED or (self._promoted and dtype != np.float64):
            return value
        info = jnp.finfo(dtype)
        size, most = jnp.abs(value), jnp.asarray(1 / info.eps, dtype)
        # From 1 / eps on all numbers are whole; the largest ones stand for none.
        exact = (value == jnp.trunc(value)) & (size <= most) | ~(size < info.max / 2)
        return jnp.where(exact, value, value + value * self._noise(value) * info.eps)

    def _noise(self, value: Any) -> Any:
        """Return numbers between -1 and 1."""
        bits = lax.bitcast_convert_type(value, _UNSIGNED[value.dtype.itemsize])
        if value.dtype.itemsize == 8:
            bits = bits ^ (bits >> 32)
        places = lax.iota(np.uint32, math.prod(value.shape)).reshape(value.shape)
        mixed = (bits.astype(np.uint32) + self._seed) * np.uint32(_PRIMES[0])
        mixed = (mixed ^ (mixed >> 15) ^ places) * np.uint32(_PRIMES[1])
        mixed = (mixed ^ (mixed >> 13)) * np.uint32(_PRIMES[2])
        signed = lax.bitcast_convert_type(mixed ^ (mixed >> 16), np.int32)
        return signed.astype(value.dtype) * jnp.asarray(2.0**-31, value.dtype)


def rounded(jaxpr: Any, *, promoted: bool) -> Callable[..., list[Any]]:
    """Return a function of a seed, the constants and the inputs of a jaxpr."""

    def evaluate(seed: Any, consts: Sequence[Any], inputs: Sequence[Any]) -> list[Any]:
        return Rounding(seed, promoted=promoted).run(ClosedJaxpr(jaxpr, consts), *inputs)

    return evaluate
