"""A script in its mirror and with its own process state: it can change nothing of the user's."""

from __future__ import annotations

import builtins
import errno
import importlib.util
import linecache
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from types import ModuleType
from typing import Any, Generic, Protocol, TypeVar

from symmetry.base.calls import calling
from symmetry.base.errors import NotCheckable, TrainingError
from symmetry.base.raised import failure_of, gpu_hint, in_one_line, line_of, place_of
from symmetry.sandbox.confinement.confined import refusal
from symmetry.sandbox.folder_mirror import code_of
from symmetry.sandbox.mirror_pool import MirrorPool
from symmetry.sandbox.namesake import Namesake
from symmetry.sandbox.process_state import ProcessState, Switch
from symmetry.sandbox.routes import Route
from symmetry.sandbox.source import Source

_THROWS = 3  # until a script that catches everything is left alone
_USAGE = "usage"  # what libraries for arguments print where these are wrong
_ARGUMENTS = "a script's arguments follow --, as in: symmetry check SCRIPT -- ARGUMENTS"
_left: list[Stack] = []  # those, as long as this process
_FULL = 1 << 18  # bytes of a folder of temporary files that has no room: most disks leave some


class Stack(Protocol):
    """The stack that a script runs on."""

    @property
    def ended(self) -> bool:
        """Whether the script has returned or raised."""

    @property
    def as_written(self) -> bool:
        """Whether nothing changes what the script computes."""

    def resume(self, error: type[BaseException] | None = None) -> None:
        """Let the script begin or go on; an ``error`` is raised in it."""


OwnStack = TypeVar("OwnStack", bound=Stack)


class Uninterrupted:
    """The stack of whoever resumes a script: it runs to its end there.

    Parameters
    ----------
    function
        The script.
    """

    as_written = True

    def __init__(self, function: Callable[[], None]) -> None:
        self._function, self.ended = function, False

    def resume(self, error: type[BaseException] | None = None) -> None:
        """Run the script: it cannot be resumed after it, so no ``error`` can be raised in it."""
        try:
            if error is None:
                self._function()
        finally:
            self.ended = True


class Closed(BaseException):
    """Ends a script where it is suspended: ``except Exception`` does not catch it."""


