"""Marks in the jaxpr of a step: what is differentiated, with respect to what, and the gradients.

``jax.grad`` and ``jax.value_and_grad`` leave no trace of their own. While a step is traced, they
name three kinds of values by equations that nothing uses:

    parameter.0.3   leaf 3 of what call 0 differentiates with respect to
    loss.0          what it differentiates
    gradient.0.3    the gradient that it returns for leaf 3

Example: the square of two numbers, differentiated.

>>> with marking():
...     traced = jax.make_jaxpr(jax.value_and_grad(lambda w: (w * w).sum()))(jnp.ones(2))
>>> [each.params["name"] for each in traced.eqns if each.primitive.name == "name"]
['symmetry.parameter.0.0', 'symmetry.loss.0', 'symmetry.gradient.0.0']
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import count
from typing import Any
from unittest.mock import patch

import jax
import jax.numpy as jnp
from jax._src import api, source_info_util
from jax.ad_checkpoint import checkpoint_name
from jax.extend.core import ClosedJaxpr

from symmetry.jax.jaxprs.interpreter import Interpreter
from symmetry.jax.jaxprs.noise import is_draw
from symmetry.jax.jaxprs.places import place_of
from symmetry.jax.jaxprs.walk import Site, Walk, closed, is_call, operands_of_scan
from symmetry.observe.source_line import SourceLine

Calls = frozenset[str]  # the numbers of calls, as marks have them

_PREFIX = "symmetry."
_TRACING = jax.make_user_context()  # JAX traces a function anew where it has another value
_FEW = 8  # rounds that are taken one by one
_KEPT = ("loss", "gradient")  # of what is marked in loops and branches
# Primitives that leave a value as it is, or change only its dtype.
_SAME = {"convert_element_type", "copy", "copy_p", "name", "optimization_barrier", "device_put"}
_SAME |= {"reduce_precision", "sharding_constraint"}
_SAME |= {"squeeze"}  # the axis of the devices, where each has its own


@contextmanager
def marking(tracing: object = None) -> Iterator[None]:
    """Mark what is differentiated while the block runs.

    Functions that were jitted before have no marks, so they are traced again: once for all blocks
    with the same object ``tracing``, and once for each block without one.
    """
    numbers, vjp = count(), api.vjp

    def marked_vjp(function: Callable[..., Any], *primals: Any, **options: Any) -> Any:
        number = next(numbers)
        mark(primals, f"parameter.{number}")
        result, pull, *aux = vjp(function, *primals, **options)
        if getattr(result, "shape", None) == ():
            mark(result, f"loss.{number}", numbered=False)

        def marked_pull(*cotangents: Any) -> Any:
            gradients = pull(*cotangents)
            mark(gradients, f"gradient.{number}")
            return gradients

        return result, marked_pull, *aux

    with patch.object(api, "vjp", marked_vjp), _TRACING(tracing or object()):
        yield


def mark(values: Any, name: str, *, numbered: bool = True) -> None:
    """Name the traced numbers among some values: alone, or with their numbers in the name."""
    for number, leaf in enumerate(jax.tree.leaves(values)):
        if isinstance(leaf, jax.core.Tracer) and jnp.issubdtype(leaf.dtype, jnp.inexact):
            checkpoint_name(leaf, f"{_PREFIX}{name}.{number}" if numbered else _PREFIX + name)


def mark_of(equation: Any) -> str:
    """Return the mark that an equation sets; nothing if it sets no mark."""
    if equation.primitive.name != "name" or not equation.params["name"].startswith(_PREFIX):
        return ""
    return str(equation.params["name"].removeprefix(_PREFIX))


class MarkReader(Interpreter):
    """Inlines a jaxpr, and keeps the values that are marked.

    In a loop that leaves the parameters as they are, as one that adds up gradients does, a mark has
    the values of all rounds, stacked; in a branch it is zero as long as another one is taken. Marks
    in other loops are left out: what they name changes in each round.

    Attributes
    ----------
    values
        They, by their marks. A function that is compiled once and called twice has its marks twice:
        the last call's count, and those of the first one begin with ``earlier.0``.
    drawn
        The results of random draws, by their sites.
    modules
        The last result in the forward of each module, by its path, and the user's line.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.values: dict[str, Any] = {}
        self.drawn: dict[Site, Any] = {}
        self.modules: dict[str, tuple[Any, SourceLine]] = {}
        self._keeps, self._often = True, Counter[str]()

    def equation(self, equation: Any, args: Sequence[Any]) -> Sequence[Any]:
        """Return the results of an equation; a mark has what it marks."""
        if name := mark_of(equation):
            if self._keeps:
                if name in self.values:
                    self.values[f"earlier.{self._often[name]}.{name}"] = self.values[name]
                    self._often[name] += 1
                self.values[name] = args[0]
            return args
        site = self.site
        results = super().equation(equation, args)
        if is_draw(equation) and not self.inside_loop:
            self.drawn[site] = results[0]
        elif not self.inside_loop and not is_call(equation):
            for path in modules_of(source_info_util.current_name_stack()):
                self.modules.pop(path, None)  # they come in the order in which they end
                self.modules[path] = results[0], place_of(equation)
        return results

    def perform(self, equation: Any, args: Sequence[Any]) -> Sequence[Any]:
        """Return the results of an equation that is no call; keep what a loop or branch marks."""
        name, keeps, inside = equation.primitive.name, self._keeps, self.inside_loop
        calls = _calls_in(equation) if keeps else frozenset[str]()
        self._keeps = keeps and (bool(calls) or name not in ("scan", "while", "cond", "shard_map"))
        self.inside_loop = inside or bool(calls)
        try:
            if not calls:
                return super().perform(equation, args)
            run = partial(self._with_marks, calls)
            if name == "scan":
                scan = _one_by_one if equation.params["length"] <= _FEW else jax.lax.scan
                results, marked = self.rounds(equation.params, args, run, scan)
            else:
                branches = [partial(run, branch) for branch in equation.params["branches"]]
                results, marked = _choosing(branches, args)
            self.values.update(marked)
            return results
        finally:
            self._keeps, self.inside_loop = keeps, inside

    def _with_marks(
        self, calls: Calls, jaxpr: ClosedJaxpr, *args: Any
    ) -> tuple[list[Any], dict[str, Any]]:
        """Return the outputs of a jaxpr, and the losses and gradients of some calls in it."""
        around, self.values = self.values, {}
        try:
            results, found = self.run(jaxpr, *args), self.values
        finally:
            self.values = around
        kinds = {name: name.split(".") for name in found}
        return results, {
            n: found[n] for n, (kind, call, *_) in kinds.items() if kind in _KEPT and call in calls
        }


