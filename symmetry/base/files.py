"""Files on the disk: several are replaced together, whatever happens meanwhile."""

import os
import stat
import tempfile
import warnings
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path

from symmetry.base.errors import SymmetryError

# Calls a function of this module, by its name, in another process; None where this one may write.
elsewhere: Callable[..., None] | None = None


def write_all(contents: Mapping[Path, str | bytes]) -> None:
    """Replace several files: wherever this process is killed, all of them are old or all are new.

    Texts are written in UTF-8, and nothing is left beside them. A link stays a link: the file that
    it leads to is replaced. If one of them cannot be written, that is the error, and all are as
    they were.

    No file system replaces several files in one operation: a process that is killed between two
    renames leaves some old and some new. So a copy of this process does it, in a session of its
    own, which no Ctrl-C reaches.
    """
    if elsewhere is not None:
        elsewhere("write_all", dict(contents))
        return
    encoded = {
        Path(os.path.realpath(path)): c.encode() if isinstance(c, str) else c
        for path, c in contents.items()
    }
    try:
        if encoded and not _done_apart(encoded):
            _replace(encoded)
    except OSError as error:
        raise SymmetryError(f"cannot write {error.filename}: {error.strerror}") from error


def append(file: Path, line: bytes) -> None:
    """Append a line, behind the end of a line that was not finished."""
    if elsewhere is not None:
        elsewhere("append", file, line)
        return
    with file.open("a+b") as opened:
        if opened.tell():
            opened.seek(-1, 2)
            if opened.read(1) != b"\n":
                opened.write(b"\n")
        opened.write(line + b"\n")


def _done_apart(contents: Mapping[Path, bytes]) -> bool:
    """Let a copy of this process, in a session of its own, replace files; return whether it did."""
    try:
        with warnings.catch_warnings():  # other threads do not exist in it, and need not
            warnings.simplefilter("ignore")
            process = os.fork()
    except (AttributeError, OSError):  # no such operation, or no room for another process
        return False
    if process == 0:
        status = 1
        try:
            os.setsid()
            _replace(contents)
            status = 0
        finally:  # nothing else of this process is done twice
            os._exit(status)
    try:
        return os.waitpid(process, 0)[1] == 0
    except ChildProcessError:  # code under test lets the system forget how processes end
        return False


def _replace(contents: Mapping[Path, bytes]) -> None:
    """Replace files; if one cannot be written, all stay as they are, and the error names it."""
    with ExitStack() as stack:
        for directory in sorted({path.parent for path in contents}):
            _keep_others_away(directory, stack)
        before = {path: content(path) for path in contents}
        new = {path: data for path, data in contents.items() if data != before[path]}
        try:
            _rename(new)
        except OSError:
            for path in new:
                if (data := before[path]) is not None:
                    _rename({path: data})
                elif path.is_file():
                    path.unlink()
            raise


def content(path: Path) -> bytes | None:
    """Return the bytes of a file, None if it cannot be read."""
    try:
        return path.read_bytes()
    except OSError:
        return None


def _keep_others_away(directory: Path, stack: ExitStack) -> None:
    """Lock the folder against other processes; remove the files of processes that were killed."""
    with suppress(ImportError, OSError):  # no such operation, or not on this file system
        import fcntl

        lock = os.open(directory, os.O_RDONLY)
        stack.callback(os.close, lock)
        fcntl.flock(lock, fcntl.LOCK_EX)
        for path in directory.glob(".symmetry-*.part"):
            path.unlink()


def _rename(contents: Mapping[Path, bytes]) -> None:
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


def writable_directory(path: Path, *names: str) -> None:
    """Make a directory unless it exists, and try to write into it, and files of these names."""
    if elsewhere is not None:
        elsewhere("writable_directory", path, *names)
        return
    try:
        path.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise SymmetryError(f"cannot write into {path}: it is not a directory") from error
    except OSError as error:
        raise SymmetryError(f"cannot make the directory {path}: {error.strerror}") from error
    _try_writing_into(path)
    writable_files(*map(path.joinpath, names))


def writable_files(*paths: Path | None) -> None:
    """Refuse places at which no file could be written; their directories must exist.

    The path - stands for standard output.
    """
    paths = tuple(path for path in paths if path is not None and str(path) != "-")
    if elsewhere is not None:
        elsewhere("writable_files", *paths)
        return
    for path in paths:
        assert path
        try:
            if not path.parent.is_dir():
                raise SymmetryError(f"cannot write {path}: {path.parent} is not a directory")
            if path.exists() and not stat.S_ISREG(path.stat().st_mode):
                raise SymmetryError(f"cannot write {path}: it is not a file")
        except OSError as error:  # for instance a name that is too long
            raise SymmetryError(f"cannot write {path}: {error.strerror}") from error
        _try_writing_into(path.parent)


def _try_writing_into(directory: Path) -> None:
    try:
        with tempfile.TemporaryFile(dir=directory):
            pass
    except OSError as error:
        raise SymmetryError(f"cannot write into {directory}: {error.strerror}") from error
