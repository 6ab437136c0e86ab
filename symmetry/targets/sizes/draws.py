"""From a function or a script, and what is drawn for it, to its target."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Mapping
from functools import partial, update_wrapper
from typing import Any

from symmetry.base.errors import SymmetryError
from symmetry.base.names import words_of
from symmetry.law.target import Target
from symmetry.targets.script import script_named
from symmetry.targets.sizes.arguments import Arguments, spell, text
from symmetry.targets.sizes.family import Family
from symmetry.targets.training import TrainingTarget
from symmetry.training.target import FunctionTraining

_BRACES = re.compile(r"\{([A-Za-z_]\w*)\}")


def drawn_function(name: str, make: Callable[..., Any], arguments: Arguments) -> Target:
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

    return _target(Family(f"{name} {spell(arguments)}".rstrip(), strategies, member))


def drawn_script(target: Target, draw: Mapping[str, Any], arguments: Arguments) -> Target:
    """Return the trainings of a script, whose words have names in braces; itself if none is drawn.

    Values of ``draw`` are strategies, or ranges as the command line has them.

    Raises
    ------
    SymmetryError
        If it is no script, a name has no braces, or one in braces is not drawn.
    """
    if not (draw or arguments):
        return target
    words = words_of(target.name)
    if words is None:
        raise SymmetryError(
            f"{target.name!r} is no script: parameters of a function are drawn by strategies of "
            "Hypothesis as their defaults, such as hidden=st.integers(1, 64); --draw is for scripts"
        )
    from symmetry.targets.sizes.ranges import strategy_of

    draws = {n: strategy_of(n, s) if isinstance(s, str) else s for n, s in draw.items()}
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
    return _target(Family(target.name, rest, member))


def _target(family: Family) -> Target:
    from symmetry.targets.sizes.target import DrawnTrainings  # it imports Hypothesis

    return DrawnTrainings(family) if family.strategies else family.member({})


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
