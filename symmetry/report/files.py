"""Files that are whole or not there: written beside their place, then renamed."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from symmetry.errors import SymmetryError
from symmetry.report.figure import Figure


@dataclass(frozen=True)
class Report:
    """The files of one report: texts by name, and figures."""

    texts: dict[str, str]
    figures: tuple[Figure, ...] = ()

    def write(self, directory: Path, beside: Mapping[Path, bytes] | None = None) -> None:
        """Write it, and the files ``beside`` it; figures only where they show something else.

        Raises
        ------
        SymmetryError
            If a file cannot be written.
        """
        contents = {directory / name: text.encode() for name, text in self.texts.items()}
        for figure in self.figures:
            path = directory / figure.name
            if not figure.is_current(_content(path)):
                contents[path] = figure.png()
        write_all({**contents, **(beside or {})})

    def differences(self, directory: Path) -> tuple[str, ...]:
        """Return one line for each file that is missing or would be written differently."""
        states = {
            name: _content(directory / name) == text.encode() for name, text in self.texts.items()
        }
        states |= {f.name: f.is_current(_content(directory / f.name)) for f in self.figures}
        return tuple(
            f"{directory / name} {'would change' if (directory / name).exists() else 'is missing'}"
            for name, same in states.items()
            if not same
        )


def _content(path: Path) -> bytes | None:
    """Return the bytes of a file, None if it cannot be read."""
    try:
        return path.read_bytes()
    except OSError:
        return None


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Open a file beside ``path`` that takes its place when the block ends well.

    After any exception, Ctrl-C included, ``path`` is untouched and nothing is left beside it.

    Raises
    ------
    SymmetryError
        If the file cannot be written.
    """
    path = Path(os.path.realpath(path))  # a link stays a link: the file it leads to is replaced
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with beside.open("wb") as file:
            yield file
        beside.replace(path)
    except OSError as error:
        raise SymmetryError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        beside.unlink(missing_ok=True)


def write_all(contents: Mapping[Path, bytes]) -> None:
    """Write several files; none takes its place before all are on the disk.

    Raises
    ------
    SymmetryError
        If one of them cannot be written.
    """
    with ExitStack() as stack:
        for path, data in contents.items():
            file = stack.enter_context(replacing(path))
            file.write(data)
            file.flush()  # a full disk is noticed here, not while the others are being renamed


def write_bytes(path: Path, data: bytes) -> None:
    """Write ``data`` to ``path``, which never holds half of it."""
    write_all({path: data})


def write_text(path: Path, text: str) -> None:
    """Write ``text`` in UTF-8, its line ends as they are, to ``path``."""
    write_bytes(path, text.encode())


def writable_directory(path: Path) -> Path:
    """Make the directory ``path`` unless it exists, and try to write into it.

    Raises
    ------
    SymmetryError
        If it cannot be made or written to.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise SymmetryError(f"cannot write into {path}: it is not a directory") from error
    except OSError as error:
        raise SymmetryError(f"cannot make the directory {path}: {error.strerror}") from error
    return _probed(path)


def writable_file(path: Path) -> Path:
    """Try whether a file could be written at ``path``, whose directory must exist.

    Raises
    ------
    SymmetryError
        If it could not, or if ``path`` is something else than a file.
    """
    try:
        if not path.parent.is_dir():
            raise SymmetryError(f"cannot write {path}: {path.parent} is not a directory")
        if path.exists() and not stat.S_ISREG(path.stat().st_mode):
            raise SymmetryError(f"cannot write {path}: it is not a file")
    except OSError as error:  # for instance a name that is too long
        raise SymmetryError(f"cannot write {path}: {error.strerror}") from error
    _probed(path.parent)
    return path


def _probed(directory: Path) -> Path:
    """Return ``directory`` after a temporary file has been made in it, and has gone again."""
    try:
        with tempfile.TemporaryFile(dir=directory):
            return directory
    except OSError as error:
        raise SymmetryError(f"cannot write into {directory}: {error.strerror}") from error
