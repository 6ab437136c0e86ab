"""State that a process has only once and a script may change; exchanged when one is resumed."""

from __future__ import annotations

import atexit
import io
import logging
import multiprocessing.context
import os
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cache, wraps
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar
from weakref import WeakKeyDictionary

import rich

from symmetry.base.processes import FOLDER, TERMINAL
from symmetry.base.user_code import is_user_code, set_user_folder, user_folder
from symmetry.sandbox import libraries
from symmetry.sandbox.clock import Clock
from symmetry.sandbox.confinement.supervisor import ADDRESS
from symmetry.sandbox.kept_programs import kept_programs
from symmetry.sandbox.shared import WRITABLE


def sharing(bind: Callable[..., None]) -> Callable[..., None]:
    """Return a ``bind`` that lets other runs bind the same port; in one run it is refused twice.

    A suspended run holds the port of its server for metrics, say, and so does the plain witness.
    On Linux and BSD sockets of one user may share a port, if all of them ask for it before.
    """
    bound: WeakKeyDictionary[Any, Any] = WeakKeyDictionary()

    @wraps(bind)
    def bind_shared(own: Any, address: Any) -> None:
        port = address[1] if isinstance(address, tuple) and len(address) > 1 else 0
        taken = any(other.fileno() >= 0 and port == there for other, there in bound.items())
        if port and not taken and hasattr(socket, "SO_REUSEPORT"):
            own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        bind(own, address)
        if port:
            bound[own] = port

    return bind_shared


_ENVIRONMENT = {
    "WANDB_MODE": "disabled",
    "COMET_MODE": "disabled",
    "NEPTUNE_MODE": "debug",
    "DISABLE_MLFLOW_INTEGRATION": "TRUE",
    "MPLBACKEND": "Agg",
    "TQDM_DISABLE": "1",
    "TOKENIZERS_PARALLELISM": "false",
}
_OURS = (FOLDER, TERMINAL, ADDRESS, WRITABLE)  # variables that a script does not see
_PRINTED = 4000  # characters of what a script prints last, that are kept
_LINES = 20
_MAIN = "__main__"

_exit = os._exit
_TIMERS = tuple(number for name, number in vars(signal).items() if name.startswith("ITIMER_"))
_SIGNALS = tuple(map(int, signal.valid_signals()))
# That of ``signal`` makes an enumeration of each answer, which takes ten times as long.
_getsignal = sys.modules["_signal"].getsignal

Switch = tuple[Callable[[], Any], Callable[[Any], None]]  # reads it, and sets it


