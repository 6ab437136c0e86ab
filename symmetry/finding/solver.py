"""Complete an exchange of two units so that the loss stays the same.

Example: y = W2 @ tanh(W1 @ x + b1), loss(y). May hidden units 0 and 1 be exchanged?

  seed     W1: swap rows 0 and 1
  node 0   h = W1 @ x      perform it on the swapped W1: rows 0 and 1 of h are swapped. Go on.
  node 1   h + b1          perform it: the result is no permutation of the old one. Stuck, so look
                           which inputs have an axis tied to the swapped one: b1. Repair: swap b1[0]
                           and b1[1]. Now rows 0 and 1 of the sum are swapped.
  node 2   tanh            swapped in, swapped out.
  node 3   W2 @ a          sums over the swapped axis. Stuck. Repair: swap columns 0 and 1 of W2.
                           Now the result is unchanged, and so is the loss.
  answer   {W1: rows 0 and 1, b1: entries 0 and 1, W2: columns 0 and 1}

A repair may concern a value that is no leaf, such as the transpose of W2: it is pulled back to the
leaves. If no repair fits, the units are not interchangeable, and the node shows why. No operation
is known by its name.

The pullback finds which actions of the leaves make a value carry an action. The operation that
computes the value yields candidates: actions of its inputs under which its output carries the
action. Each input that is no leaf is pulled back in the same way.
"""

from __future__ import annotations

import itertools
import math
from functools import cached_property

from symmetry.finding.exchange import actions
from symmetry.finding.exchange.actions import LABELS, Action, Actions, extends
from symmetry.finding.exchange.candidates import Candidates
from symmetry.finding.exchange.operations import Operations
from symmetry.finding.exchange.propagation import (
    Endings,
    ExchangeBudget,
    Propagation,
    Solution,
    Stuck,
)
from symmetry.finding.exchange.tolerance import same
from symmetry.training.trace import Trace


class Pullback:
    """Pulls actions back through one trace, within a budget.

    Failures are cached: while no leaf behind a value has an action, a request that failed fails
    again, unless it gets a larger budget.
    """

    def __init__(
        self, operations: Operations, candidates: Candidates, budget: ExchangeBudget
    ) -> None:
        self._operations, self._candidates, self._budget = operations, candidates, budget
        self._trace = operations.trace
        self._leaves_behind = _leaves_behind(self._trace)
        self._failed: dict[tuple[int, Action], float] = {}  # with the budget of the attempt

    def leaves(self, wanted: Actions, present: Actions) -> Actions | None:
        """Return actions of leaves under which values carry the wanted actions; None if none do.

        ``present`` are the actions that values carry already.
        """
        self._budget.begin_request()
        decided: Actions = {}
        if not all(self._require(i, a, present, decided) for i, a in wanted.items()):
            return None
        return {i: a for i, a in decided.items() if i in self._trace.names}

    def _require(self, value: int, action: Action, present: Actions, decided: Actions) -> bool:
        """Add to ``decided`` under which actions a value carries an action; return if it can."""
        if decided.get(value, present.get(value, ())) == action:
            return True
        if value in self._trace.names:
            decided[value] = action
            return True
        if value not in self._trace.from_leaves:
            array = self._trace.arrays[value]
            return same(actions.moved(array, action), array)
        budget, key = self._budget.request, (value, action)
        free = self._leaves_behind[value].isdisjoint(
            i for which in (present, decided) for i in which if which[i]
        )
        if free and budget <= self._failed.get(key, -1):
            return False
        carried = self._require_inputs(value, action, present, decided)
        if free and not carried:
            self._failed[key] = budget if self._budget.request < 0 else math.inf
        return carried

    def _require_inputs(
        self, value: int, action: Action, present: Actions, decided: Actions
    ) -> bool:
        """Require of the inputs of a value's operation whatever gives the value an action."""
        if not self._budget.spend_operation():
            return False
        k = self._trace.maker[value]
        node = self._trace.nodes[k]
        q = node.outputs.index(value)
        input_actions = tuple(decided.get(i, present.get(i, ())) for i in node.inputs)
        tried: list[Actions] = []
        for wanted in self._candidates.for_output(k, q, action, input_actions):
            if wanted in tried:
                continue
            tried.append(wanted)
            inputs = tuple(
                wanted.get(i, a) for i, a in zip(node.inputs, input_actions, strict=True)
            )
            if not self._operations.yields(k, q, action, inputs):
                continue
            attempt = {**decided, value: action}
            if all(self._require(i, a, present, attempt) for i, a in wanted.items()):
                decided.update(attempt)
                return True
        return False


def _leaves_behind(trace: Trace) -> dict[int, frozenset[int]]:
    """Return the leaves that each value is computed from."""
    behind = {i: frozenset([i]) for i in trace.names}
    shared: dict[frozenset[int], frozenset[int]] = {}  # or equal sets would fill the memory
    for node in trace.nodes:
        own = frozenset().union(*(behind.get(i, ()) for i in node.inputs))
        behind |= dict.fromkeys(node.outputs, shared.setdefault(own, own))
    return behind


