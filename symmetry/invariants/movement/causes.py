"""Why an operation returns a number that is not finite, read off its operands."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from symmetry.units.state import Array

Arrays = Sequence[Array]
Check = Callable[[Arrays, Arrays], str]  # takes operands and results; empty if it is not the cause


def cause_of(name: str, operands: Arrays, results: Arrays) -> str:
    """Return what is certain about finite operands, as in ``its argument is 0``; or nothing."""
    found = (check(operands, results) for check in _CHECKS.get(name, ()))
    return next(filter(None, found), "")


def _last(holds: Callable[[Array], Array], text: str) -> Check:
    """Return the check whether the last operand has such an entry."""
    return lambda operands, _: text if operands and holds(operands[-1]).any() else ""


def _large(operands: Arrays, _: Arrays) -> str:
    largest = max((float(abs(array).max()) for array in operands), default=0.0)
    return f"its argument is as large as {largest:.4g}" if largest > 1 else ""


def _hidden(operands: Arrays, _: Arrays) -> str:
    hidden = operands and operands[0].ndim and (operands[0] == -np.inf).all(axis=-1).any()
    return "all entries of a row are -inf, as if a mask hides all of it" if hidden else ""


def _single(operands: Arrays, results: Arrays) -> str:
    alone = operands and operands[0].size == results[0].size
    return "it takes the spread of a single number" if alone else ""


def _ignored(operands: Arrays, _: Arrays) -> str:
    """Labels that do not count are negative: the mean is over those that do."""
    labels = [array for array in operands if array.dtype.kind == "i"]
    return "every label is ignored" if labels and (labels[0] < 0).all() else ""


def _empty(operands: Arrays, _: Arrays) -> str:
    return "" if operands else "it is of no entries"


_ZERO = _last(lambda array: array == 0, "its argument is 0")
_NEGATIVE = _last(lambda array: array < 0, "its argument is negative")
_BY_ZERO = _last(lambda array: array == 0, "it divides by 0")
_BEYOND = _last(lambda array: abs(array) > 1, "its argument is beyond 1")
_CHECKS: dict[str, tuple[Check, ...]] = {
    **dict.fromkeys(("log", "log2", "log10", "rsqrt"), (_ZERO, _NEGATIVE)),
    "log1p": (_last(lambda array: array <= -1, "its argument is -1 or less"),),
    "sqrt": (_NEGATIVE,),
    **dict.fromkeys(("div", "reciprocal"), (_BY_ZERO,)),
    **dict.fromkeys(("acos", "asin"), (_BEYOND,)),
    **dict.fromkeys(("exp", "expm1", "cosh", "sinh", "pow"), (_large,)),
    **dict.fromkeys(("softmax", "log_softmax", "logsumexp"), (_hidden,)),
    **dict.fromkeys(("std", "var"), (_single,)),
    **dict.fromkeys(("nll_loss", "nll_loss2d"), (_ignored,)),
    "mean": (_empty,),
}
