"""Operations of JAX between the jitted calls of a script: they may be a part of its step.

Example: gradients are jitted, and the update is not.

    for x, y in batches:
        loss, gradient = gradient_of(params, x, y)              a call of a jitted function
        updates, moments = optimizer.update(gradient, moments)  mul, add, sqrt, div, ...
        params = optax.apply_updates(params, updates)           add, add

An operation is recorded if it is given results of a recorded call. To record them all takes time,
so it is done where the calls of jitted functions alone make no step. One operand may be a product
of arrays that no call has made, as of moments that are never handed on: the product is a part of
the operation then.
"""

from __future__ import annotations

import re
import time
import weakref
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from jax._src import core, source_info_util

from symmetry.base.errors import NotCheckable
from symmetry.jax.jaxprs.behind import parameters_behind
from symmetry.jax.jaxprs.marks import marking
from symmetry.jax.jaxprs.step import TracedStep
from symmetry.jax.script.calls import CALLS, Enough
from symmetry.jax.script.jitted import Jitted, copied
from symmetry.jax.script.jitting import Jitting
from symmetry.jax.script.repeated_step import RepeatedStep
from symmetry.jax.script.round import HELD, Made, RecordedCall, Round, round_of, rounds_in
from symmetry.observe.source_line import users_line

_MOST = 20_000  # calls and operations that are recorded
_MORE = 4  # calls of the step, which make no whole round or begin one
_SECONDS = 20.0  # CPU seconds that the run may take
_LAST = 4 * CALLS  # calls of a function: where they make no rounds by then, they make none
_MULTIPLYING = "mul", "multiply"
_ADDRESS = re.compile("0x[0-9a-f]+")


@dataclass(frozen=True)
class Operation:
    """An operation, with all but its operands."""

    primitive: Any
    parameters: Mapping[str, Any]
    at: Any  # the traceback of its first call at this line
    products: Mapping[int, Operation]  # the operands that it multiplies itself, by their numbers

    @property
    def name(self) -> str:
        """The name of the function of ``jax.numpy``, or of the primitive."""
        return str(self.parameters.get("name", self.primitive.name))

    def called(self, operands: Sequence[Any]) -> Any:
        """Return what it makes of other operands."""
        given = [*operands]
        for n, product in self.products.items():
            (given[n],) = jax.tree.leaves(product.called(operands[n]))
        with source_info_util.user_context(self.at):
            return self.primitive.bind(*given, **self.parameters)


class _Trace(core.EvalTrace):
    """Computes operations as JAX does, and shows them to a function."""

    def __init__(self, show: Callable[[Any, Sequence[Any], Mapping[str, Any], Any], None]) -> None:
        super().__init__()
        self._show = show

    def process_primitive(
        self, primitive: Any, args: Sequence[Any], params: Mapping[str, Any], /
    ) -> Any:
        """Compute an operation."""
        with core.set_current_trace(core.eval_trace):
            results = super().process_primitive(primitive, args, params)
            self._show(primitive, args, params, results)
        return results


