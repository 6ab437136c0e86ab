"""The calls of the functions that a script jits, and the arrays that it hands from one to another.

Example: a loop, and what is seen of its calls.

    for x, y in batches:
        params, opt, loss = step(params, opt, x, y)

    call 1  step(params0, opt0, x0, y0) -> params1, opt1, loss1
    call 2  step(params1, opt1, x1, y1) -> ...

params1 and opt1, results of call 1, are arguments of call 2: they are its state. The other
arguments are given.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import jax

from symmetry.base.updates import UpdateLog
from symmetry.jax.loop_training import LoopFound, LoopInside, LoopSearch, loop_in
from symmetry.jax.made import has_numbers, is_array
from symmetry.jax.script.jitted import Jitted, copied
from symmetry.jax.script.jitting import Jitting
from symmetry.jax.script.outputs import OutputLog
from symmetry.jax.script.round import Made, RecordedCall, makes_parameters, rounds_in

CALLS = 16  # of a step that are recorded at most: as many steps can be taken
_PATIENCE = 256  # calls of a function that makes no parameters: rollouts of an environment, say
_ENOUGH = 4  # calls: where later ones go on from something else, as behind an evaluation, they end


class Enough(BaseException):
    """Ends a script that has taken enough steps: ``except Exception`` does not catch it."""


class JittedCalls(Jitting):
    """Records the calls of a script's jitted functions, until it has taken enough steps.

    No argument is donated: arrays are read after the call.

    Parameters
    ----------
    trained
        Which functions make what is differentiated, by name: it holds for all runs of a script.

    Attributes
    ----------
    functions
        Those that were called.
    log
        Their calls, in their order.
    """

    donates = False

    def __init__(self, trained: dict[str, bool] | None = None) -> None:
        super().__init__()
        self._trained = {} if trained is None else trained
        self._outputs: OutputLog | None = None  # of their results, to be compared
        self.functions: list[Jitted] = []
        self.log: list[RecordedCall] = []
        self._made: dict[int, Made] = {}  # the arrays that functions returned last, by their ids
        self._same: dict[int, tuple[Any, Any]] = {}  # results by their ids, and what they are
        self._rounds: dict[int, bool] = {}  # whether functions with many calls are in a round
        self._loops = LoopSearch(in_traces=True, wanted=lambda: not self._has_step)

    def record(self, log: UpdateLog) -> None:
        """Add the results of the first calls to a log."""
        self._outputs = OutputLog(log)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Record the calls of functions that are jitted meanwhile; a loop that trains ends them."""
        with super().watching(), self._loops.watching():
            yield

    def _recorded(
        self,
        jitted: Jitted,
        arguments: Mapping[str, Any],
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
    ) -> Any:
        if not jitted.given:
            self.functions.append(jitted)
        arguments = jax.tree.map(self._original, arguments)
        taken = len(jitted.given)
        goes_on = taken < _ENOUGH or jitted.goes_on(arguments)
        ends = self._is_step(jitted) and (taken == CALLS or not goes_on)
        if ends and rounds_in(jitted, self.log) not in range(1, CALLS):
            jitted.is_closed = True
            if self._is_trained(jitted):
                raise Enough
        call = self._logged(jitted, arguments)
        if taken < CALLS and not jitted.is_closed:
            jitted.enter(arguments, [*map(self._maker, call.made)])
        try:
            returned = jitted.call(*args, **kwargs)
        except LoopInside:
            self._refuse_loop(jitted, arguments)
            returned = jitted.call(*args, **kwargs)
        if taken == 0:
            jitted.note_kept(args, kwargs)
        leaves = [*map(self._original, jax.tree.leaves((args, kwargs)))]
        # Now, since its arguments may be its last results, which are forgotten.
        makers = [self._maker(self._made_by(leaf)) for leaf in leaves]
        for result in jitted.results:
            self._made.pop(id(result), None)
            self._same.pop(id(result), None)
        # Held, so that no other array gets their ids.
        jitted.results, call.results = jax.tree.flatten(returned)
        if self._outputs is not None:
            self._outputs.see(jitted.name, jax.tree.leaves(arguments), jitted.results)
        number = len(self.log) - 1
        known = (n for n, r in enumerate(jitted.results) if is_array(r) and (r.ndim or _is_made(r)))
        self._made.update((id(jitted.results[n]), (number, n)) for n in known)
        if any(maker not in (None, jitted) for maker in makers):
            others = {n: leaf for n, leaf in enumerate(leaves) if makers[n] is not jitted}
            self._note_same(jitted, jitted.passed(args, kwargs), others)
        return returned

    def _note_same(
        self, jitted: Jitted, passed: Mapping[int, int], others: Mapping[int, Any]
    ) -> None:
        """Note which results are results of others that a function returns as it takes them.

        So does an evaluation that ``nnx.jit`` compiles: it returns all of its model.
        """
        for result, place in passed.items():
            if place in others:
                array = jitted.results[result]
                self._same[id(array)] = array, others[place]

    def _original(self, leaf: Any) -> Any:
        """Return the array that a function has returned as it took it; or else a leaf itself."""
        return self._same[id(leaf)][1] if id(leaf) in self._same else leaf

    def _logged(self, jitted: Jitted, arguments: Mapping[str, Any]) -> RecordedCall:
        """Add a call to the log; arrays that its function has returned are not held.

        Nor are those of later calls, if no round of several functions needs them.
        """
        leaves, tree = jax.tree.flatten(arguments)
        made = [*map(self._made_by, leaves)]
        kept = [
            None if self._maker(source) is jitted else copied(leaf)
            for leaf, source in zip(leaves, made, strict=True)
            if len(jitted.given) < CALLS or self._is_in_round(jitted)
        ]
        constants = jitted.constants_in(arguments)
        sources = [self._made.get(id(leaf)) for leaf in leaves]
        call = RecordedCall(jitted, tree, kept, made, constants, sources)
        self.log.append(call)
        return call

    def _made_by(self, leaf: Any) -> Made | None:
        """Return the result that an array is, if it has one function that made it."""
        return self._made.get(id(leaf)) if _is_made(leaf) else None

    def _maker(self, made: Made | None) -> Jitted | None:
        return None if made is None else self.log[made[0]].jitted

    def _is_in_round(self, jitted: Jitted) -> bool:
        """Return whether a function is one of several that take a step together."""
        if id(jitted) not in self._rounds:
            self._rounds[id(jitted)] = rounds_in(jitted, self.log) > 0
        return self._rounds[id(jitted)]

    def _is_step(self, jitted: Jitted) -> bool:
        """Return whether no other function gets more numbers from its own results.

        If it is known which functions make what is differentiated, it is the largest of them.
        """
        known = [each for each in self.functions if self._trained.get(each.name)]
        largest = max(each.size for each in known or self.functions)
        return jitted.size == largest > 0 and any(each is jitted for each in known or [jitted])

    def _is_trained(self, jitted: Jitted) -> bool:
        """Return whether a function makes what is differentiated; or none does, for long.

        An environment that is stepped before the first update does not, nor does a policy with a
        memory; a step whose gradients are computed by hand does not either.
        """
        name, known = jitted.name, self._trained
        if name not in known:
            known[name] = makes_parameters(jitted, self.log)
        elif not known[name] and sum(call.jitted is jitted for call in self.log) >= _PATIENCE:
            own = [each for each in self.functions if each.size]
            found = [each.name for each in own if makes_parameters(each, self.log)]
            known.update(dict.fromkeys(found or [name], True))
        return known[name]

    @property
    def _has_step(self) -> bool:
        """Whether a function is called with its own results: it is the step, whatever loops do."""
        return any(each.size for each in self.functions)

    def _refuse_loop(self, jitted: Jitted, arguments: Mapping[str, Any]) -> None:
        """Raise ``LoopFound`` if it is a loop that trains in a function, and nothing beside it."""
        self._loops.in_traces = False
        if not jitted.differentiates(arguments):
            loop = loop_in(lambda: jitted.called(arguments))
            if loop is not None:
                raise LoopFound(loop)


def _is_made(result: Any) -> bool:
    """Return whether an array has one function that made it: whole numbers may be shared."""
    return is_array(result) and has_numbers(result)
