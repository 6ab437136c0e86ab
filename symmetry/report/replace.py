"""Put several files in place together: a program that nobody kills by accident.

No file system replaces several files in one operation, so a process that is killed between two
renames leaves some old and some new. But Linux and macOS exchange two directories in one. So all
files are written to a second directory, which takes the place of the first one; that one gets the
same files and comes back, since people and programs may be looking at it. At every moment the path
leads to a directory that is complete, old or new.

Where that cannot be done, files are renamed one after the other. Either is done by this program, in
a session of its own. It reads all contents to their end before it touches anything: whoever started
it may be killed at any moment, and then either nothing happens or everything does. It imports
nothing of this package, and is done in some 50 milliseconds.
"""

from __future__ import annotations

import ctypes
import os
import pickle
import shutil
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

Contents = dict[Path, bytes]  # by absolute paths without links

_PREFIX, _SUFFIX = ".symmetry-", ".part"
_AT_CWD, _EXCHANGE = -100, 2  # of <fcntl.h> and <linux/fs.h>; macOS calls the latter RENAME_SWAP


def replace_all(contents: Contents) -> None:
    """Replace the files of each directory together.

    Raises
    ------
    OSError
        If a file cannot be written; ``filename`` is that file. All are as they were before.
    """
    before = {path: content(path) for path in contents}
    try:
        for directory in dict.fromkeys(path.parent for path in contents):
            files = {path: data for path, data in contents.items() if path.parent == directory}
            with _alone(directory) as alone:
                if len(files) == 1 or not alone or not _exchange(directory, files):
                    _rename(files)
    except OSError:
        for path, data in before.items():
            if content(path) == data:
                continue
            if data is None:
                _remove(path)
            else:
                _rename({path: data})
        raise


def content(path: Path) -> bytes | None:
    """Return the bytes of a file, None if it cannot be read."""
    try:
        return path.read_bytes()
    except OSError:
        return None


@contextmanager
def _alone(directory: Path) -> Iterator[bool]:
    """Keep other processes that do the same away; yield whether that works.

    What those that were killed have left behind is removed.
    """
    with ExitStack() as stack:
        try:
            import fcntl

            lock = os.open(directory.parent, os.O_RDONLY)
            stack.callback(os.close, lock)
            fcntl.flock(lock, fcntl.LOCK_EX)
        except (ImportError, OSError):
            yield False
            return
        pattern = f"{_PREFIX}*{_SUFFIX}"
        for path in filter(Path.is_file, directory.glob(pattern)):
            _remove(path)
        for path in filter(Path.is_dir, directory.parent.glob(pattern)):
            shutil.rmtree(path, ignore_errors=True)
        yield True


def _exchange(directory: Path, files: Contents) -> bool:
    """Replace files by exchanging directories; return whether that can be done."""
    second = _beside(directory)
    try:
        second.mkdir(mode=0o700)
        for entry in directory.iterdir():
            if entry.is_dir() and not entry.is_symlink():
                return False  # it has but one place
            if entry not in files:
                (second / entry.name).hardlink_to(entry)
        for path, data in files.items():
            _write(second / path.name, data)
        second.chmod(directory.stat().st_mode)
        _swap(directory, second)
        for path in files:
            new = second / f"{_PREFIX}{os.getpid()}{_SUFFIX}"
            new.hardlink_to(path)
            new.replace(second / path.name)
        _swap(directory, second)
        for entry in second.iterdir():
            here = directory / entry.name
            if not (here in files or (here.exists() and here.samefile(entry))):
                entry.replace(here)  # somebody else has written it meanwhile
    except (OSError, AttributeError):  # no such operation, or not on this file system
        return False
    finally:
        shutil.rmtree(second, ignore_errors=True)
    return True


def _swap(one: Path, other: Path) -> None:
    """Exchange what two paths lead to; AttributeError or OSError where that cannot be done."""
    library = ctypes.CDLL(None, use_errno=True)
    names = os.fsencode(one), os.fsencode(other)
    if sys.platform == "darwin":
        failed = library.renamex_np(*names, _EXCHANGE)
    else:
        failed = library.renameat2(_AT_CWD, names[0], _AT_CWD, names[1], _EXCHANGE)
    if failed:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(one))


def _rename(contents: Contents) -> None:
    """Write all files beside their places, then rename them; an error names its file."""
    beside = {path: _beside(path, number) for number, path in enumerate(contents)}
    try:
        for path, data in contents.items():
            _write(beside[path], data)
        for path, temporary in beside.items():
            temporary.replace(path)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        for temporary in beside.values():
            _remove(temporary)


def _beside(path: Path, number: int = 0) -> Path:
    """Return a temporary path beside ``path``: its name is short, however long the other is."""
    return path.with_name(f"{_PREFIX}{os.getpid()}-{number}{_SUFFIX}")


def _write(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())  # after a power failure, too, no name leads to half a file


def _remove(path: Path) -> None:
    with suppress(OSError):
        path.unlink()


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
