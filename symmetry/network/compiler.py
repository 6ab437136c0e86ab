"""Numba's ``njit`` with a cache that is never in the way.

Numba itself fails where no cache can be written (a package installed by another user, no home), and
where a file of the cache is damaged. Here the first falls back to a directory of temporary files,
and the second compiles again.
"""

import functools
import os
import stat
import sys
import tempfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import numba
from numba.core.caching import FunctionCache

from symmetry.base.errors import SymmetryError

if numba.config.DISABLE_JIT:
    raise SymmetryError(
        "this project's own core runs compiled only, and NUMBA_DISABLE_JIT is set: unset it"
    )


def njit(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Return the decorator that ``numba.njit`` returns, but compiled code is kept where it can be.

    That is between processes; the options are those of ``numba.njit``.
    """

    def compiled(function: Callable[..., Any]) -> Any:
        dispatcher = numba.njit(**options)(function)
        if (found := _cache(function)) is not None:
            dispatcher._cache = found  # what ``cache=True`` does with Numba's own class
        return dispatcher

    return compiled


class _Cache(FunctionCache):  # type: ignore[misc]
    """Numba's cache of one function; a file that cannot be read or written is no error."""

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        try:  # without all that Numba imports before: only what compiles needs it
            return self._load_overload(sig, target_context)
        except Exception:  # whatever the unpickling of half a file raises
            self._forget()
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        # Numba numbers the files of code. Processes that compile at the same time would find the
        # same number, and one's code for some types under the name of another's.
        what = self._cache_file._source_stamp, self._index_key(sig, data.codegen)
        digest = sha256(repr(what).encode()).hexdigest()[:16]
        self._cache_file._data_name_pattern = f"{self._impl.filename_base}.{digest}.{{number}}.nbc"
        try:
            super().save_overload(sig, data)
        except OSError:  # a full disk, say: the code is there all the same
            self._forget()

    def _forget(self) -> None:
        """Empty the index, so that the function is compiled and saved again."""
        try:
            self.flush()
        except OSError:
            self.disable()


def _cache(function: Callable[..., Any]) -> _Cache | None:
    """Return the cache of a function, in a temporary directory if Numba finds no other place."""
    try:
        return _Cache(function)
    except RuntimeError:  # "no locator available"
        numba.config.CACHE_DIR = _directory(tempfile.gettempdir())  # the next functions use it too
    try:
        return _Cache(function)
    except RuntimeError:
        return None


@functools.cache
def _directory(parent: str) -> str:
    """Return the user's own directory for a cache in ``parent``; say so where it has to be made.

    Its files are executed: no other user may have made it or write to it.
    """
    user = os.getuid() if hasattr(os, "getuid") else "cache"
    directory = Path(parent, f"symmetry-{user}")
    try:
        directory.mkdir(mode=0o700)
    except FileExistsError:
        found = directory.lstat()
        if stat.S_ISDIR(found.st_mode) and _is_private(found):
            return str(directory)
    except OSError:
        pass
    else:
        say(f"compiled code is kept in {directory}, since no other cache can be written")
        return str(directory)
    say("compiled code is not kept, since no cache can be written: each start takes a while")
    return ""


def _is_private(found: os.stat_result) -> bool:
    if not hasattr(os, "getuid"):
        return True
    return found.st_uid == os.getuid() and not found.st_mode & 0o022


def say(text: str) -> None:
    """Print a note for the user: a line on standard error."""
    print(f"note: {text}", file=sys.stderr)
