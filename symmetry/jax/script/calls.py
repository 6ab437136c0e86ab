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

from symmetry.jax.loops.loop_search import LoopFound, LoopInside, LoopSearch, loop_in
from symmetry.jax.made import has_numbers, is_array
from symmetry.jax.script.jitted import Jitted
from symmetry.jax.script.jitting import Jitting

CALLS = 16  # of a step that are recorded at most: as many steps can be taken
_ENOUGH = 5  # calls: where later ones go on from something else, as behind an evaluation, they end


class Enough(BaseException):
    """Ends a script that has taken enough steps: ``except Exception`` does not catch it."""


class JittedCalls(Jitting):
    """Records the calls of a script's jitted functions, until it has taken enough steps.

    No argument is donated: arrays are read after the call.

    Attributes
    ----------
    functions
        Those that were called.
    """

    donates = False

    def __init__(self) -> None:
        super().__init__()
        self.functions: list[Jitted] = []
        self._makers: dict[int, Jitted] = {}  # of the arrays that functions returned last
        self._loops = LoopSearch(in_traces=True, wanted=lambda: not self._has_step)

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
        taken = len(jitted.given)
        goes_on = taken < _ENOUGH or jitted.goes_on(arguments)
        if self._is_step(jitted) and (taken == CALLS or not goes_on):
            raise Enough
        if taken < CALLS:
            jitted.enter(arguments, self._makers)
        try:
            returned = jitted.call(*args, **kwargs)
        except LoopInside:
            self._refuse_loop(jitted, arguments)
            returned = jitted.call(*args, **kwargs)
        for result in jitted.results:
            self._makers.pop(id(result), None)
        jitted.results = jax.tree.leaves(returned)  # held, so that no other array gets their ids
        self._makers.update((id(r), jitted) for r in jitted.results if _is_made(r))
        return returned

    def _is_step(self, jitted: Jitted) -> bool:
        """Return whether no other function gets more numbers from its own results."""
        return jitted.size > 0 and jitted.size == max(each.size for each in self.functions)

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
    """Return whether an array tells which function made it: small ones may be shared."""
    return is_array(result) and has_numbers(result)
