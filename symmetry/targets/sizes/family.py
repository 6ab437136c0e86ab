"""A family of trainings, one for each set of arguments: a function or a script with parameters."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial, update_wrapper
from typing import TYPE_CHECKING, Any

from symmetry.base.errors import SymmetryError
from symmetry.law.target import Target
from symmetry.targets.script import script_named
from symmetry.targets.sizes.arguments import Arguments, spell, text
from symmetry.targets.training import TrainingTarget
from symmetry.training.target import FunctionTraining

if TYPE_CHECKING:
    from symmetry.targets.sizes.space import Space

_BRACES = re.compile(r"\{([A-Za-z_]\w*)\}")


@dataclass(frozen=True)
class Family:
    """Trainings that differ in their arguments."""

    name: str  # as the user typed it, or ``module:attribute`` of a callable
    strategies: Mapping[str, Any]  # what Hypothesis draws each argument from
    member: Callable[[Arguments], TrainingTarget]  # returns the training with some arguments

    def space(self, seed: int) -> Space:
        """Return the arguments that its trainings may have."""
        from symmetry.targets.sizes.space import Space  # it imports Hypothesis

        return Space(self.strategies, seed)


def of_function(name: str, make: Callable[..., Any], arguments: Arguments) -> Family:
    """Return the trainings that a function makes; one if no argument is left to be drawn.

    Raises
    ------
    SymmetryError
        If it has no such parameters.
    """
    try:
        inspect.signature(make).bind_partial(**arguments)
    except TypeError as error:
        raise SymmetryError(f"{name!r} cannot be called with {spell(arguments)}: {error}") from None
    strategies = {n: s for n, s in strategies_of(make).items() if n not in arguments}

    def member(more: Arguments) -> TrainingTarget:
        given = {**arguments, **more}
        called = update_wrapper(partial(make, **given), make) if given else make
        return TrainingTarget(FunctionTraining(f"{name} {spell(given)}".rstrip(), called))

    return Family(f"{name} {spell(arguments)}".rstrip(), strategies, member)


def of_script(
    target: Target, words: Sequence[str], draws: Mapping[str, Any], arguments: Arguments
) -> Family:
    """Return the trainings of a script whose words have names in braces: ``--hidden {hidden}``.

    Raises
    ------
    SymmetryError
        If a name has no braces, or one in braces is not drawn.
    """
    names = dict.fromkeys(name for word in words for name in _BRACES.findall(word))
    for name in (*draws, *arguments):
        if name not in names:
            raise SymmetryError(
                f"{name} is drawn, but no argument of the script has {{{name}}}: write it behind "
                f"--, such as: -- --{name} {{{name}}}"
            )
    for name in names:
        if name not in {*draws, *arguments}:
            raise SymmetryError(f"{{{name}}} is not drawn: add --draw {name}=LOW..HIGH")

    def member(more: Arguments) -> TrainingTarget:
        values = {**arguments, **more}
        filled = [_BRACES.sub(lambda found: _word(values[found[1]]), word) for word in words]
        return script_named(filled)

    rest = {name: draws[name] for name in names if name not in arguments}
    return Family(target.name, rest, member)


def strategies_of(make: Callable[..., Any]) -> dict[str, Any]:
    """Return the parameters of a function whose defaults are strategies of Hypothesis.

    Without Hypothesis being imported there are none.
    """
    hypothesis = sys.modules.get("hypothesis.strategies")
    if hypothesis is None:
        return {}
    try:
        parameters = inspect.signature(make).parameters
    except (TypeError, ValueError):
        return {}
    kind = hypothesis.SearchStrategy
    return {n: p.default for n, p in parameters.items() if isinstance(p.default, kind)}


def _word(value: Any) -> str:
    """Return a value as a word of a command line: text has no quotation marks."""
    return value if isinstance(value, str) else text(value)
