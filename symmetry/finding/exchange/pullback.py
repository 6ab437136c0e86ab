"""Pullback: which actions of the leaves make a value carry an action.

The operation that computes the value yields candidates: actions of its inputs under which its
output carries the action. Each input that is no leaf is pulled back in the same way.
"""

import math

from symmetry.finding.exchange import actions
from symmetry.finding.exchange.actions import Action, Actions
from symmetry.finding.exchange.candidates import Candidates
from symmetry.finding.exchange.operations import Operations
from symmetry.finding.exchange.propagation import ExchangeBudget
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
