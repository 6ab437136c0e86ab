"""Exceptions of the user's code, as one readable line that says where."""

import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np

from symmetry.base.errors import BudgetSpent, Failure, ReadableError
from symmetry.base.user_code import is_user_code, shorten, spell

# Python does not show these by default: they are for those who maintain a library.
_FOR_OTHERS = (
    DeprecationWarning,
    PendingDeprecationWarning,
    ImportWarning,
    ResourceWarning,
)
# They are about the machine of the check: numbers of workers, memory that no device reads.
_OF_THE_MACHINE = ("worker processes in total", "'pin_memory' argument is set")
_listeners: list[dict[str, str]] = []


@contextmanager
def heard() -> Iterator[dict[str, str]]:
    """Note what the user's code warns of while the block runs: by kind and line, the first text."""
    texts: dict[str, str] = {}
    _listeners.append(texts)
    try:
        yield texts
    finally:
        _listeners.remove(texts)


@contextmanager
def silenced() -> Iterator[None]:
    """Show no warnings and floating-point errors, and restore both whatever happens inside."""
    with warnings.catch_warnings(record=True) as caught, np.errstate(all="ignore"):
        warnings.simplefilter("always" if _listeners else "ignore")
        try:
            yield
        finally:
            for warning in filter(_concerns_the_code, caught or ()):
                for texts in _listeners if not issubclass(warning.category, _FOR_OTHERS) else ():
                    place = f"({spell(warning.filename, warning.lineno)})"
                    kind = warning.category.__name__
                    text = " ".join(str(warning.message).split())[:300]
                    texts.setdefault(f"{kind} {place}", f"{kind}: {text} {place}")


def _concerns_the_code(warning: warnings.WarningMessage) -> bool:
    """Return whether a warning would be the same on another machine."""
    return not any(text in str(warning.message) for text in _OF_THE_MACHINE)


@contextmanager
def raised_as(
    kind: type[ReadableError], doing: str, hint: Callable[[str], str] = lambda _: ""
) -> Iterator[None]:
    """Turn what the user's code raises, ``SystemExit`` included, into a line that says where.

    It runs ``silenced``.
    """
    try:
        with silenced():
            yield
    except (KeyboardInterrupt, BudgetSpent, kind):
        raise
    except BaseException as error:
        text = in_one_line(error)
        raised = kind(f"{doing} raised {text}{place_of(error)}{hint(text)}")
        raised.failure = failure_of(error)
        raise raised from error


def failure_of(error: BaseException) -> Failure:
    """Return the failure that an exception of the user's code is."""
    text = f"raises {in_one_line(error)}"
    if isinstance(error, SystemExit):
        text = f"exits with {_status(error.code)}"
    return Failure(type(error).__name__, text, *(line_of(error) or (None, None)))


def _status(code: object) -> str:
    return f"status {code}" if isinstance(code, int) else f"status 1: {code}"


def in_one_line(error: BaseException) -> str:
    """Return ``TypeName: message``, cut to the first line of the message and to 200 characters.

    The message may be anything: making it may raise, and it may hold what cannot be printed.
    """
    try:
        text = next(iter(_message(error).strip().splitlines()), "").rstrip()
    except (KeyboardInterrupt, MemoryError):
        raise
    except BaseException as another:
        text = f"(its message cannot be read: {type(another).__name__})"
    text = text.encode(errors="backslashreplace").decode()
    if len(text) > 200:
        text = text[:197] + "..."
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def gpu_hint(text: str) -> str:
    """Return a hint for errors that a missing device causes."""
    if any(word in text for word in ("CUDA", "NVIDIA", "cuda devices", "mps devices")):
        return "; a training is checked on this machine: let it choose the device that there is"
    return ""


def missing_package(error: BaseException | None) -> str | None:
    """Return the name of the package whose absence led to an error; None if none is absent.

    Where a module of a package is missing, Python has found the package: perhaps another version.
    """
    while error is not None:
        if isinstance(error, ModuleNotFoundError) and error.name:
            return None if "." in error.name else error.name
        error = error.__cause__
    return None


def _message(error: BaseException) -> str:
    """Return the message; a syntax error's names its line as all output does."""
    if isinstance(error, SyntaxError) and error.filename and error.lineno:
        return f"{error.msg} ({spell(error.filename, error.lineno)})"
    return str(error)


def place_of(error: BaseException) -> str:
    """Return "(file:line)" of the user's innermost frame, since no traceback is shown."""
    line = line_of(error)
    return f" ({line[0]}:{line[1]})" if line else ""


def line_of(error: BaseException, *, whole: bool = False) -> tuple[str, int] | None:
    """Return the file, as it is shown or ``whole``, and the line of the user's innermost frame."""
    lines = [
        (frame.f_code.co_filename, line)
        for frame, line in traceback.walk_tb(error.__traceback__)
        if is_user_code(frame.f_code.co_filename)
    ]
    if not lines:
        return None
    file, line = lines[-1]
    return file if whole else shorten(file), line
