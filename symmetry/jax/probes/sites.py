"""Where a step computes losses: JAX has no loss functions, so they are known by their formulas.

    cross_entropy                       log(sum(exp(x))) along the classes, or log(softmax(x)), and
                                        a label chooses among the classes
    binary_cross_entropy_with_logits    log(1 + exp(-|x|)), with a target beside it
    mse_loss                            (x - target)²
    l1_loss                             |x - target|

The libraries' functions have these formulas, and so have those that people write themselves.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from jax.extend.core import Literal

from symmetry.jax.jaxprs.forward import Forward
from symmetry.jax.jaxprs.graph import Graph, Operand
from symmetry.jax.jaxprs.interpreter import kind_of
from symmetry.jax.probes.provenance import (
    CASTS,
    SHAPES,
    VIEWS,
    is_number,
    softmax_in,
    source,
)

_SHIFT = SHAPES | {"max", "select_n"}  # between the largest score and what it is taken from
_ALONG = {
    "sub",
    "add",
    "mul",
    "div",
    "neg",
    "exp",
    "log",
    "max",
    "min",
    "clamp",
    "select_n",
    *CASTS,
}
_LINEAR = {"add", "sub", "neg", "mul", "div", "reduce_sum", "add_any", "dot_general", *VIEWS}
_CHOICES = ("gather", "mul", "dot_general", "select_n", "dynamic_slice")


@dataclass(frozen=True)
class Choice:
    """An operation by which labels choose among the scores of classes."""

    equation: int  # its number
    position: int  # which operand the scores are


@dataclass(frozen=True)
class Site:
    """A loss in the jaxpr of a step."""

    function: str  # the name that its formula has in PyTorch
    scores: Any  # the value that it is computed from
    reads: tuple[Operand, ...]  # the operands that this value is in the formula
    equation: int  # the number of the equation by which it is known
    axis: int | None = None  # the axis of the classes; None without one
    choices: tuple[Choice, ...] = ()  # the operations by which labels may choose
    target: Any = None  # what it is compared with; None if it has labels or is not known


def sites(forward: Forward) -> list[Site]:
    """Return the losses of a step, in the order in which they are computed."""
    found: dict[Any, Site] = {}
    for number, equation in enumerate(forward.equations):
        for find in _FINDERS.get(equation.primitive.name, ()):
            for site in find(forward, number, equation):
                found.setdefault((site.function, site.scores, site.axis), site)
    return [site for site in found.values() if forward.is_trained(site.scores)]


def _by_sum(forward: Forward, number: int, equation: Any) -> Iterator[Site]:
    """Find the logarithm of a sum of exponentials."""
    total = forward.maker(source(forward, equation.invars[0], SHAPES | {"abs"}))
    if total is None or total.primitive.name != "reduce_sum" or len(total.params["axes"]) != 1:
        return
    exponential = forward.maker(source(forward, total.invars[0], CASTS))
    if exponential is not None and exponential.primitive.name == "exp":
        yield from _classes(forward, number, exponential.invars[0], total.params["axes"][0])


def _by_softmax(forward: Forward, number: int, equation: Any) -> Iterator[Site]:
    """Find a softmax of which the logarithm is taken somewhere."""
    known = softmax_in(forward, equation)
    if known is None:
        return
    made = forward.follow(
        equation.outvars,
        lambda e, k: (
            e.primitive.name in VIEWS or _goes_along(forward, e, k) or _is_choice(forward, e, k)
        ),
    )
    if any(
        forward.equations[n].primitive.name == "log" for v in made for n, _ in forward.readers(v)
    ):
        yield from _classes(forward, number, *known)


def _classes(forward: Forward, number: int, exponent: Any, axis: int) -> Iterator[Site]:
    """Yield the loss of classes of which this is exponentiated, if labels choose among them."""
    scores = _unshifted(forward, exponent, axis)
    alike = forward.follow(
        [scores],
        lambda e, k: _goes_along(forward, e, k) and e.outvars[0].aval.shape == scores.aval.shape,
    )
    choices = [
        Choice(n, k)
        for v in alike
        for n, k in forward.readers(v)
        if _is_choice(forward, forward.equations[n], k)
    ]
    if choices:
        reads = tuple(forward.readers(scores))
        yield Site("cross_entropy", scores, reads, number, axis, tuple(choices))


def _unshifted(forward: Forward, exponent: Any, axis: int) -> Any:
    """Return the scores before the largest one was taken from all."""
    while True:
        exponent = source(forward, exponent, CASTS)
        equation = forward.maker(exponent)
        if equation is None or equation.primitive.name != "sub":
            return exponent
        top = largest(forward, equation.invars[1])
        mine = source(forward, equation.invars[0], CASTS)
        same = top is not None and source(forward, top.invars[0], CASTS) is mine
        if not same or top.params["axes"] != (axis,):
            return exponent
        exponent = mine


def largest(forward: Graph, atom: Any) -> Any:
    """Return the equation that took the largest score, if this is it."""
    while (equation := forward.maker(atom)) is not None:
        name = equation.primitive.name
        if name == "reduce_max":
            return equation
        if name not in _SHIFT:
            return None
        later = [
            a
            for a in equation.invars
            if forward.maker(a) is not None and kind_of(a.aval.dtype) == "f"
        ]
        if name == "select_n":
            later = later[-1:]
        elif name == "max":
            later = later[:1]
        if not later:
            return None
        atom = later[0]
    return None


def _goes_along(forward: Forward, equation: Any, position: int) -> bool:
    """Return whether scores stay scores of classes: nothing else joins them entry by entry."""
    name, shape = equation.primitive.name, equation.outvars[0].aval.shape
    if name not in _ALONG or equation.invars[position].aval.shape != shape:
        return False
    if name == "select_n" and position == 0:
        return False
    others = [a for k, a in enumerate(equation.invars) if k != position]
    return all(_is_broadcast(forward, a, shape) or _is_made_of(forward, a, shape) for a in others)


def _is_broadcast(forward: Forward, atom: Any, shape: Sequence[int]) -> bool:
    """Return whether a value is the same along an axis that has several entries, or a number."""
    if isinstance(atom, Literal) or atom.aval.size == 1 or tuple(atom.aval.shape) != tuple(shape):
        return True
    equation = forward.maker(atom)
    return equation is not None and equation.primitive.name == "broadcast_in_dim"


def _is_made_of(forward: Forward, atom: Any, shape: Sequence[int]) -> bool:
    """Return whether it is a bound that values are kept in."""
    return False if forward.is_trained(atom) else tuple(atom.aval.shape) != tuple(shape)


def _is_choice(forward: Forward, equation: Any, position: int) -> bool:
    """Return whether labels, which are not trained, may choose by this operation."""
    name = equation.primitive.name
    if name not in _CHOICES:
        return False
    if name in ("gather", "dynamic_slice"):
        return position == 0
    shape = equation.invars[position].aval.shape
    if name == "select_n":
        return position > 0 and equation.invars[0].aval.shape == shape
    if len(equation.invars) != 2:
        return False
    other = equation.invars[1 - position]
    plain = isinstance(other, Literal) or forward.is_trained(other)
    return not plain and other.aval.shape == shape and len(shape) > 0


def _by_sigmoid(forward: Forward, number: int, equation: Any) -> Iterator[Site]:
    """Find log(1 + exp(-|x|)), with a target in a product with what is made of it or of x."""
    exponential = forward.maker(source(forward, equation.invars[0], CASTS))
    minus = None if exponential is None else forward.maker(exponential.invars[0])
    size = None if minus is None else forward.maker(minus.invars[0])
    names = [e.primitive.name for e in (exponential, minus, size) if e is not None]
    if (
        size is None
        or names != ["exp", "neg", "abs"]
        or not _reaches_loss(forward, equation.outvars[0])
    ):
        return
    scores = _unsigned(forward, size.invars[0])
    target = _factor(forward, scores)
    if target is not None:
        reads = tuple(forward.readers(scores))
        yield Site("binary_cross_entropy_with_logits", scores, reads, number, None, (), target)


def _unsigned(forward: Forward, atom: Any) -> Any:
    """Return a value before it was negated, or zero was taken from it."""
    while (equation := forward.maker(atom)) is not None:
        name, (first, *others) = equation.primitive.name, equation.invars
        zero = name in ("sub", "add") and is_number(forward, others[0], 0.0)
        if name != "neg" and name not in CASTS and not zero:
            break
        atom = first
    return atom


def _factor(forward: Forward, scores: Any) -> Any:
    """Return the data that scores, or what is made of them entry by entry, are multiplied with."""
    shape = scores.aval.shape
    entrywise = {"neg", "sub", "add", "max", "abs", "exp", "log1p", "select_n", *CASTS}

    def goes_on(equation: Any, _position: int) -> bool:
        return equation.primitive.name in entrywise and equation.outvars[0].aval.shape == shape

    for variable in forward.follow([scores], goes_on):
        for number, position in forward.readers(variable):
            equation = forward.equations[number]
            if equation.primitive.name == "mul":
                other = equation.invars[1 - position]
                data = not isinstance(other, Literal) and not forward.is_trained(other)
                if data and other.aval.shape == shape and len(shape):
                    return _label(forward, other)
    return None


def _label(forward: Forward, atom: Any) -> Any:
    """Return a target t of which ``-t`` or ``1 - t`` was made."""
    while (equation := forward.maker(atom)) is not None:
        name = equation.primitive.name
        if name == "neg" or name in CASTS - {"convert_element_type"}:
            atom = equation.invars[0]
        elif name == "sub" and is_number(forward, equation.invars[0], 1.0):
            atom = equation.invars[1]
        else:
            break
    return atom


def _by_difference(forward: Forward, number: int, equation: Any) -> Iterator[Site]:
    """Find a difference of outputs and data that is squared, or whose size is taken."""
    first, second = equation.invars
    if isinstance(first, Literal) or isinstance(second, Literal):
        return
    if forward.is_trained(first) == forward.is_trained(second):
        return
    output, target = (first, second) if forward.is_trained(first) else (second, first)
    if output.aval.shape != target.aval.shape or not output.aval.shape:
        return
    made = forward.readers(equation.outvars[0])
    words = {distance(forward.equations[n]) for n, _ in made} - {""}
    squared = [n for n, _ in made if distance(forward.equations[n])]
    if words and _reaches_loss(forward, forward.equations[squared[0]].outvars[0]):
        k = 0 if output is first else 1
        yield Site(words.pop(), output, ((number, k),), number, None, (), target)


def distance(equation: Any) -> str:
    """Return the name in PyTorch of a loss by what it makes of a difference; empty if of none."""
    name = equation.primitive.name
    if name == "square" or (name == "integer_pow" and equation.params["y"] == 2):
        return "mse_loss"
    if name == "mul" and equation.invars[0] is equation.invars[1]:
        return "mse_loss"
    return "l1_loss" if name == "abs" else ""


def _reaches_loss(forward: Forward, variable: Any) -> bool:
    """Return whether a loss is linear in a value, with factors that are not trained."""

    def goes_on(equation: Any, position: int) -> bool:
        name = equation.primitive.name
        if name == "div" and position == 1:
            return False
        if name in ("mul", "div", "dot_general"):
            others = (a for k, a in enumerate(equation.invars) if k != position)
            return not any(map(forward.is_trained, others))
        return name in _LINEAR

    losses = {*forward.losses}
    return not losses.isdisjoint(forward.follow([variable], goes_on))


_FINDERS = {
    "log": (_by_sum,),
    "div": (_by_softmax,),
    "log1p": (_by_sigmoid,),
    "sub": (_by_difference,),
}
