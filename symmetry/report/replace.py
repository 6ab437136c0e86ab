"""Put several files in place together: a program that nobody kills by accident.

No file system replaces several files in one operation: whoever is killed between two renames leaves
some old and some new. So they are done by this program, in a session of its own. It reads all
contents to their end before it touches anything: whoever started it may be killed at any moment,
and then either nothing happens or everything does; if it is killed itself, it is started again. It
imports nothing of this package, and is done in some 50 milliseconds.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

Contents = dict[Path, bytes]  # by absolute paths without links


def replace_all(contents: Contents) -> None:
    """Replace the files.

    Raises
    ------
    OSError
        If a file cannot be written; ``filename`` is that file. All are as they were before.

    Notes
    -----
    What is there already stays: whoever takes up the work of a program that was killed goes on.
    """
    with ExitStack() as alone:
        for directory in sorted({path.parent for path in contents}):
            alone.enter_context(_alone(directory))
        before = {path: content(path) for path in contents}
        try:
            _rename({path: data for path, data in contents.items() if data != before[path]})
        except OSError:
            for path, data in before.items():
                if data is not None:
                    _rename({path: data})
                elif content(path) is not None:
                    path.unlink()
            raise


def content(path: Path) -> bytes | None:
    """Return the bytes of a file, None if it cannot be read."""
    try:
        return path.read_bytes()
    except OSError:
        return None


@contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """Keep other processes that do the same away; remove what those that were killed have left."""
    with ExitStack() as stack:
        with suppress(ImportError, OSError):  # no such operation, or not on this file system
            import fcntl

            lock = os.open(directory, os.O_RDONLY)
            stack.callback(os.close, lock)
            fcntl.flock(lock, fcntl.LOCK_EX)
            for path in directory.glob(".symmetry-*.part"):
                path.unlink()
        yield


def _rename(contents: Contents) -> None:
    """Write all files beside their places, then rename them; an error names its file."""
    beside = {  # names are short, however long those of the files are
        path: path.with_name(f".symmetry-{os.getpid()}-{number}.part")
        for number, path in enumerate(contents)
    }
    try:
        for path, data in contents.items():
            with beside[path].open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())  # after a power failure, too, no name leads to half a file
        for path, temporary in beside.items():
            temporary.replace(path)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        for temporary in beside.values():
            with suppress(OSError):
                temporary.unlink()


def main() -> None:
    """Read contents from standard input, replace the files, and answer None or what failed."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGPIPE"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    try:
        contents = pickle.load(sys.stdin.buffer)
    except (EOFError, pickle.UnpicklingError):  # whoever wanted it is gone
        return
    failure = None
    try:
        replace_all(contents)
    except OSError as error:
        failure = (error.filename, error.strerror or str(error))
    with suppress(BrokenPipeError):
        pickle.dump(failure, sys.stdout.buffer)
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