class ProcessState:
    """The process-wide state of one script; while the script runs, the state of all other code.

    Parameters
    ----------
    arguments, path
        ``sys.argv`` and ``sys.path`` at the start of the script.
    folder, temporary
        The working directory, and where temporary files go.
    main
        The module that the script is; None if it is a function, which keeps the modules that are
        imported.
    mirror, homes
        Folders whose modules are the script's own: no run sees another one's.
    variables
        Variables of its environment, beside those of this process.
    switches
        What its framework has in a process.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        path: Sequence[str],
        *,
        folder: str,
        temporary: str,
        main: ModuleType | None,
        mirror: str,
        homes: Sequence[str],
        variables: Mapping[str, str],
        switches: Sequence[Switch] = (),
    ) -> None:
        self._output = _Output()
        output: Any = self._output
        stream = io.TextIOWrapper(output, "utf-8", errors="replace", write_through=True)
        own, self._clock = _OwnModules(mirror, tuple(homes)), Clock()
        own_folder = {"TMPDIR": temporary}  # of the programs that it starts
        environment = {**kept_programs(), **os.environ, **own_folder, **_ENVIRONMENT, **variables}
        for name in _OURS:
            environment.pop(name, None)
        logs = _handlers()
        self._theirs = {id(handler) for handlers in logs.values() for handler in handlers}
        entries: list[tuple[Switch, Any]] = [
            (_attribute(sys, "argv"), [*arguments]),
            (_attribute(sys, "path"), [*path]),
            (_attribute(sys, "dont_write_bytecode"), True),
            (_attribute(sys, "stdin"), io.StringIO()),
            (_attribute(sys, "stdout"), stream),
            (_attribute(sys, "stderr"), stream),
            (_attribute(tempfile, "tempdir"), temporary),
            ((os.getcwd, os.chdir), folder),
            ((user_folder, set_user_folder), Path.cwd()),
            ((lambda: dict(os.environ), _set_environment), environment),
            ((own.get, own.put), own.get() if main is None else {_MAIN: main}),
            ((libraries.kept, libraries.keep), {}),
            ((libraries.event_loop, libraries.set_event_loop), libraries.NO_LOOP),
            # Setting it twice is an error.
            (_attribute(multiprocessing.context._default_context, "_actual_context"), None),
            (_attribute(socket.socket, "bind"), sharing(socket.socket.bind)),
            (_attribute(rich, "_console"), None),  # it holds the bars of progress that go on
            (_attribute(atexit, "register"), _leaving_out_users(atexit.register)),
            (_attribute(os, "_exit"), self._exit),
            *((_attribute(time, name), of) for name, of in self._clock.functions()),
            (_LOGS, logs | {logging.root: []}),
            ((_on_signals, _set_on_signals), _on_signals()),
            *((switch, switch[0]()) for switch in switches),
        ]
        self._switches = [switch for switch, _ in entries]
        self._others = [value for _, value in entries]

    @property
    def printed(self) -> list[str]:
        """The last lines that the script has printed."""
        lines = self._output.last.decode(errors="replace").splitlines()
        return [line.rstrip() for line in lines if line.strip()][-_LINES:]

    def exchange(self) -> None:
        """Exchange the state that is kept for the state of the process."""
        self._clock.turn()
        self._process = os.getpid()
        for number, (get, put) in enumerate(self._switches):
            now = get()
            if now is not self._others[number]:
                put(self._others[number])
            self._others[number] = now

    def _exit(self, status: int) -> None:
        """End the script as ``os._exit`` does; another process that it has forked really ends."""
        if os.getpid() != self._process:
            _exit(status)
        raise SystemExit(status)

    def close_logs(self) -> None:
        """Close the handlers that the script has added, as Python does at its end."""
        kept = self._others[self._switches.index(_LOGS)]
        own = [h for handlers in kept.values() for h in handlers if id(h) not in self._theirs]
        if not own:
            return
        self.exchange()
        try:
            for handler in own:
                handler.close()
        finally:
            self.exchange()


class _Output(io.RawIOBase):
    """Swallows what a script prints, and keeps the end of it."""

    last = b""

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.last = (self.last + bytes(data))[-_PRINTED:]
        return len(data)

    def fileno(self) -> int:
        return _nowhere()


class _OwnModules:
    """The modules of a script: ``__main__``, those of some folders, and packages imported anew."""

    _foreign: ClassVar[dict[tuple[str, ...], set[str]]] = {}  # names of others, by the latter two

    def __init__(self, mirror: str, homes: tuple[str, ...]) -> None:
        self._homes = tuple(f"{home}{os.sep}" for home in (mirror, *homes))
        self._others = self._foreign.setdefault((*homes, *sorted(libraries.ANEW)), set())

    def get(self) -> dict[str, ModuleType]:
        """Return the modules that are imported."""
        found = {}
        for name in sys.modules.keys() - self._others:
            if (
                name == _MAIN
                or name.partition(".")[0] in libraries.ANEW
                or self._is_own(sys.modules[name])
            ):
                found[name] = sys.modules[name]
            else:
                self._others.add(name)
        return found

    def put(self, modules: Mapping[str, ModuleType]) -> None:
        """Replace the imported modules by these."""
        for name in self.get():
            del sys.modules[name]
        sys.modules.update(modules)

    def _is_own(self, module: ModuleType) -> bool:
        file = getattr(module, "__file__", None) or next(iter(getattr(module, "__path__", ())), "")
        if not isinstance(file, str) or not file.startswith(self._homes):
            return False
        return is_user_code(file) or not os.path.splitext(file)[1]  # a folder


def _attribute(owner: Any, name: str) -> Switch:
    return lambda: getattr(owner, name), lambda value: setattr(owner, name, value)


def _set_environment(variables: Mapping[str, str]) -> None:
    """Set and remove what differs: most stays, and each change is a call of the system."""
    now = dict(os.environ)
    for name in now.keys() - variables.keys():
        del os.environ[name]
    for name, value in variables.items():
        if now.get(name) != value:
            os.environ[name] = value


def _leaving_out_users(register: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that registers nothing for a script: handlers would outlive it."""

    @wraps(register)
    def registered(function: Any, *args: Any, **kwargs: Any) -> Any:
        if not is_user_code(sys._getframe(1).f_code.co_filename):
            register(function, *args, **kwargs)
        return function

    return registered


def _handlers() -> dict[logging.Logger, list[logging.Handler]]:
    """Return the handlers of loggers that have some: a script's own ones hold what it has."""
    # Those without a logger of their name have no handlers.
    loggers: list[Any] = [logging.root, *logging.Logger.manager.loggerDict.values()]
    return {each: [*each.handlers] for each in loggers if getattr(each, "handlers", None)}


def _set_handlers(handlers: Mapping[logging.Logger, list[logging.Handler]]) -> None:
    now = _handlers()
    for logger in now.keys() | handlers.keys():
        if now.get(logger, []) != (own := handlers.get(logger, [])):
            logger.handlers = own


def _on_signals() -> tuple[dict[int, Any], dict[int, Any]]:
    """Return the handler of each signal, and the timers that send some: these are stopped."""
    timers = {number: _stopped(number) for number in _TIMERS}
    return {number: _getsignal(number) for number in _SIGNALS}, timers


def _set_on_signals(state: tuple[Mapping[int, Any], Mapping[int, Any]]) -> None:
    actions, timers = state
    if threading.current_thread() is threading.main_thread():  # another one may not
        for number, action in actions.items():
            if action is not None and action != _getsignal(number):
                signal.signal(number, action)
    for number, timer in timers.items():
        if timer[0]:
            signal.setitimer(number, *timer)


def _stopped(timer: int) -> tuple[float, float]:
    """Stop a timer; return the seconds that it had left, and those between its signals."""
    left = signal.getitimer(timer)
    return signal.setitimer(timer, 0) if left[0] else left


@cache
def _nowhere() -> int:
    """Return a file descriptor of the null device, always the same one."""
    return os.open(os.devnull, os.O_RDWR)


_LOGS: Switch = (_handlers, _set_handlers)