class OperationCalls(Jitting):
    """Records the calls of a script's jitted functions, and the operations on their results.

    Attributes
    ----------
    step
        The first function that differentiates, and is given something made of its own results.
    log
        The calls and operations, in their order.
    """

    donates = False

    def __init__(self) -> None:
        super().__init__()
        self.step: Jitted | None = None
        self.log: list[RecordedCall] = []
        self._until = time.process_time() + _SECONDS
        self._operations: dict[Any, Operation] = {}
        # By the id of an array: itself, and what made it.
        self._made: dict[int, tuple[Any, Made]] = {}
        # Products since the last call that are given no results of calls, by the ids of these.
        self._products: dict[int, tuple[Any, Operation, Sequence[Any]]] = {}
        self._behind: list[frozenset[int]] = []  # the functions that each entry depends on
        self._trains: dict[int, bool] = {}  # whether functions differentiate, by their ids
        self._often: Counter[int] = Counter()  # the calls of those that do

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Record calls and operations while the block runs."""
        with super().watching(), core.set_current_trace(_Trace(self._operation)):
            yield

    def training(self, name: str) -> tuple[Any, ...]:
        """Return the state, the step and the extras of a script of this name.

        Raises
        ------
        NotCheckable
            If its calls and operations come in no rounds, or it is not known which parameters the
            arrays belong to that operations are given.
        """
        whole = None if self.step is None else round_of(self.step, self.log)
        if whole is None:
            raise NotCheckable(f"{name}: its calls and operations come in no rounds")
        repeated = RepeatedStep(name, whole)
        training = repeated.training()
        if _draws(whole) or not _are_followed(whole, repeated.places, *training):
            raise NotCheckable(f"{name}: which parameters its operations change is not known")
        return training

    def _recorded(
        self,
        jitted: Jitted,
        arguments: Mapping[str, Any],
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
    ) -> Any:
        with core.set_current_trace(core.eval_trace):
            if id(jitted) not in self._trains:
                self._trains[id(jitted)] = jitted.differentiates(arguments)
            self._often[id(jitted)] += self._trains[id(jitted)]
            leaves, tree = jax.tree.flatten(arguments)
            self._end(jitted, leaves)
            self._products.clear()
            constants = jitted.constants_in(arguments)
            call = self._enter(jitted, tree, leaves, constants)
            returned = jitted.call(*args, **kwargs)
            self._keep(call, returned)
        return returned

    def _operation(
        self, primitive: Any, args: Sequence[Any], params: Mapping[str, Any], results: Any
    ) -> None:
        """Record an operation on results of what is recorded; remember other products."""
        if len(self.log) >= _MOST:
            return
        if any(self._maker(each) for each in args):
            products = {n: p for n, each in enumerate(args) if (p := self._product(each))}
            operation = self._known(primitive, params, {n: p for n, (p, _) in products.items()})
            operands = [products[n][1] if n in products else each for n, each in enumerate(args)]
            leaves, tree = jax.tree.flatten(operands)
            self._keep(self._enter(operation, tree, leaves, frozenset()), results)
        elif params.get("name", primitive.name) in _MULTIPLYING:
            (result,) = jax.tree.leaves(results)
            operation = self._known(primitive, params, {})
            self._products[id(result)] = weakref.ref(result), operation, args

    def _product(self, leaf: Any) -> tuple[Operation, Sequence[Any]] | None:
        """Return the operation and the operands of a product that is no result of calls."""
        reference, operation, operands = self._products.get(id(leaf), (lambda: None, None, ()))
        return None if operation is None or reference() is not leaf else (operation, operands)

    def _known(
        self, primitive: Any, params: Mapping[str, Any], products: Mapping[int, Operation]
    ) -> Operation:
        """Return an operation: the same one whenever it is called at a line."""
        own = tuple((n, id(product)) for n, product in products.items())
        key = primitive, _text(params), users_line(), own
        if key not in self._operations:
            at = source_info_util.current().traceback
            self._operations[key] = Operation(primitive, params, at, products)
        return self._operations[key]

    def _enter(
        self, made_by: Any, tree: Any, leaves: Sequence[Any], constants: frozenset[int]
    ) -> RecordedCall:
        """Add an entry to the log. Arrays that a gradient is behind are made anew: none is held."""
        made = [self._maker(leaf) for leaf in leaves]
        behind = [frozenset[int]() if each is None else self._behind[each[0]] for each in made]
        kept = [
            None if any(self._often[each] > HELD for each in own) else copied(leaf)
            for leaf, own in zip(leaves, behind, strict=True)
        ]
        mine = frozenset([id(made_by)] if isinstance(made_by, Jitted) else [])
        self._behind.append(mine.union(*behind))
        self.log.append(call := RecordedCall(made_by, tree, kept, made, constants, []))
        return call

    def _keep(self, call: RecordedCall, results: Any) -> None:
        """Remember what made the results of an entry."""
        leaves, call.results = jax.tree.flatten(results)
        number = len(self.log) - 1
        for n, leaf in enumerate(leaves):
            if isinstance(leaf, jax.Array):
                self._made[id(leaf)] = weakref.ref(leaf), (number, n)

    def _maker(self, leaf: Any) -> Made | None:
        reference, made = self._made.get(id(leaf), (lambda: None, None))
        return made if reference() is leaf else None

    def _end(self, jitted: Jitted, leaves: Sequence[Any]) -> None:
        """End the script where there are enough rounds of the step, or none."""
        if self.step is None and self._trains[id(jitted)]:
            makers = [made for leaf in leaves if (made := self._maker(leaf))]
            if any(id(jitted) in self._behind[number] for number, _ in makers):
                self.step = jitted
        if time.process_time() > self._until:
            raise Enough
        if jitted is not self.step:
            return
        taken = self._often[id(jitted)]
        is_enough = taken % CALLS == _MORE and rounds_in(jitted, self.log) >= CALLS
        if is_enough or taken > _LAST or len(self.log) >= _MOST:
            raise Enough


def _draws(whole: Round) -> bool:
    """Return whether operations are given other arrays in each round, as noise for the units."""
    first, *others = whole.given
    return any(
        np.ndim(whole.first[n]) > 0 and any(each[n] is not first[n] for each in others)
        for n in range(len(whole.own))
        if whole.is_operand(n)
    )


def _are_followed(
    whole: Round,
    places: Sequence[int],
    state: Any,
    step: Callable[[Any, Any], Any],
    extras: Mapping[str, Any],
) -> bool:
    """Return whether each array that operations hand on is trained, or follows one parameter.

    They have no names for arrays, as a tree of moments has those of the parameters.
    """
    leaves, tree = jax.tree.flatten(state)
    batch = dict(extras["batch"](0))
    call = {"call": batch.pop("call")} if "call" in batch else {}  # it is no array

    def run(leaves: Sequence[Any], given: Any) -> list[Any]:
        after, rest = step(jax.tree.unflatten(tree, leaves), {**given, **call})
        return [*jax.tree.leaves(after), *jax.tree.leaves(rest)]

    with marking():
        closed = jax.make_jaxpr(run)(leaves, batch)
    traced = TracedStep(closed, len(leaves), None, varying=len(closed.in_avals))
    behind = parameters_behind(traced)
    return all(
        number in traced.parameters
        or [np.shape(leaves[n]) for n in behind[number]] == [np.shape(leaf)]
        for number, (n, leaf) in enumerate(zip(places, leaves, strict=True))
        if n in whole.state and whole.is_operand(n) and np.shape(leaf)
    )


def _text(params: Mapping[str, Any]) -> str:
    """Return the parameters of an operation as a text that is another one for others."""
    jaxpr = params.get("jaxpr")
    constants = f" {id(jaxpr)}" if getattr(jaxpr, "consts", ()) else ""
    return _ADDRESS.sub("", str(sorted(params.items()))) + constants