class Solver:
    """Completes exchanges in one trace."""

    def __init__(self, trace: Trace, like: Operations | None = None) -> None:
        self.trace = trace
        self.operations = Operations(trace, like)  # the effects of its operations on exchanges
        self._leaf_of = {trace.finals[name]: leaf for name, leaf in trace.leaves.items()}
        self._budget = ExchangeBudget()
        self._candidates = Candidates(self.operations)
        self._pullback = Pullback(self.operations, self._candidates, self._budget)
        self._endings = Endings()

    def solve(self, leaves: Actions, *, alone: bool = False) -> Solution:
        """Return actions of leaves that include these, and leave the loss unchanged.

        It comes with whether the step selects between the units: then the actions swap numbers.
        ``alone``: nothing else of these leaves may be swapped.

        Raises
        ------
        Stuck
            If no such actions are found.
        """
        self._budget.begin_exchange()
        repaired: list[tuple[Actions, int]] = []
        ending: Solution | Stuck
        try:
            ending = self._complete(leaves, leaves if alone else {}, repaired)
        except Stuck as stuck:
            ending = stuck
        if not alone:
            self._endings.add(repaired, ending, self._budget.work)
        if isinstance(ending, Stuck):
            raise ending
        return ending

    def pulled_back(self, value: int, action: Action) -> Actions | None:
        """Return actions of leaves under which a value carries an action; None if none do."""
        self._budget.begin_exchange()
        return self._pullback.leaves({value: action}, {})

    def exchanges_data(self, k: int, input_actions: tuple[Action, ...]) -> bool:
        """Return whether a node's outputs would be exchanged if its data were exchanged, too."""
        return any(
            self.operations.forward(k, more) is not None
            for more in self._candidates.with_data(k, input_actions)
        )

    @cached_property
    def selects(self) -> bool:
        """Whether the step may branch on values of the leaves, as a router of experts does.

        It may if an operation makes integers or truth values of them, or has no output: then it
        takes numbers out of a tensor. From other leaves the step may perform other operations.
        """
        trace = self.trace
        nodes = (node for node in trace.nodes if not trace.from_leaves.isdisjoint(node.inputs))
        return any(
            not node.outputs or any(trace.arrays[o].dtype.kind not in "fc" for o in node.outputs)
            for node in nodes
        )

    def _complete(
        self, leaves: Actions, fixed: Actions, repaired: list[tuple[Actions, int]]
    ) -> Solution:
        """Follow an exchange of leaves through the trace, and exchange more leaves when stuck.

        ``fixed`` leaves must not get other actions. ``repaired`` receives the actions of the leaves
        at each repair, and the work that is left.
        """
        exchange = Propagation(self.trace, leaves)
        while (k := exchange.next_node()) is not None:
            outputs, input_actions = self.trace.nodes[k].outputs, exchange.input_actions(k)
            results = self.operations.forward(k, input_actions)
            if results is not None:
                if self._ignores_selection(k, input_actions, results):
                    raise Stuck(k, input_actions)
                exchange.put(dict(zip(outputs, results, strict=True)))
                more = self._initial_buffers(outputs, exchange.actions, leaves)
            elif self.trace.into_results.isdisjoint(outputs):
                continue
            else:
                ending = None if fixed else self._endings.find(leaves, self._budget.work)
                if ending is not None:
                    return ending
                repaired.append((leaves, self._budget.work))
                more = self._repair(k, exchange, leaves, fixed)
                exchange.repeat(k)
            leaves = {**leaves, **more}
            exchange.put(more)
        selects = any(axis == LABELS for a in exchange.actions.values() for axis, _, _ in a)
        return {self.trace.names[i]: a for i, a in leaves.items() if a}, selects

    def _ignores_selection(
        self, k: int, input_actions: tuple[Action, ...], results: list[Action]
    ) -> bool:
        """Return whether integers that a node computes of exchanged values stay as they are.

        Top-k, for instance, may have selected other units in this step. After another start it may
        select one of the two, and this trace does not show which others it then takes.
        """
        return any(input_actions) and any(
            not action
            and value in self.trace.into_results
            and self.trace.arrays[value].dtype.kind == "i"
            for value, action in zip(self.trace.nodes[k].outputs, results, strict=True)
        )

    def _initial_buffers(
        self, outputs: tuple[int, ...], carried: Actions, leaves: Actions
    ) -> Actions:
        """Return the actions of buffers whose final values are among a node's outputs.

        A buffer that is overwritten before it is read has no other reason to be exchanged.
        """
        finals = {self._leaf_of[o]: carried.get(o, ()) for o in outputs if o in self._leaf_of}
        return {i: a for i, a in finals.items() if a and not leaves.get(i)}

    def _repair(self, k: int, exchange: Propagation, leaves: Actions, fixed: Actions) -> Actions:
        """Return more actions of leaves, under which a node's outputs are exchanged.

        Raises Stuck if there are none. A repair only adds swaps, so the repairs end.
        """
        inputs, input_actions = self.trace.nodes[k].inputs, exchange.input_actions(k)
        for wanted in itertools.islice(
            self._candidates.repairs(k, input_actions), max(self._budget.work, 0)
        ):
            self._budget.spend_repair()
            carried = tuple(wanted.get(i, a) for i, a in zip(inputs, input_actions, strict=True))
            if self.operations.forward(k, carried) is None:
                continue
            new = self._pullback.leaves(wanted, exchange.actions)
            if not new or all(leaves.get(i, ()) == a for i, a in new.items()):
                continue
            if any(new.get(i, a) != a for i, a in fixed.items()):
                continue
            if all(extends(a, leaves.get(i, ())) for i, a in new.items()):
                return new
        raise Stuck(k, input_actions)
