"""The frameworks that trainings may be written in: each registers how it begins a run.

A framework stands above this floor, so it registers itself. Its own library is imported when a run
begins, and not before. Which framework a function is written in shows in what it returns.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from symmetry.base.errors import SymmetryError, TrainingError

if TYPE_CHECKING:
    from symmetry.sandbox.source import Source
    from symmetry.training.events import Epochs
    from symmetry.training.run import Run, RunSettings

# Takes the name of a training, the function that makes it, the settings of the run, and a cache: a
# dictionary in which runs of this training may keep what they have in common, or None.
Begin = Callable[[str, Callable[[], Any], "RunSettings", dict[Any, Any] | None], "Run"]


@dataclass(frozen=True, kw_only=True)
class Setting:
    """A setting of a framework: the words of the invariant that it does not matter."""

    name: str
    words: str  # how it is turned: a run WORDS is the same
    has: str  # a training without this has no such setting
    reason: str  # why it does not matter
    default: bool = True  # whether it is checked without being selected
    of_device: bool = False  # whether it is one of the device


@dataclass(frozen=True)
class Framework:
    """A framework of trainings."""

    # Begins a run. It raises ``OtherFrameworkError`` if the function returns something else.
    begin: Begin
    # Returns whether a function that returns this is a training of the framework; it imports
    # nothing.
    recognises: Callable[[Any], bool]
    # Takes steps with evaluations between them: see ``Training.epochs``. None if it cannot.
    epochs: Callable[..., Epochs | None] | None = None
    title: str = ""  # its name in messages
    # Returns a script as a ``Training``, and the packages that it takes.
    script: Callable[[Source], Any] | None = None
    needed: tuple[str, ...] = ()
    # A script is written in it if it imports one of these words; if it reads an attribute of these
    # names, it is written in no other one; it trains if it reads one of the names of ``calls``.
    imports: frozenset[str] = frozenset()
    # Returns the training of copies of a model, and a block in which the model stays as it is.
    copied: Callable[..., tuple[Any, AbstractContextManager[None]]] | None = None
    settings: tuple[Setting, ...] = ()  # that must not matter to a training, see ``Configuring``
    decisive: frozenset[str] = frozenset()
    calls: frozenset[str] = frozenset()
    # By the beginning of a target's name, what returns the function of a training for the rest.
    named: Mapping[str, Callable[[str], Callable[[], Any]]] = field(default_factory=dict)


class OtherFrameworkError(TrainingError):
    """A function is no training of the framework that was tried.

    Parameters
    ----------
    message
        What is wrong with it, if no other framework recognises it either.
    returned
        What the function returned.
    """

    def __init__(self, message: str, returned: Any) -> None:
        super().__init__(message)
        self.returned = returned


_FRAMEWORKS: dict[str, Framework] = {}


def register(name: str, framework: Framework) -> None:
    """Let runs of the framework whose library has this name begin so."""
    _FRAMEWORKS[name] = framework


def registered() -> Mapping[str, Framework]:
    """Return the frameworks by the names of their libraries, in the order of registration."""
    return _FRAMEWORKS


def title_of(name: str) -> str:
    """Return the name of a framework in messages, by its library; some words without one."""
    return _FRAMEWORKS[name].title if name in _FRAMEWORKS else "its framework"


def with_epochs() -> str:
    """Return the names of the frameworks whose scripts are run over whole epochs, as words."""
    return " and ".join(each.title for each in _FRAMEWORKS.values() if each.epochs is not None)


def copied(*model: Any) -> tuple[Any, AbstractContextManager[None]]:
    """Return the training of copies of a model, batch, loss and optimiser: see ``Framework``."""
    return next(each.copied for each in _FRAMEWORKS.values() if each.copied is not None)(*model)


def name_of(cache: Mapping[Any, Any]) -> str:
    """Return the name of the framework that the cache of a training remembers, or nothing."""
    found = cache.get(Framework)
    return next((name for name, each in _FRAMEWORKS.items() if each is found), "")


def refuse_older(library: str, name: str, oldest: tuple[int, int]) -> None:
    """Raise SymmetryError if a library is older: it may lack some of what a run uses.

    Every run asks, and to read the version of what is not imported takes milliseconds.
    """
    found = getattr(sys.modules.get(library), "__version__", "") or _installed(library)
    if found and tuple(map(int, found.split(".")[:2])) < oldest:
        raise SymmetryError(
            f"{name} {found} is too old: a training needs {oldest[0]}.{oldest[1]} or newer "
            f"(pip install 'unit-symmetry[{library}]')"
        )


def _installed(library: str) -> str:
    """Return the installed version, or nothing: to import a missing library is the better error."""
    from importlib.metadata import PackageNotFoundError, version  # slow to import

    try:
        return version(library)
    except PackageNotFoundError:
        return ""


def begin(name: str, make: Callable[[], Any], settings: RunSettings, cache: dict[Any, Any]) -> Run:
    """Begin a run in the framework that a training is written in, which the cache remembers.

    First comes a framework that has been imported: the one that others need not be told from.

    Raises
    ------
    TrainingError
        If the function raises, or returns no training.
    SymmetryError
        If its framework cannot be used.
    """
    if Framework not in cache:
        there = [each for each in _FRAMEWORKS if each in sys.modules or find_spec(each)]
        first = min(there or _FRAMEWORKS, key=lambda each: each not in sys.modules)
        try:
            run = _FRAMEWORKS[first].begin(name, make, settings, cache)
        except OtherFrameworkError as error:
            others = [f for f in _FRAMEWORKS.values() if f.recognises(error.returned)]
            if not others:
                raise
            cache[Framework] = others[0]
        else:
            cache[Framework] = _FRAMEWORKS[first]
            return run
    framework: Framework = cache[Framework]
    return framework.begin(name, make, settings, cache)


def epochs(
    name: str, make: Callable[[], Any], cache: dict[Any, Any], **options: Any
) -> Epochs | None:
    """Take steps with evaluations between them; None if the training or its framework has none.

    A run has begun before: the cache remembers its framework.

    Raises
    ------
    TrainingError
        If the function raises, or returns no training.
    """
    framework: Framework = cache[Framework]
    return None if framework.epochs is None else framework.epochs(name, make, **options)
