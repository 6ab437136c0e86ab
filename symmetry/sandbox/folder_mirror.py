"""A temporary folder that looks like the folders of a script, which so writes into none of them.

A library that opens files by itself, in C say, is seen only if it has one of ``path_functions``:
another one finds copies of small files, and ``Originals`` reports its writes through the link to a
large one.
"""

from __future__ import annotations

import builtins
import importlib.machinery
import inspect
import os
import shutil
import stat
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, partial, wraps
from pathlib import Path
from types import CodeType
from typing import Any, Literal, NamedTuple

from symmetry.base.folders import PREFIX, TemporaryFolder
from symmetry.base.libraries import registered
from symmetry.base.notebooks import SUFFIX, code_in
from symmetry.base.processes import FOLDER
from symmetry.sandbox.originals import Known, Originals, known_of
from symmetry.sandbox.shared import is_below, shared_places

_FILES = 1000  # that are mirrored one by one; a folder with more is one link
_WHOLE = {".git", "node_modules", "__pycache__"}  # one link each, and each environment
_ENVIRONMENT = "pyvenv.cfg"  # a file at its top; pip may install there while a script runs
_SMALL, _ALL_SMALL = 1 << 20, 1 << 24  # bytes of a file that is copied, and of all of them
_ABOVE = 3  # folders above a mirrored one whose other entries are links

_Deed = Literal[
    "ask", "enter", "read", "resolve", "open", "number", "entries", "tree", "content", "folder"
]


@dataclass(frozen=True)
class WrittenFiles:
    """Copies of the files that a run has changed in its mirror up to some moment."""

    folder: Path  # copies of the files and links that are new or other ones, by their paths
    removed: tuple[str, ...]  # paths of what is there no more
    tops: tuple[str, ...]  # folders elsewhere that it has written into


@dataclass(frozen=True)
class PathFunction:
    """A function that takes paths, and what it does with them."""

    module: str
    name: str
    does: _Deed
    paths: tuple[int, ...] = (0,)  # which of its arguments are paths


_FUNCTIONS = (
    PathFunction("os", "getcwd", "ask"),
    PathFunction("os", "getcwdb", "ask"),
    PathFunction("os", "chdir", "enter"),
    # A script finds there what it has written.
    *(PathFunction("os", name, "read") for name in ("stat", "access", "listdir", "scandir")),
    PathFunction("os.path", "realpath", "resolve"),
    PathFunction("builtins", "open", "open"),
    PathFunction("io", "open", "open"),
    PathFunction("os", "open", "number"),
    *(PathFunction("os", name, "entries") for name in ("mkdir", "rmdir", "remove", "unlink")),
    *(PathFunction("os", name, "entries", (0, 1)) for name in ("rename", "replace")),
    *(PathFunction("os", name, "entries", (0, 1)) for name in ("link", "symlink")),
    PathFunction("shutil", "rmtree", "tree"),
    # These write files without Python's ``open``, as some functions of libraries do.
    *(PathFunction("os", name, "content") for name in ("truncate", "chmod", "utime")),
    PathFunction("sqlite3", "connect", "content"),
)

# Files that libraries in C write: by a path that is not the mirror's they would change the original
# of a copied file. Other small files are not judged: the check's own output may be one.
_OF_LIBRARIES = (".db", ".sqlite", ".sqlite3", ".h5", ".hdf5", ".mdb", ".nc")

_Entry = tuple[int, int, int, int]  # mode, number, time of the last change, size
_NOTHING: _Entry = (0, 0, 0, 0)

with suppress(ImportError):  # some builds have none; a script that has not begun may import it
    import sqlite3  # noqa: F401

_codes: dict[tuple[str, Known | None], CodeType] = {}
# As they are outside of runs.
_open, _open_by_number, _scandir, _stat = builtins.open, os.open, os.scandir, os.stat
_remove, _make_folder, _symlink, _utime = os.unlink, os.mkdir, os.symlink, os.utime


def path_functions() -> Iterator[PathFunction]:
    """Yield the functions that a script finds replaced."""
    yield from _FUNCTIONS
    for library in registered():
        for module, name, number in library.writers:
            yield PathFunction(module, name, "content", (number,))
        for module, name, number in library.folders:
            yield PathFunction(module, name, "folder", (number,))


def is_in_folder(kwargs: Mapping[str, Any]) -> bool:
    """Return whether paths are names in a folder that is open, and given by its number."""
    return any(kwargs.get(key) is not None for key in ("dir_fd", "src_dir_fd", "dst_dir_fd"))


