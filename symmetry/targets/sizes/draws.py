"""From a function or a script, and what is drawn for it, to its target."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from symmetry.base.errors import SymmetryError
from symmetry.base.names import words_of
from symmetry.law.target import Target
from symmetry.targets.sizes.arguments import Arguments
from symmetry.targets.sizes.family import Family, of_function, of_script, strategies_of


def is_drawn(make: Callable[..., Any]) -> bool:
    """Return whether a function has parameters whose defaults are strategies of Hypothesis."""
    return bool(strategies_of(make))


def drawn_function(name: str, make: Callable[..., Any], arguments: Arguments) -> Target:
    """Return the trainings that a function makes, or the only one.

    Raises
    ------
    SymmetryError
        If it has no such parameters.
    """
    return _target(of_function(name, make, arguments))


def drawn_script(target: Target, draw: Mapping[str, Any], arguments: Arguments) -> Target:
    """Return the trainings of a script, whose words have names in braces; itself if none is drawn.

    Values of ``draw`` are strategies, or ranges as the command line has them.

    Raises
    ------
    SymmetryError
        If it is no script, or what is drawn and its braces do not fit.
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

    strategies = {n: strategy_of(n, s) if isinstance(s, str) else s for n, s in draw.items()}
    return _target(of_script(target, words, strategies, arguments))


def _target(family: Family) -> Target:
    from symmetry.targets.sizes.target import DrawnTrainings  # it imports Hypothesis

    return DrawnTrainings(family) if family.strategies else family.member({})
