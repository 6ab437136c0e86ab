"""Lets the paths of a script lead into its mirror, whichever of its threads uses them.

Functions that take paths are replaced once for all scripts, as long as one of these or a thread of
one runs. While a script runs they look into its mirror. A thread that a script has started goes on
while the script is suspended, when the process has the user's working directory: it has the
script's folder always. A thread of a script that has ended ends as soon as it opens or changes a
file.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import wraps
from typing import Any
from unittest.mock import patch
from weakref import WeakSet

from symmetry.sandbox.folder_mirror import (
    FolderMirror,
    PathFunction,
    is_in_folder,
    path_functions,
)


class Route:
    """The way of one script's paths.

    Parameters
    ----------
    mirror
        Where they lead.
    folder
        The working directory of the script at its start.
    """

    def __init__(self, mirror: FolderMirror, folder: str) -> None:
        self._mirror, self._folder, self._ended = mirror, folder, False
        self._functions: dict[PathFunction, Callable[..., Any]] = {}

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Let all paths lead into the mirror: the script runs."""
        global _running
        _install()
        self._functions = {f: self._mirror.replacing(f, was) for f, (was, _) in _replaced.items()}
        before, _running = _running, self
        try:
            with patch.object(sys, "path_hooks", [self._mirror.finder, *sys.path_hooks]):
                yield
        finally:
            _running = before
            _remove_if_unused()

    def end(self) -> None:
        """End what threads do with paths: the script has ended."""
        self._ended = True
        _remove_if_unused()

    def quietly(self, run: Callable[[], None]) -> Callable[[], None]:
        """Return the function of a thread; once the script has ended, its files are gone."""

        def running() -> None:
            try:
                run()
            except (Exception, SystemExit):
                if not self._ended:
                    raise

        return running

    def call(self, function: PathFunction, *args: Any, **kwargs: Any) -> Any:
        """Call a function as the script does."""
        found = self._functions[function](*args, **kwargs)
        if function.does == "enter":
            self._folder = os.getcwd()
        return found

    def call_in_thread(self, function: PathFunction, *args: Any, **kwargs: Any) -> Any:
        """Call a function as a thread of the script does, be that suspended or not."""
        if function.does == "ask":
            return os.fsencode(self._folder) if function.name.endswith("b") else self._folder
        if self._ended and function.does != "read":
            raise SystemExit  # which threads end with silently
        paths = () if is_in_folder(kwargs) else function.paths
        whole = [self._whole(a) if n in paths else a for n, a in enumerate(args)]
        if function.does == "enter":
            self._folder = os.fsdecode(whole[0])
            return None
        return self._functions[function](*whole, **kwargs)

    def _whole(self, path: Any) -> Any:
        """Return a path that does not depend on the working directory of the process."""
        if not isinstance(path, str | bytes | os.PathLike):
            return path
        name = os.fspath(path)
        folder: Any = self._folder if isinstance(name, str) else os.fsencode(self._folder)
        return os.path.join(folder, name)


class _OfThread(threading.local):
    route: Route | None = None  # the route of the script that has started it


_thread = _OfThread()
_running: Route | None = None
_threads: WeakSet[threading.Thread] = WeakSet()  # those that scripts have started
# Each function as it was, and what stands for it.
_replaced: dict[PathFunction, tuple[Callable[..., Any], Callable[..., Any]]] = {}
_PLAIN = "_plain"  # an attribute of what stands for a function: the function as it was
_start, _submit = threading.Thread.start, ThreadPoolExecutor.submit


def threads() -> list[threading.Thread]:
    """Return the threads that scripts have started, and that go on."""
    return [each for each in _threads if each.is_alive()]


def _install() -> None:
    """Replace the functions of all modules that are imported by now."""
    for function in path_functions():
        module = sys.modules.get(function.module)
        if module is not None and function not in _replaced:
            found = getattr(module, function.name)
            was = getattr(found, _PLAIN, found)  # the kept state of a script has old ones
            _replaced[function] = was, _routed(function, was)
            setattr(module, function.name, _replaced[function][1])
    threading.Thread.start = _start_marked  # type: ignore[method-assign, assignment]
    ThreadPoolExecutor.submit = _submit_marked  # type: ignore[method-assign, assignment]


def _remove_if_unused() -> None:
    """Put back the functions as they were, if no script runs and no thread of one goes on."""
    if _running is not None or threads():
        return
    for function, (was, _) in _replaced.items():
        module = sys.modules.get(function.module)
        if hasattr(getattr(module, function.name, None), _PLAIN):
            setattr(module, function.name, was)
    _replaced.clear()
    threading.Thread.start = _start  # type: ignore[method-assign]
    ThreadPoolExecutor.submit = _submit  # type: ignore[method-assign]


def _routed(function: PathFunction, was: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(was)
    def routed(*args: Any, **kwargs: Any) -> Any:
        if _thread.route is not None and function in _thread.route._functions:
            return _thread.route.call_in_thread(function, *args, **kwargs)
        if _running is not None and function in _running._functions:
            return _running.call(function, *args, **kwargs)
        return was(*args, **kwargs)

    vars(routed)[_PLAIN] = was
    return routed


def _start_marked(thread: threading.Thread) -> None:
    """Start a thread, which belongs to the script that starts it."""
    if (route := _route()) is not None:
        _threads.add(thread)
        thread.run = route.quietly(_marked(thread.run))  # type: ignore[method-assign]
    _start(thread)


def _submit_marked(
    pool: ThreadPoolExecutor, function: Callable[..., Any], /, *args: Any, **kwargs: Any
) -> Any:
    """Submit a task, which belongs to the script that submits it: pools of libraries stay."""
    return _submit(pool, _marked(function), *args, **kwargs)


def _marked(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that belongs to the script that runs now, in any thread."""
    route = _route()

    @wraps(function)
    def marked(*args: Any, **kwargs: Any) -> Any:
        before, _thread.route = _thread.route, route
        try:
            return function(*args, **kwargs)
        finally:
            _thread.route = before

    return marked


def _route() -> Route | None:
    return _running if _thread.route is None else _thread.route
