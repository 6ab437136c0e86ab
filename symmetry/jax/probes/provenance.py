"""The equations behind a value, in words that need no framework."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from jax.extend.core import Literal

from symmetry.jax.jaxprs.forward import Forward

_MOST = 24  # operations that are looked at
# Operations of one operand that keep all of its numbers.
CASTS = frozenset(
    {"convert_element_type", "copy", "copy_p", "device_put", "name", "optimization_barrier"}
    | {"reduce_precision", "sharding_constraint", "stop_gradient"}
)
# Primitives that show the same numbers: in another shape or dtype, some of them, or some masked.
VIEWS = frozenset(
    {"broadcast_in_dim", "concatenate", "dynamic_slice", "expand_dims", "gather", "pad", "reshape"}
    | {"rev", "select_n", "slice", "split", "squeeze", "transpose", *CASTS}
)
SHAPES = CASTS | {"broadcast_in_dim", "reshape", "squeeze", "expand_dims"}
_LINEAR = ("dot_general", "conv_general_dilated")
_WORDS = {"logistic": "sigmoid"}


def source(forward: Forward, atom: Any, through: Collection[str]) -> Any:
    """Return the value that these operations, of which each has one operand, were done on."""
    while (equation := forward.maker(atom)) is not None and equation.primitive.name in through:
        if equation.primitive.name == "optimization_barrier":
            atom = equation.invars[list(equation.outvars).index(atom)]
        else:
            atom = equation.invars[0]
    return atom


def makers(
    forward: Forward, atom: Any, is_followed: Callable[[Any], bool] | None = None
) -> tuple[str, ...]:
    """Return the operations that made a value, the last one first.

    They are ``view`` (as well as casts and masks), ``unsqueeze``, ``linear`` (also convolutions and
    products), the usual names of activations, and JAX's names of all others. If there are several
    operands, the first that is trained is followed, or the first of which ``is_followed`` is true.
    """
    found, is_followed = list[str](), is_followed or forward.is_trained
    while (equation := forward.maker(atom)) is not None and len(found) < _MOST:
        found.append(word(forward, equation))
        trained = [a for a in equation.invars if is_followed(a)]
        if not trained:
            break
        atom = trained[0]
    return tuple(found)


def word(forward: Forward, equation: Any) -> str:
    """Return one word for an operation."""
    name = str(equation.primitive.name)
    if name in ("broadcast_in_dim", "reshape", "expand_dims"):
        return "unsqueeze" if _adds_axis(equation) else "view"
    if name in VIEWS:
        return "view"
    if name in _LINEAR:
        return "linear"
    if name == "max" and any(is_number(forward, a, 0.0) for a in equation.invars):
        return "relu"
    if name == "div" and softmax_in(forward, equation) is not None:
        return "softmax"
    return _WORDS.get(name, name)


def softmax_in(forward: Forward, equation: Any) -> tuple[Any, int] | None:
    """Return what is exponentiated, and the axis of the sum, if a quotient is a softmax."""
    top, below = (source(forward, a, CASTS) for a in equation.invars)
    total = forward.maker(source(forward, below, SHAPES))
    if total is None or total.primitive.name != "reduce_sum" or len(total.params["axes"]) != 1:
        return None
    exponential = forward.maker(top)
    if exponential is None or exponential.primitive.name not in ("exp", "exp2"):
        return None
    if source(forward, total.invars[0], CASTS) is not top:
        return None
    return exponential.invars[0], total.params["axes"][0]


def is_number(forward: Forward, atom: Any, number: float) -> bool:
    """Return whether a value is this number, broadcast or not."""
    plain = source(forward, atom, SHAPES)
    return isinstance(plain, Literal) and getattr(plain.val, "ndim", 0) == 0 and plain.val == number


def _adds_axis(equation: Any) -> bool:
    before, after = equation.invars[0].aval.shape, equation.outvars[0].aval.shape
    return len(after) > len(before) and after.count(1) > before.count(1)
