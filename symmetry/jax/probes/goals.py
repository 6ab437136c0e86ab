"""Goals with a gradient: numbers, plus a multiple of another result of the weights of an output.

Example: the error of the value of a state, ``(v(s) - (r + 0.9 * v(t))) ** 2``. Where the gradient
is stopped, or is one with respect to the weights of the first pass alone, the activations of the
second pass reach no gradient but by its result. Else the backward reads them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import permutations
from typing import Any

from symmetry.jax.jaxprs.forward import Forward
from symmetry.jax.jaxprs.graph import Graph
from symmetry.jax.probes.provenance import VIEWS
from symmetry.jax.probes.sites import distance

_SUMS, _PRODUCTS = ("add", "sub", "add_any"), ("mul", "div")


@dataclass(frozen=True)
class Goal:
    """A difference of an output and a goal, both with a gradient."""

    function: str  # the name that the loss of it has in PyTorch
    output: Any
    goal: Any
    equation: Any


def goals(forward: Forward, whole: Graph, gradients: Collection[Any]) -> Iterator[Goal]:
    """Yield the goals with a gradient; ``whole`` computes the gradients as well as the losses."""
    for equation in forward.equations:
        if equation.primitive.name != "sub":
            continue
        made = forward.readers(equation.outvars[0])
        functions = [found for n, _ in made if (found := distance(forward.equations[n]))]
        for output, goal in permutations(equation.invars) if functions else ():
            result = _other_result(forward, output, goal)
            if result is not None and _has_gradient(forward, whole, gradients, result):
                yield Goal(functions[0], output, goal, equation)


def _other_result(forward: Forward, output: Any, goal: Any) -> Any:
    """Return the other result of the same weights that a goal adds a multiple of; None without."""
    total = _trained_of(forward, _shown(forward, goal), _SUMS)
    result = _trained_of(forward, _shown(forward, total), _PRODUCTS)
    if result is None or not forward.is_trained(output):
        return None
    weights = forward.inputs_behind(result) & forward.inputs_behind(output)
    apart = _pass_of(forward, result).isdisjoint(_pass_of(forward, output))
    return result if apart and any(map(forward.is_trained, weights)) else None


def _shown(forward: Forward, atom: Any) -> Any:
    """Return the value that is shown, or of which entries are chosen."""
    while (maker := forward.maker(atom)) is not None and maker.primitive.name in VIEWS:
        trained = [a for a in maker.invars if forward.is_trained(a)]
        if len(trained) != 1:
            break
        atom = trained[0]
    return atom


def _trained_of(forward: Forward, atom: Any, names: Collection[str]) -> Any:
    """Return the operand that is trained, if it is the only one of such an operation."""
    maker = None if atom is None else forward.maker(atom)
    if maker is None or maker.primitive.name not in names:
        return None
    trained = [a for a in maker.invars if forward.is_trained(a)]
    return trained[0] if len(trained) == 1 else None


def _pass_of(forward: Forward, atom: Any) -> set[int]:
    """Return the equations behind a value that depend on weights and on data."""
    data = forward.follow(v for v in forward.inputs if not forward.is_of_model(v))
    makes = {n: forward.equations[n].outvars for n in forward.ancestors([atom])}
    return {
        n for n, made in makes.items() if any(forward.is_trained(v) and v in data for v in made)
    }


def _has_gradient(forward: Forward, whole: Graph, gradients: Collection[Any], result: Any) -> bool:
    """Return whether a gradient reads what leads to a result, other than by the result."""
    behind = (v for n in _pass_of(forward, result) for v in forward.equations[n].outvars)
    read = whole.follow(
        (v for v in behind if v is not result),
        lambda equation, position: equation.invars[position] is not result,
    )
    return any(gradient in read for gradient in gradients)
