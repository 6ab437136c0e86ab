"""The arguments of a function that a script jits: by the names that its user has for them.

Equinox hands a function other arguments than its user does: arrays as numbered leaves, and all else
as a constant.

    step(model, opt_state, x)                                           as its user calls it
    step({}, {"fun": (), "first": (w, None), "rest": (m, v, x)}, static)

There the trees of the user are put together again, without what is constant. So a leaf is called
``model.layers.0.weight``, and not ``first.0``.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

_OF_EQUINOX = ["dynamic_donate", "dynamic_nodonate", "static"]
_FUNCTION, _STATIC = "its function", "its constants"


class Arguments:
    """The arguments of a function, by name.

    Parameters
    ----------
    function
        The function.
    options
        Those with which it is jitted.

    Attributes
    ----------
    static
        The names of the arguments that JAX compiles as constants.
    """

    def __init__(self, function: Any, options: Mapping[str, Any]) -> None:
        self._parameters = _parameters(function)
        self._positional: list[str] = []  # names of the first call
        self.static = _static(self._parameters, options)

    def named(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """Return arguments by name; further ones by their number."""
        names = [*self._parameters, *map(str, range(len(self._parameters), len(args)))]
        self._positional = self._positional or names[: len(args)]
        return {**dict(zip(names, args, strict=False)), **kwargs}

    def given(self, arguments: Mapping[str, Any]) -> tuple[Sequence[Any], Mapping[str, Any]]:
        """Return arguments as the script gives them: by position, and by name."""
        named = {name: arguments[name] for name in arguments.keys() - {*self._positional}}
        return [arguments[name] for name in self._positional], named


class FilteredArguments(Arguments):
    """The arguments of a function that ``equinox.filter_jit`` compiles."""

    def __init__(self) -> None:
        super().__init__(None, {})
        self.static, self._donated = frozenset([_STATIC]), frozenset[str]()

    def named(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ARG002
        """Return the arguments of the user by name, without constants; and these as one."""
        donated, others, static = args
        self._donated, leaves = frozenset(donated), {**donated, **others}
        (constants, function), (_, first), (_, rest) = static
        if not self._parameters:
            parts = zip(leaves["fun"], constants, strict=True)
            whole = function.unflatten([b if a is None else a for a, b in parts])
            self._parameters = _parameters(whole)
        more, by_name = rest.unflatten(leaves["rest"])
        own = (first.unflatten(leaves["first"]), *more)[:-1]  # the last one is Equinox's own
        return super().named(own, by_name) | {_FUNCTION: leaves["fun"], _STATIC: static}

    def given(self, arguments: Mapping[str, Any]) -> tuple[Sequence[Any], Mapping[str, Any]]:
        """Return the arguments as Equinox gives them."""
        own = {**arguments}
        function, static = own.pop(_FUNCTION), own.pop(_STATIC)
        positional, by_name = super().given(own)
        first, *more = (*positional, None)
        _, (_, of_first), (_, of_rest) = static
        leaves = {
            "fun": function,
            "first": tuple(of_first.flatten_up_to(first)),
            "rest": tuple(of_rest.flatten_up_to((tuple(more), by_name))),
        }
        donated = {name: leaves.pop(name) for name in self._donated}
        return [donated, leaves, static], {}


def arguments_of(function: Any, options: Mapping[str, Any]) -> Arguments:
    """Return how a function takes its arguments that is jitted with these options."""
    of_equinox = getattr(function, "__module__", "") == "equinox._jit"
    if of_equinox and _parameters(function) == _OF_EQUINOX:
        return FilteredArguments()
    return Arguments(function, options)


def _parameters(function: Any) -> list[str]:
    """Return the names of a function's parameters that are given by position."""
    try:
        found = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return []
    kinds = inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD
    return [parameter.name for parameter in found if parameter.kind in kinds]


def _static(parameters: Sequence[str], options: Mapping[str, Any]) -> frozenset[str]:
    """Return the names of the arguments that JAX compiles as constants."""
    numbers, names = options.get("static_argnums"), options.get("static_argnames")
    numbers = options.get("static_broadcasted_argnums", numbers)  # of jax.pmap
    listed = [names] if isinstance(names, str) else [*(names or ())]
    for number in [numbers] if isinstance(numbers, int) else numbers or ():
        found = range(len(parameters))[number] if number < len(parameters) else number
        listed.append(parameters[found] if found < len(parameters) else str(found))
    return frozenset(listed)