class Written(NamedTuple):
    """The entries of a mirror at some moment."""

    entries: dict[str, _Entry]
    contents: dict[str, bytes]  # of small files


class FolderMirror:
    """Links to all files of some folders, at the same places below a temporary one.

    Small files are copies, except for code: it is linked, and so differs from files of the script.
    Where a link is opened for writing a copy takes its place. ``Route`` turns paths into the
    folders into paths into the mirror, so that files next to ``Path(__file__).resolve()`` are in
    it, too. A folder elsewhere is mirrored as soon as a script changes something in it.

    Attributes
    ----------
    top
        The folder that stands for the root of the file system.
    temporary
        A folder for temporary files.
    remove
        Removes the mirror.
    """

    def __init__(
        self, *folders: Path, told: Callable[[str], None], originals: Originals | None = None
    ) -> None:
        self._folder = TemporaryFolder(os.environ.get(FOLDER))
        self.top, self.remove = self._folder.path, self._folder.remove
        self._shared = [*shared_places()]
        self._told, self._originals = told, originals or Originals()
        self._drive = os.path.splitdrive(folders[0])[0]
        self._copied = 0  # bytes
        self._folders = [
            f for f in folders if not any(f.is_relative_to(o) for o in folders if o != f)
        ]
        self._tops = [f"{folder}{os.sep}" for folder in self._folders]
        self._given = len(self._tops)  # others follow: where a script has written
        own = [*dict.fromkeys(self._folders)]
        for folder in own:
            self._fill(folder)
        for folder in own:  # behind all files: a link may lead to another one of the folders
            for above in [*folder.parents][:_ABOVE]:
                self._link_beside(above)
        # Short, as paths of sockets have to be.
        self.temporary = os.path.join(self._folder.short, ".t")
        _make_folder(self.temporary)
        self._made = dict(_entries(self.top))

    def restore(self) -> None:
        """Restore its first state, so that another run can use it."""
        del self._tops[self._given :]
        now = dict(_entries(self.top))
        for path in sorted(now.keys() | self._made.keys()):  # folders before what is in them
            made, kind = self._made.get(path), stat.S_IFMT(self._made.get(path, _NOTHING)[0])
            above = os.path.dirname(path)
            if not (above == self.top or stat.S_ISDIR(self._made.get(above, _NOTHING)[0])):
                continue  # it went with what it was in; below a link it would be the user's own
            if made == now.get(path):
                continue
            _remove_any(path)
            if stat.S_ISDIR(kind):
                _make_folder(path)
            elif made is not None:
                source = self._drive + path.removeprefix(self.top)
                shutil.copy2(source, path) if stat.S_ISREG(kind) else _link(source, path)
                self._made[path] = _known(os.lstat(path))

    def written(self) -> Written:
        """Return what it is now, so that it can be put back with ``put_back``."""
        entries, contents = dict(_entries(self.top)), dict[str, bytes]()
        left = _ALL_SMALL
        for path, entry in entries.items():
            size = entry[-1]
            if stat.S_ISREG(entry[0]) and size <= min(_SMALL, left):
                with suppress(OSError), _open(path, "rb") as file:
                    contents[path] = file.read()
                left -= size
        return Written(entries, contents)

    def put_back(self, written: Written) -> bool:
        """Undo what has changed since then; return whether that can be done.

        Not if a large file or a link has changed. Files that are open stay the same ones.
        """
        try:
            return self._undone(written)
        except OSError:  # a folder may not be removed, say
            return False

    def _undone(self, written: Written) -> bool:
        now = dict(_entries(self.top))
        if now == written.entries:
            return True
        for path in now.keys() - written.entries.keys():
            _remove_any(path)  # or it went with what it was in
        for path, entry in sorted(written.entries.items()):  # folders before what is in them
            if entry == now.get(path):
                continue
            if stat.S_ISDIR(entry[0]) and path not in now:
                _make_folder(path)
            elif path in written.contents and stat.S_ISREG(now.get(path, entry)[0]):
                with _open(path, "wb") as file:
                    file.write(written.contents[path])
                _utime(path, ns=(entry[2], entry[2]))
                written.entries[path] = _known(os.lstat(path))
            else:
                return False
        return True

    def copy_written(self, folder: Path) -> WrittenFiles:
        """Copy all that a run has changed by now into a new folder; the run may go on."""
        now = dict(_entries(self.top))
        changed = [path for path in sorted(now) if self._made.get(path) != now[path]]
        _duplicate(str(folder), str(folder), stat.S_IFDIR)  # there may be no changes
        for path in changed:
            _duplicate(path, f"{folder}{path.removeprefix(self.top)}", now[path][0])
        removed = tuple(path.removeprefix(self.top) for path in self._made.keys() - now.keys())
        return WrittenFiles(folder, removed, tuple(self._tops[self._given :]))

    def put(self, files: WrittenFiles) -> None:
        """Put files into it that another run has written; it is restored without them."""
        self._tops += files.tops
        for path in files.removed:
            _remove_any(self.top + path)
        for path, (mode, *_) in sorted(_entries(str(files.folder))):
            target = self.top + path.removeprefix(str(files.folder))
            if not (stat.S_ISDIR(mode) and os.path.isdir(target) and not os.path.islink(target)):
                _remove_any(target)
                _duplicate(path, target, mode)

    def of(self, path: str | Path) -> str:
        """Return where a path outside is in the mirror."""
        return self.top + os.path.splitdrive(path)[1]

    def original(self, path: str) -> str:
        """Return the user's file that one in the mirror stands for; itself if it is another one."""
        if os.path.islink(path):
            return os.readlink(path)
        outside = self._drive + path.removeprefix(self.top)
        return outside if known_of(outside) == known_of(path) else path

    def replacing(self, function: PathFunction, call: Callable[..., Any]) -> Any:
        """Return what stands for a function while the script runs; ``call`` is what it was."""
        match function.does:
            case "ask":
                return call
            case "enter" | "read":
                return self._reading(call)
            case "resolve":
                return lambda *args, **kwargs: self._inside(call(*args, **kwargs))
            case "open":
                return self._opened
            case "number":
                return self._opened_by_number
            case "entries":
                return self._guarded(call, function.paths, self._own_parents)
            case "tree":
                return self._guarded(call, function.paths, self._own)
            case "content":
                return self._guarded(call, function.paths, self._rewritten)
            case "folder":
                return self._guarded(call, function.paths, self._filled)

    def forget_imports(self) -> None:
        """Remove what Python remembers of imports from here."""
        for path in [path for path in sys.path_importer_cache if path.startswith(self.top)]:
            del sys.path_importer_cache[path]

    def _fill(self, folder: Path) -> None:
        """Mirror the files below a folder, those near its top first."""
        left, waiting = _FILES, [str(folder)]
        while waiting:
            source = waiting.pop(0)
            with suppress(OSError), _scandir(source) as found:
                entries = [*found]
                if len(entries) > left and source != str(folder):
                    self._link(source)
                    continue
                left -= len(entries)
                os.makedirs(self.of(source), exist_ok=True)
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False) and not _is_whole(entry.path):
                        waiting.append(entry.path)
                    elif not self._copy(entry):
                        self._link(entry.path)

    def _copy(self, entry: os.DirEntry[str]) -> bool:
        """Copy a file if it is small, and no code; return whether it is."""
        if not entry.is_file(follow_symlinks=False) or entry.name.endswith(".py"):
            return False
        size = entry.stat().st_size
        if size > _SMALL or size + self._copied > _ALL_SMALL:
            return False
        self._copied += size
        if entry.name.endswith(_OF_LIBRARIES):
            self._originals.note(entry.path)
        _duplicate(entry.path, copy := self.of(entry.path), stat.S_IFREG)
        os.chmod(copy, stat.S_IMODE(entry.stat().st_mode))
        return True

    def _link(self, path: str) -> None:
        """Link a file or folder of the user's, and remember what it was before a script ran."""
        if not _is_whole(path):
            self._originals.note(path)
        _link(path, self.of(path))

    def _link_beside(self, folder: Path) -> None:
        """Link the entries of a folder that are not in the mirror.

        Where that is not allowed they are not there: to copy them may take for ever.
        """
        os.makedirs(self.of(folder), exist_ok=True)
        with suppress(OSError), _scandir(folder) as entries:
            for entry, _ in zip(entries, range(_FILES), strict=False):
                if not (os.path.lexists(self.of(entry.path)) or self.top.startswith(entry.path)):
                    _symlink(entry.path, self.of(entry.path))

    def _inside(self, path: Any) -> Any:
        """Return the path in the mirror of a path into one of the folders; others as they are."""
        if isinstance(path, str | bytes | os.PathLike):
            name = os.fspath(path)
            whole = os.path.abspath(os.fsdecode(name))
            if not self._is_ours(whole) and any(
                f"{whole}{os.sep}".startswith(top) for top in self._tops
            ):
                return os.fsencode(self.of(whole)) if isinstance(name, bytes) else self.of(whole)
        return path

    def _written(self, path: Any) -> Any:
        """Return the path in the mirror of a path that is written to.

        Its folder is mirrored from now on, wherever it is, unless scripts share what is there.
        """
        path = self._inside(path)
        if not isinstance(path, str | os.PathLike | bytes):
            return path
        whole = os.path.abspath(os.fsdecode(path))
        if self._is_ours(whole) or is_below(whole, (*self._shared, *shared_places())):
            return path
        if not self._mirrors_too(whole):
            self._told(whole)
            return path
        return self.of(whole)

    def _is_ours(self, whole: str) -> bool:
        """Return whether a whole path leads into this mirror, or to other files of the check."""
        inside = f"{whole}{os.sep}".startswith(self.top + os.sep)
        return inside or f"{os.sep}{PREFIX}" in whole

    def _mirrors_too(self, path: str) -> bool:
        """Mirror a folder elsewhere, or the nearest one above that exists; return whether it is.

        In the top of the file system, and in a folder with very many entries, only the next one on
        the way to the file is mirrored.
        """
        below = path
        while not os.path.isdir(folder := os.path.dirname(below)):
            below = folder
        with suppress(OSError), _scandir(folder) as entries:
            few = os.path.dirname(folder) != folder and sum(1 for _ in entries) <= _FILES
            self._own(self.of(folder))
            os.makedirs(self.of(folder), exist_ok=True)
            if few:
                self._link_beside(Path(folder))
            elif os.path.lexists(below) and not os.path.lexists(self.of(below)):
                _link(below, self.of(below))
            self._tops.append((folder if few else below) + os.sep)
            return True
        return False

    def _reading(self, call: Callable[..., Any]) -> Any:
        """Return a function whose first argument is a path, which looks into the mirror."""

        @wraps(call)
        def reading(*args: Any, **kwargs: Any) -> Any:
            return call(*map(self._inside, args[:1]), *args[1:], **kwargs)

        return reading

    def _guarded(
        self, call: Callable[..., Any], numbers: tuple[int, ...], own: Callable[[str], None]
    ) -> Any:
        """Return a function whose arguments of these numbers are paths.

        What it does to them is done in the mirror.
        """

        def ours(path: Any) -> Any:
            path = self._written(path)
            if isinstance(path, str | bytes | os.PathLike):
                own(os.path.abspath(os.fsdecode(path)))
            return path

        @wraps(call)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            given = [*args]
            for number in () if is_in_folder(kwargs) else numbers:
                if number < len(given):
                    given[number] = ours(given[number])
                elif (name := _parameter(call, number)) in kwargs:
                    kwargs[name] = ours(kwargs[name])
            return call(*given, **kwargs)

        return guarded

    def _opened(self, file: Any, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
        """Open a file; one that is written in the mirror, with a copy in the place of a link."""
        if {*mode}.isdisjoint("wax+"):
            return _open(self._inside(file), mode, *args, **kwargs)
        file = self._written(file)
        if isinstance(file, str | bytes | os.PathLike):
            path = os.path.abspath(os.fsdecode(file))
            if path.startswith(self.top + os.sep):
                self.unlink(path, keep="w" not in mode)
        return _open(file, mode, *args, **kwargs)

    def _opened_by_number(self, path: Any, flags: int, *args: Any, **kwargs: Any) -> int:
        """Open a file as ``os.open`` does; one that is written is a copy, as above."""
        if kwargs.get("dir_fd") is None and isinstance(path, str | bytes | os.PathLike):
            if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC):
                path = self._written(path)
                self._rewritten(os.path.abspath(os.fsdecode(path)))
            else:
                path = self._inside(path)
        return _open_by_number(path, flags, *args, **kwargs)

    def unlink(self, path: str, *, keep: bool = False) -> None:
        """Let a copy, or nothing, take the place of a link in the mirror."""
        self._own_parents(path)
        if os.path.islink(path) and path.startswith(self.top + os.sep):
            source = os.readlink(path)
            _remove(path)
            if keep and stat.S_ISREG(_stat(source).st_mode):
                with _open(source, "rb") as old, _open(path, "xb") as new:
                    shutil.copyfileobj(old, new)

    def _rewritten(self, path: str) -> None:
        self.unlink(path, keep=True)

    def _own_parents(self, path: str) -> None:
        self._own(os.path.dirname(path))

    def _own(self, path: str) -> None:
        """Let folders of links take the place of the linked folders on the way to a path."""
        if not path.startswith(self.top + os.sep):
            return
        way = self.top
        for name in os.path.relpath(path, self.top).split(os.sep):
            way = os.path.join(way, name)
            if os.path.islink(way) and os.path.isdir(way):
                source = os.readlink(way)
                _remove(way)
                _make_folder(way)
                with _scandir(source) as entries:
                    for entry in entries:
                        _link(entry.path, os.path.join(way, entry.name))

    def _filled(self, path: str) -> None:
        """Let a folder, all in it, and the folders on the way to it take the place of links."""
        self._own_parents(path)
        if not path.startswith(self.top + os.sep) or not os.path.isdir(path):
            return
        if os.path.islink(path):
            source = os.readlink(path)
            _remove(path)
            self._fill(Path(source))
            return
        with _scandir(path) as entries:
            for entry in [*entries]:
                if entry.is_symlink() and entry.is_dir():
                    self._filled(entry.path)

    def finder(self, path: str) -> Any:
        """Find modules in the mirror; their code has the name of the file that was mirrored."""
        if not path.startswith(self.top):
            raise ImportError(path)
        loader: Any = partial(_Loader, self)
        return importlib.machinery.FileFinder(
            path,
            (importlib.machinery.ExtensionFileLoader, importlib.machinery.EXTENSION_SUFFIXES),
            (loader, importlib.machinery.SOURCE_SUFFIXES),
        )


