"""What the user's code raises, as one readable line that says where."""

import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from symmetry.base.user_code import is_user_code


@contextmanager
def silenced() -> Iterator[None]:
    """Silence warnings and floating-point errors, and restore both whatever happens inside."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        yield


@contextmanager
def raised_as(
    kind: type[Exception], doing: str, hint: Callable[[str], str] = lambda _: ""
) -> Iterator[None]:
    """Turn what the user's code raises, ``SystemExit`` included, into a line that says where.

    It runs ``silenced``.
    """
    try:
        with silenced():
            yield
    except (KeyboardInterrupt, kind):
        raise
    except BaseException as error:
        text = in_one_line(error)
        raise kind(f"{doing} raised {text}{place_of(error)}{hint(text)}") from error


def in_one_line(error: BaseException) -> str:
    """Return ``TypeName: message``, cut to the first line of the message and to 200 characters.

    The message may be anything: making it may raise, and it may hold what cannot be printed.
    """
    try:
        text = next(iter(str(error).strip().splitlines()), "").rstrip()
    except (KeyboardInterrupt, MemoryError):
        raise
    except BaseException as another:
        text = f"(its message cannot be read: {type(another).__name__})"
    text = text.encode(errors="backslashreplace").decode()
    if len(text) > 200:
        text = text[:197] + "..."
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def place_of(error: BaseException) -> str:
    """Return "(file, line)" of the user's innermost frame, since no traceback is shown."""
    places = [
        (Path(frame.f_code.co_filename), line)
        for frame, line in traceback.walk_tb(error.__traceback__)
        if is_user_code(frame.f_code.co_filename)
    ]
    return f" ({places[-1][0].name}, line {places[-1][1]})" if places else ""
