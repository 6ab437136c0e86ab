"""A folder that looks like those that a script works in: what it writes changes nothing there."""

from __future__ import annotations

import builtins
import importlib.machinery
import io
import os
import shutil
import sys
import tempfile
import weakref
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import CodeType
from typing import Any

from symmetry.base.processes import FOLDER

_FILES = 1000  # that are mirrored one by one; a folder with more is one link
_WHOLE = {".git", ".venv", "venv", "node_modules", "__pycache__"}  # one link each
_ABOVE = 2  # folders above a mirrored one whose other entries are links

_codes: dict[tuple[str, int, int], CodeType] = {}  # by file, time and size
_open = builtins.open


class Mirror:
    """Links to all files of some folders, at the same places below a temporary one.

    Where a link is opened for writing a copy takes its place. Of paths into the folders the patches
    make paths into the mirror, so that what ``Path(__file__).resolve()`` leads to is in it, too.
    """

    def __init__(self, *folders: Path, told: Callable[[str], None]) -> None:
        top = tempfile.mkdtemp(prefix="symmetry-", dir=os.environ.get(FOLDER))
        self.top = os.path.realpath(top)
        self.remove = weakref.finalize(self, shutil.rmtree, self.top, ignore_errors=True)
        self._told = told
        self._folders = [
            f for f in folders if not any(f.is_relative_to(o) for o in folders if o != f)
        ]
        self._temporary = os.path.realpath(tempfile.gettempdir())
        for folder in dict.fromkeys(self._folders):
            self._fill(folder)
            for above in [*folder.parents][:_ABOVE]:
                self._link_beside(above)

    def of(self, path: str | Path) -> str:
        """Return where a path outside is in the mirror."""
        return self.top + os.path.splitdrive(path)[1]

    def patches(self) -> Iterator[tuple[Any, str, Any]]:
        """Yield what has to be replaced while the script runs: owner, name, and the replacement."""
        opened, made, real = self._opened, os.mkdir, os.path.realpath
        yield builtins, "open", opened
        yield io, "open", opened
        yield os, "mkdir", lambda path, *args, **kwargs: made(self._inside(path), *args, **kwargs)
        yield os.path, "realpath", lambda *args, **kwargs: self._inside(real(*args, **kwargs))
        yield sys, "path_hooks", [self._finder, *sys.path_hooks]

    def forget_imports(self) -> None:
        """Remove what Python remembers of imports from here."""
        for path in [path for path in sys.path_importer_cache if path.startswith(self.top)]:
            del sys.path_importer_cache[path]

    def _fill(self, folder: Path) -> None:
        """Mirror the files below a folder, those near its top first."""
        left, waiting = _FILES, [str(folder)]
        while waiting:
            source = waiting.pop(0)
            with suppress(OSError), os.scandir(source) as found:
                entries = [*found]
                if len(entries) > left and source != str(folder):
                    _link(source, self.of(source))
                    continue
                left -= len(entries)
                os.makedirs(self.of(source), exist_ok=True)
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False) and entry.name not in _WHOLE:
                        waiting.append(entry.path)
                    else:
                        _link(entry.path, self.of(entry.path))

    def _link_beside(self, folder: Path) -> None:
        """Link the entries of a folder that are not in the mirror."""
        os.makedirs(self.of(folder), exist_ok=True)
        with suppress(OSError), os.scandir(folder) as entries:
            for entry, _ in zip(entries, range(_FILES), strict=False):
                if not (os.path.lexists(self.of(entry.path)) or self.top.startswith(entry.path)):
                    _link(entry.path, self.of(entry.path))

    def _inside(self, path: Any) -> Any:
        """Return the path in the mirror of a path into one of the folders; others as they are."""
        if isinstance(path, str | os.PathLike) and not isinstance(name := os.fspath(path), bytes):
            whole = os.path.abspath(name)
            ours = whole.startswith(self.top + os.sep)
            if not ours and any(Path(whole).is_relative_to(f) for f in self._folders):
                return self.of(whole)
        return path

    def _opened(self, file: Any, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
        """Open a file; one that is written in the mirror, with a copy in the place of a link."""
        file = self._inside(file)
        if not {*mode}.isdisjoint("wax+") and isinstance(file, str | os.PathLike):
            path = os.path.abspath(os.fspath(file))
            if path.startswith(self.top + os.sep):
                self.unlink(path, keep="w" not in mode)
            elif not path.startswith((self._temporary + os.sep, "/dev/")):
                self._told(path)
        return _open(file, mode, *args, **kwargs)

    def unlink(self, path: str, *, keep: bool = False) -> None:
        """Let a copy, or nothing, take the place of a link in the mirror."""
        if os.path.islink(path) and path.startswith(self.top + os.sep):
            source = os.readlink(path)
            os.unlink(path)
            if keep and os.path.isfile(source):
                with _open(source, "rb") as old, _open(path, "wb") as new:
                    shutil.copyfileobj(old, new)

    def _finder(self, path: str) -> Any:
        """Find modules in the mirror; their code has the name of the file that was mirrored."""
        if not path.startswith(self.top):
            raise ImportError(path)
        return importlib.machinery.FileFinder(
            path,
            (importlib.machinery.ExtensionFileLoader, importlib.machinery.EXTENSION_SUFFIXES),
            (_Loader, importlib.machinery.SOURCE_SUFFIXES),
        )


class _Loader(importlib.machinery.SourceFileLoader):
    def get_code(self, fullname: str) -> CodeType:
        return code_of(self.get_filename(fullname))


def code_of(file: str) -> CodeType:
    """Compile a Python file, or one that a link leads to: once for all runs."""
    real = os.readlink(file) if os.path.islink(file) else file
    known = os.stat(real)
    key = real, known.st_mtime_ns, known.st_size
    if key not in _codes:
        with _open(real, "rb") as source:
            _codes[key] = compile(source.read(), real, "exec", dont_inherit=True)
    return _codes[key]


def _link(source: str, target: str) -> None:
    """Link a file or folder; where that is not allowed, as on Windows, copy it."""
    try:
        os.symlink(source, target)
    except FileExistsError:
        pass
    except OSError:
        (shutil.copytree if os.path.isdir(source) else shutil.copy2)(source, target)