class Sandbox(Generic[OwnStack]):
    """Runs a script up to where it suspends itself, contained: it changes nothing of the user's.

    Parameters
    ----------
    source
        The script.
    mirrors
        Where it takes a mirror of its folders from, and gives it back to.
    watching
        Entered each time that the script goes on, to observe it.
    stack
        Makes a stack that a function runs on.
    switches
        What its framework has in a process.
    lacking
        Returns why a script that has raised something cannot be checked here, if that is so.
    is_final
        Whether an error ends the check: else what the script has printed is not shown.

    Attributes
    ----------
    main
        The module that the script is.
    mirror
        The mirror that it writes into.
    stack
        The stack that it runs on.
    """

    def __init__(
        self,
        source: Source,
        mirrors: MirrorPool,
        watching: Callable[[], AbstractContextManager[None]],
        *,
        stack: Callable[[Callable[[], None]], OwnStack],
        switches: Sequence[Switch] = (),
        lacking: Callable[[Exception], TrainingError | None] = lambda _: None,
        is_final: Callable[[TrainingError], bool] = lambda _: True,
    ) -> None:
        self._refusal, self._is_final = lacking, is_final
        self.main = ModuleType("__main__")
        self._source = source
        self._watching: Callable[[], AbstractContextManager[None]] = watching
        self._mirrors, self.mirror = mirrors, mirrors.take()
        self._route = Route(self.mirror, self.mirror.of(source.folder))
        self._namesake = Namesake(source.homes)
        self._file = source.script
        if isinstance(source.script, Path):
            self._file = self.main.__file__ = self.mirror.of(source.script)
        homes = [str(home) for home in source.homes]
        self._process_state = ProcessState(
            sys.argv if callable(source.script) else [str(self._file), *source.arguments],
            [self.mirror.of(homes[0]), *self._import_path(homes)],
            folder=self.mirror.of(source.folder),
            temporary=self.mirror.temporary,
            main=None if callable(source.script) else self.main,
            mirror=self.mirror.top,
            homes=homes,
            variables=source.variables,
            switches=switches,
        )
        self.stack, self._closed = stack(self._run), False

    def _import_path(self, homes: Sequence[str]) -> Iterator[str]:
        """Yield the import path behind the script's folder.

        Python puts the working directory there for symmetry, not for the script, unless the user's
        PYTHONPATH names it.
        """
        given = os.environ.get("PYTHONPATH", "").split(os.pathsep)
        named = {os.path.abspath(path) for path in given if path}
        for path in sys.path:
            if path not in ("", *homes):
                yield path
            elif path in named:
                yield self.mirror.of(path)

    @property
    def printed(self) -> list[str]:
        """The last lines that the script has printed."""
        return self._process_state.printed

    def resume(self, error: type[BaseException] | None = None) -> None:
        """Let the script run until it suspends itself or ends; ``error`` is raised in it.

        Raises
        ------
        TrainingError
            If the script raises an exception, or exits with a status. If that only says that it
            needs something that is not here, it is NotCheckable.
        """
        try:
            with self._in_place():
                self.stack.resume(error)
        except (TrainingError, Closed):
            raise
        except SystemExit as end:
            if end.code not in (None, 0):
                raise self._exited(end) from end
        except Exception as raised:
            told = refusal(self._source.name) or self._refusal(raised) or self._raised(raised)
            told.__cause__ = raised
            if error is None and self.stack.as_written and self._is_final(told):
                for line in self.printed:
                    print(line, file=sys.__stderr__)
            raise told from raised

    def _exited(self, end: SystemExit) -> TrainingError:
        """Return the error of a script that exits with a status, or lacks an argument."""
        if refused := refusal(self._source.name):
            return refused
        last = "".join(f": {line}" for line in self.printed[-1:])
        text = f"{self._source.name}: it exits with {end.code!r}{last}"
        if _USAGE in "".join((str(end.code), *self.printed)).lower():
            return NotCheckable(f"{text}; {_ARGUMENTS}")
        error = TrainingError(text)
        error.failure = failure_of(end)
        return error

    def _raised(self, raised: Exception) -> TrainingError:
        """Return the error of a script that raises, or that lacks something that is not here."""
        text = f"{in_one_line(raised)}{place_of(raised)}"
        hint = _hint(text) or _hint_of_arguments(raised)
        if hint:
            return NotCheckable(f"{self._source.name} raised {text}; {hint}")
        error = TrainingError(f"{self._source.name} raised {text}")
        error.failure = failure_of(raised)
        return error

    def close(self, throwing: Callable[[], None], free: Callable[[], None]) -> None:
        """End the script where it is, and remove what it has written.

        Parameters
        ----------
        throwing
            Called before each attempt to end it.
        free
            Called if it cannot be ended: frees what is large.
        """
        if self._closed:
            return
        self._closed = True
        with calling("closing", self._source.name, counts=False):
            for _ in range(_THROWS):
                if not self.stack.ended:
                    throwing()
                    with suppress(BaseException):
                        self.resume(Closed)
        self._watching = nullcontext  # what is suspended in a circle of objects is never freed
        self._process_state.close_logs()
        self.mirror.forget_imports()
        self._route.end()
        if self.stack.ended:
            self._mirrors.give(self.mirror)
        else:
            _left.append(self.stack)  # freeing it would throw into it once more
            vars(self.main).clear()
            free()
            self.mirror.remove()

    def _run(self) -> None:
        """Execute the script, on its own stack."""
        if callable(self._source.script):
            self._source.script()
            return
        if isinstance(self._source.script, Path):
            code = code_of(self.mirror.original(str(self._file)))
        else:
            code = _found(self._source.script, self.main)
        self.main.__builtins__ = builtins  # type: ignore[attr-defined]
        exec(code, vars(self.main))

    @contextmanager
    def _in_place(self) -> Iterator[None]:
        """Give the script its folders and process state, and watch it."""
        self._process_state.exchange()
        try:
            with self._route.taken(), self._namesake.imported(), self._watching():
                yield
        finally:
            self._process_state.exchange()


def _hint(text: str) -> str:
    """Return what a script needs, by its exception; empty if it has all."""
    if text.startswith("EOFError"):
        return "it reads standard input, which is empty here: pass the input by its arguments"
    if "Inappropriate ioctl for device" in text:  # os.get_terminal_size(), say
        return "its standard output is no terminal here"
    place = os.path.realpath(tempfile.gettempdir())
    # A library may not say why it could not write: PyTorch reports a position in the file.
    if os.strerror(errno.ENOSPC) in text or shutil.disk_usage(place).free < _FULL:
        return f"its files are written to a copy in {place}: set TMPDIR to a folder with more room"
    return gpu_hint(text).removeprefix("; ")


def _hint_of_arguments(raised: Exception) -> str:
    """Return how to give arguments to a script that reads one that is not there."""
    at = line_of(raised) if isinstance(raised, IndexError) else None
    linecache.checkcache(at[0] if at else "")  # there may have been another file of this name
    return _ARGUMENTS if at and "sys.argv" in linecache.getline(*at) else ""


def _found(module: str, main: ModuleType) -> Any:
    """Make a module ``__main__``, as ``python -m`` does, and return its code."""
    spec = importlib.util.find_spec(module)
    if spec is not None and spec.submodule_search_locations is not None:
        spec = importlib.util.find_spec(f"{module}.__main__")
    if spec is None or spec.loader is None:
        raise ModuleNotFoundError(f"No module named {module}")
    main.__spec__, main.__package__, main.__file__ = spec, spec.parent, spec.origin
    sys.argv[0] = spec.origin or module
    return spec.loader.get_code(spec.name)  # type: ignore[attr-defined]