class _Loader(importlib.machinery.SourceFileLoader):
    def __init__(self, mirror: FolderMirror, fullname: str, path: str) -> None:
        super().__init__(fullname, path)
        self._mirror = mirror

    def get_code(self, fullname: str) -> CodeType:
        return code_of(self._mirror.original(self.get_filename(fullname)))


@cache
def _parameter(function: Callable[..., Any], number: int) -> str:
    """Return the name of a parameter, by its number; empty if that is not known."""
    with suppress(TypeError, ValueError):
        return [*inspect.signature(function).parameters][number]
    return ""


def code_of(file: str) -> CodeType:
    """Compile a Python file: once for all runs."""
    key = file, known_of(file)
    if key not in _codes:
        if file.endswith(SUFFIX):
            text = code_in(file)
        else:
            with _open(file, "rb") as source:
                text = source.read()
        _codes[key] = compile(text, file, "exec", dont_inherit=True)
    return _codes[key]


def _entries(folder: str) -> Iterator[tuple[str, _Entry]]:
    """Yield all entries below a folder, each with the facts that change with it."""
    with os.scandir(folder) as found:
        for entry in found:
            yield entry.path, _known(entry.stat(follow_symlinks=False))
            if entry.is_dir(follow_symlinks=False):
                yield from _entries(entry.path)


