"""Making arguments that fail smaller, greedily; and a size at which they do not fail."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from symmetry.base.calls import running
from symmetry.targets.sizes.arguments import Arguments, spell, text
from symmetry.targets.sizes.space import Space

T = TypeVar("T")


class StepBudget:
    """Steps that shrinking may take altogether: a number of calls of the user's code, not a time.

    Parameters
    ----------
    most
        How many, from now on.
    """

    def __init__(self, most: int = 20_000) -> None:
        self._end = running.calls + most

    @property
    def left(self) -> bool:
        """Whether there are any left."""
        return running.calls < self._end


def shrink(
    space: Space,
    arguments: Arguments,
    failure: T,
    fails: Callable[[Arguments], T | None],
    budget: StepBudget,
) -> tuple[Arguments, T]:
    """Return the smallest failing arguments that were found, and how they fail.

    ``fails`` runs a training with its arguments: it returns what is wrong, as it returned
    ``failure`` for these, or None.
    """
    tried = {spell(arguments)}

    def accept(changes: Arguments) -> bool:
        """Run with changed arguments; keep them if they fail, too."""
        nonlocal arguments, failure
        candidate = {**arguments, **changes}
        if spell(candidate) in tried or not budget.left:
            return False
        tried.add(spell(candidate))
        found = fails(candidate)
        if found is not None:
            arguments, failure = candidate, found
        return found is not None

    accept(space.smallest)
    before: Arguments = {}
    while before != arguments:
        before = arguments
        for name in arguments:
            while any(accept({name: value}) for value in space.smaller(name, arguments[name])):
                pass
    return arguments, failure


def contrast(
    space: Space,
    arguments: Arguments,
    passes: Callable[[Arguments], bool],
    budget: StepBudget,
    known: Arguments,
) -> tuple[str, str] | None:
    """Return an argument at its failing value and at another one that passes, if one does.

    The others that are tried are larger ones, those of ``known`` arguments that run, and the next
    smaller one.
    """
    for name, value in arguments.items():
        smaller = space.smaller(name, value)[-1:]
        for other in (*space.larger(name, value), known.get(name, value), *smaller):
            if other != value and budget.left and passes({**arguments, name: other}):
                return f"{name}={text(value)}", f"{name}={text(other)}"
    return None