def _choosing(
    branches: Sequence[Callable[..., Any]], args: Sequence[Any]
) -> tuple[list[Any], dict[str, Any]]:
    """Return the results of a choice, and what its branches mark: zeros where they do not."""
    every: dict[str, Any] = {}
    for branch in branches:
        every |= jax.eval_shape(branch, *args[1:])[1]

    def taking(branch: Callable[..., Any]) -> Callable[..., Any]:
        def take(*given: Any) -> Any:
            results, marked = branch(*given)
            return results, {n: jnp.zeros(v.shape, v.dtype) for n, v in every.items()} | marked

        return take

    return jax.lax.switch(args[0], [*map(taking, branches)], *args[1:])  # type: ignore[no-any-return]


def _one_by_one(body: Any, carry: Any, rows: Any, *, length: int, reverse: bool) -> Any:
    """Return what ``lax.scan`` returns: its rounds are no loop, so that each can be looked into."""
    found: dict[int, Any] = {}
    for number in sorted(range(length), reverse=reverse):
        own = jax.tree.map(lambda row, n=number: jax.lax.index_in_dim(row, n, keepdims=False), rows)
        carry, found[number] = body(carry, own)
    return carry, jax.tree.map(lambda *each: jnp.stack(each), *(found[n] for n in range(length)))


def _calls_in(equation: Any) -> Calls:
    """Return which calls of ``jax.grad`` in a loop differentiate what it leaves as it is."""
    name, params = equation.primitive.name, equation.params
    found: set[str] = set()
    if name == "scan":
        found.update(leaves_of(closed(params["jaxpr"]), params["num_consts"], carried=False))
    elif name == "cond":
        for branch in params["branches"]:
            found.update(leaves_of(branch, len(equation.invars) - 1, carried=False))
    return frozenset(mark.partition(".")[0] for mark in found)


def modules_of(names: Any) -> Iterator[str]:
    """Yield the paths of the modules around an operation of a forward, the innermost one first.

    Libraries open a scope for each: ``jvp(GPT)/Block_0/Dense_1``. The outermost is the model.
    """
    first, *inner = str(names).split("/")
    if first.startswith("jvp("):
        yield from (".".join(inner[:length]) for length in range(len(inner), 0, -1))


def leaves_of(jaxpr: ClosedJaxpr, leaves: int, *, carried: bool = True) -> Mapping[str, int]:
    """Return which of the first inputs of a jaxpr each marked parameter is, also in its loops.

    Without ``carried`` a loop counts if it leaves the parameter as it is, as one that adds up
    gradients does.
    """
    walk = _LeafWalk(carried)
    inputs = len(jaxpr.jaxpr.invars)
    walk.run(jaxpr, *range(leaves), *[None] * (inputs - leaves))
    return walk.found


class _LeafWalk(Walk[int | None]):
    """Follows leaves to the marks of parameters: a value is the number of the leaf that it is."""

    def __init__(self, carried: bool) -> None:
        super().__init__()
        self._carried, self.found = carried, dict[str, int]()

    def constant(self, value: Any, variable: Any) -> None:
        """Return nothing: it is no leaf."""

    def operation(self, equation: Any, args: Sequence[int | None]) -> Sequence[int | None]:  # noqa: ARG002
        """Return nothing known: the results are others than the operands."""
        return [None] * len(equation.outvars)

    def _same(self, equation: Any, args: Sequence[int | None]) -> Sequence[int | None]:
        mark, leaf = mark_of(equation), args[0]
        if mark.startswith("parameter.") and leaf is not None:
            self.found[mark.removeprefix("parameter.")] = leaf
        return args[: len(equation.outvars)]

    def _reshaped(self, equation: Any, args: Sequence[int | None]) -> Sequence[int | None]:
        """Return the same if axes of length 1 come or go: a device has a part of length 1."""
        (old, *_), (new,) = equation.invars, equation.outvars
        lengths = [[n for n in each.aval.shape if n > 1] for each in (old, new)]
        return args[:1] if lengths[0] == lengths[1] else [None]

    def _within(self, equation: Any, args: Sequence[int | None]) -> Sequence[int | None]:
        name, params = equation.primitive.name, equation.params
        inner = params.get("branches") or [params.get("jaxpr") or params["body_jaxpr"]]
        given = args[{"while": params.get("cond_nconsts"), "cond": 1}.get(name, 0) :]
        if name == "scan":
            consts, carry, _ = operands_of_scan(params, args)
            given = [*consts, *carry] if self._carried else consts
            given = [*given, *[None] * (len(args) - len(given))]
        for each in inner if self._carried or name != "while" else ():
            self.run(closed(each), *given)
        return self.operation(equation, args)

    rules = dict.fromkeys(_SAME, _same) | dict.fromkeys(
        ("scan", "while", "cond", "shard_map"), _within
    )
    rules["reshape"] = _reshaped