def _is_whole(path: str) -> bool:
    """Return whether a folder is one link, since tools fill it, and no script."""
    return os.path.basename(path) in _WHOLE or os.path.exists(os.path.join(path, _ENVIRONMENT))


def _remove_any(path: str) -> None:
    if os.path.lexists(path):
        (_remove if os.path.islink(path) or os.path.isfile(path) else shutil.rmtree)(path)


def _duplicate(path: str, target: str, mode: int) -> None:
    """Copy a file or a link, or make a folder, with functions that no run has replaced."""
    above = os.path.dirname(target)
    if not os.path.isdir(above):
        _duplicate(above, above, stat.S_IFDIR)
    if stat.S_ISDIR(mode):
        _make_folder(target)
    elif stat.S_ISLNK(mode):
        _symlink(os.readlink(path), target)
    elif stat.S_ISREG(mode):
        # Never into a file that is there: it may be the user's, behind a link.
        with _open(path, "rb") as old, _open(target, "xb") as new:
            shutil.copyfileobj(old, new)
        times = os.lstat(path)
        _utime(target, ns=(times.st_atime_ns, times.st_mtime_ns))


def _known(found: os.stat_result) -> _Entry:
    if stat.S_ISDIR(found.st_mode):  # what is in it is known for itself
        return found.st_mode, 0, 0, 0
    return found.st_mode, found.st_ino, found.st_mtime_ns, found.st_size


def _link(source: str, target: str) -> None:
    """Link a file or folder; where that is not allowed, as on Windows, copy it."""
    try:
        _symlink(source, target)
    except FileExistsError:
        pass
    except OSError:
        (shutil.copytree if os.path.isdir(source) else shutil.copy2)(source, target)
