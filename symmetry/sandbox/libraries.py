"""State that libraries keep in a process: each script has its own, as in a process of its own.

Some libraries refuse to begin twice, and scripts begin many times in one process. The state that is
known by name is exchanged with the script. A package through which another start fails is imported
anew from then on by each start, if it is written in Python alone.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from importlib.machinery import EXTENSION_SUFFIXES
from traceback import walk_tb
from typing import Any, TypeVar

from symmetry.base.errors import TrainingError
from symmetry.base.libraries import Kept, registered
from symmetry.base.user_code import kind_of

Began = TypeVar("Began")

_OF_HYDRA = {"GlobalHydra", "HydraConfig", "JobRuntime"}  # others are filled by imports


ANEW: set[str] = set()  # packages that each start imports anew


def _without_a_job(instances: Mapping[type, Any]) -> Any:
    return {kind: each for kind, each in instances.items() if kind.__name__ not in _OF_HYDRA}


def _built_in(resolvers: Mapping[str, Any]) -> Any:
    return {name: each for name, each in resolvers.items() if name.startswith("oc.")}


# Their values in a process that has begun nothing, from the values now; libraries register more.
_KEPT: Mapping[Kept, Callable[[Any], Any]] = {
    ("hydra.core.singleton", "Singleton", "_instances"): _without_a_job,
    ("omegaconf.basecontainer", "BaseContainer", "_resolvers"): _built_in,
}


def kept() -> dict[Kept, Any]:
    """Return the state of the libraries that are imported."""
    return {key: getattr(owner, key[2]) for key, owner, _ in _owners()}


def keep(states: Mapping[Kept, Any]) -> None:
    """Set the state of the libraries that are imported; others begin as in a fresh process."""
    for key, owner, fresh in _owners():
        now = getattr(owner, key[2])
        setattr(owner, key[2], states[key] if key in states else fresh(now))


def _owners() -> Iterator[tuple[Kept, Any, Callable[[Any], Any]]]:
    for kept in (_KEPT, *(library.kept for library in registered())):
        for key, fresh in kept.items():
            module, kind, name = key
            owner = getattr(sys.modules.get(module), kind, None)
            if hasattr(owner, name):
                yield key, owner, fresh


def event_loop() -> tuple[Any, ...]:
    """Return the event loop that runs in this thread, its task, and what else belongs to it."""
    loop = asyncio._get_running_loop()
    task = None if loop is None else asyncio.current_task(loop)
    return loop, task, getattr(asyncio.events, "_event_loop_policy", None), sys.get_asyncgen_hooks()


def set_event_loop(state: tuple[Any, ...]) -> None:
    """Let this loop run, or none: nothing of another one is left."""
    loop, task, policy, hooks = state
    _swap(asyncio._get_running_loop(), None)
    asyncio._set_running_loop(loop)
    _swap(loop, task)
    events: Any = asyncio.events
    events._event_loop_policy = policy
    sys.set_asyncgen_hooks(*hooks)


def _swap(loop: Any, task: Any) -> None:
    """Let a task be the current one of a loop: newer versions of Python allow one in a thread."""
    swap = getattr(asyncio.tasks, "_swap_current_task", None)
    if swap and loop is not None and asyncio.current_task(loop) is not task:
        swap(loop, task)


NO_LOOP = (None, None, None, (None, None))


def begun_again(begin: Callable[[], Began]) -> Began:
    """Begin a script that has begun before in this process; once more if a package refuses that."""
    try:
        return begin()
    except TrainingError as error:
        packages = _refusing(error.__cause__) - ANEW
        if packages:
            ANEW.update(packages)
            with suppress(TrainingError):
                return begin()
        raise


def _refusing(error: BaseException | None) -> frozenset[str]:
    """Return the packages that an exception came through, and that can be imported anew.

    These are installed packages without compiled modules.
    """
    trace = error.__traceback__ if error is not None else None
    frames = [frame for frame, _ in walk_tb(trace)]
    named = (
        str(frame.f_globals.get("__name__")).partition(".")[0]
        for frame in frames
        if kind_of(frame.f_code.co_filename) == "installed"
    )
    return frozenset(name for name in named if not _is_compiled(name))


def _is_compiled(package: str) -> bool:
    modules = (m for name, m in sys.modules.items() if name.partition(".")[0] == package)
    files = (str(getattr(module, "__file__", None)) for module in modules)
    return any(file.endswith(tuple(EXTENSION_SUFFIXES)) for file in files)
