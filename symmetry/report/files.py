"""Reports on the disk: all files of one are replaced together, whatever happens meanwhile."""

from __future__ import annotations

import os
import pickle
import stat
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from symmetry.errors import SymmetryError
from symmetry.report import replace
from symmetry.report.figure import Figure
from symmetry.report.replace import Contents, content


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
        write_all({**self.contents(directory), **(beside or {})})

    def contents(self, directory: Path) -> dict[Path, bytes]:
        """Return what there is to be written: all texts, and figures that show something else."""
        contents = {directory / name: text.encode() for name, text in self.texts.items()}
        for figure in self.figures:
            path = directory / figure.name
            if not figure.is_current(content(path)):
                contents[path] = figure.png()
        return contents

    def differences(self, directory: Path) -> tuple[str, ...]:
        """Return one line for each file that is missing or would be written differently."""
        states = {
            name: content(directory / name) == text.encode() for name, text in self.texts.items()
        }
        states |= {f.name: f.is_current(content(directory / f.name)) for f in self.figures}
        return tuple(
            f"{directory / name} {'would change' if (directory / name).exists() else 'is missing'}"
            for name, same in states.items()
            if not same
        )


def write_all(contents: Mapping[Path, str | bytes]) -> None:
    """Replace several files: wherever this process is killed, all of them are old or all are new.

    Texts are written in UTF-8, and nothing is left beside them. A link stays a link: the file that
    it leads to is replaced.

    Raises
    ------
    SymmetryError
        If one of them cannot be written; then all are as they were.
    """
    encoded = {path: c.encode() if isinstance(c, str) else c for path, c in contents.items()}
    if all(content(path) == data for path, data in encoded.items()):
        return
    failure = _replace({Path(os.path.realpath(path)): data for path, data in encoded.items()})
    if failure is not None:
        raise SymmetryError("cannot write {}: {}".format(*failure))


def _replace(contents: Contents) -> tuple[str, str] | None:
    """Let the program do it, or do it here where none can be started; return what failed, and why.

    The program is started again if it was killed: with these contents it completes its work.
    """
    for _ in range(2 + len(contents)):  # killed at each rename, it still gets to the end
        try:
            finished = subprocess.run(
                [sys.executable, "-I", "-S", replace.__file__],
                input=pickle.dumps(contents),
                capture_output=True,
                start_new_session=True,  # a Ctrl-C is not for it
                check=False,
            )
        except OSError:
            break
        with suppress(EOFError, pickle.UnpicklingError):
            failure: tuple[str, str] | None = pickle.loads(finished.stdout)
            return failure
    try:
        replace.replace_all(contents)
    except OSError as error:
        return str(error.filename), str(error.strerror)
    return None


def writable_directory(path: Path, *names: str) -> Path:
    """Make a directory unless it exists, and try to write into it, and files of these names.

    Raises
    ------
    SymmetryError
        If it cannot be made or written to, or one of the files could not.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise SymmetryError(f"cannot write into {path}: it is not a directory") from error
    except OSError as error:
        raise SymmetryError(f"cannot make the directory {path}: {error.strerror}") from error
    try:
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        raise SymmetryError(f"cannot write into {path}: {error.strerror}") from error
    for name in names:
        writable_file(path / name)
    return path


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
    writable_directory(path.parent)
    return path
