"""Import the user's code by module name or by file, and say in one line what went wrong."""

import difflib
import importlib
import importlib.util
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from symmetry.base.calls import calling
from symmetry.base.errors import SymmetryError
from symmetry.base.raised import raised_as

_SHOWN = 5  # files beside a missing one that are named
_folders: set[Path] = set()  # those that targets were imported from


def load_module(target: str, name: str) -> ModuleType:
    """Import a module by its dotted name, looked for in the working directory first.

    Messages of the ``SymmetryError`` that it raises begin with ``target``, the target's whole name.
    """
    if not all(part.isidentifier() for part in name.split(".")):
        raise SymmetryError(
            f"{target!r}: {name} is neither a module such as package.module "
            "nor a Python file such as path/to/file.py"
        )
    folder = Path.cwd()
    _put_first(folder)
    with readable(target, f"importing {name}"):
        try:
            module = importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name is None or not f"{name}.".startswith(f"{error.name}."):
                raise  # the module is there; it is something that it imports that is not
            near = nearest(folder.joinpath(*name.split(".")).with_suffix(".py"))
            raise SymmetryError(
                f"{target!r}: {error}{near} (looked in {folder} first, then where Python looks): "
                "install it, or go to the folder that has it"
            ) from error
    if module.__spec__ is not None and module.__spec__.origin is None:
        raise SymmetryError(f"{target!r}: {name} is a folder, expected a Python file in it")
    return module


def load_file(target: str, path: str) -> ModuleType:
    """Execute a Python file as a module; what lies beside it can be imported.

    A file inside a package (its folder has an ``__init__.py``) gets its dotted name, so that its
    relative imports work too. Raises ``SymmetryError`` as ``load_module`` does.
    """
    try:
        file = Path(path).resolve()
        found = file.is_file()
    except (OSError, RuntimeError, ValueError) as error:  # links that lead in a circle, for example
        raise SymmetryError(f"{target!r}: {path} leads to no file: {error}") from error
    if not found:
        raise SymmetryError(f"{target!r}: there is no file {file}{beside(file)}")
    name, root = name_in_package(file)
    _put_first(root)
    if root != file.parent and str(file.parent) not in sys.path:
        # Last, since modules of a package may well be called like others: torch.py, for instance.
        sys.path.append(str(file.parent))
    while name in sys.modules and getattr(sys.modules[name], "__file__", None) != str(file):
        name += "_"  # taken: a file called json.py, say
    return _execute(target, name, file)


@contextmanager
def readable(target: str, doing: str) -> Iterator[None]:
    """Turn what the user's code raises, ``SystemExit`` included, into a line that says where."""
    raising = raised_as(SymmetryError, f"{target!r}: {doing}")
    with calling("loading", target, counts=False), raising:
        yield


def _execute(target: str, name: str, file: Path) -> ModuleType:
    """Compile from the source, never from a cache: the file may have changed a moment ago."""
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None  # it has a loader, since its name ends in .py
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pickle look there
    with readable(target, f"importing {file.name}"):
        try:
            exec(compile(file.read_bytes(), file, "exec"), vars(module))
        except BaseException:
            del sys.modules[name]
            raise
    return module


def nearest(file: Path) -> str:
    """Guess which Python file beside a missing one was meant."""
    try:
        names = [path.name for path in file.parent.glob("*.py")]
    except OSError:
        names = []
    close = difflib.get_close_matches(file.name, names, 1)
    return f"; did you mean {close[0]}?" if close else ""


def beside(file: Path) -> str:
    """Say which Python files are beside a missing one."""
    if not file.parent.is_dir():
        return f", and no folder {file.parent}"
    names = sorted(path.name for path in file.parent.glob("*.py"))
    there = f"the folder has {', '.join(names[:_SHOWN])}" if names else "the folder has no script"
    return nearest(file) or f"; {there}{' and others' * (len(names) > _SHOWN)}"


def name_in_package(file: Path) -> tuple[str, Path]:
    """Return the dotted name of a file, and the folder that its import starts from."""
    name, folder = file.stem, file.parent
    while (folder / "__init__.py").is_file():
        name, folder = f"{folder.name}.{name}", folder.parent
    return name, folder


def _put_first(folder: Path) -> None:
    """Make imports look in ``folder`` first, whatever was imported from other targets' folders."""
    _forget_namesakes(folder)
    _folders.add(folder)
    if str(folder) in sys.path:
        sys.path.remove(str(folder))
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()


def _forget_namesakes(folder: Path) -> None:
    """Let ``new/train.py`` import its own ``model`` after ``old/train.py`` has imported another."""
    others = {str(other) for other in _folders - {folder}}
    namesakes = {
        name
        for name, module in sys.modules.items()
        if name != "symmetry"
        and _home(module) in others
        and ((folder / f"{name}.py").exists() or (folder / name).is_dir())
    }
    for name in list(sys.modules):
        if name.partition(".")[0] in namesakes:
            del sys.modules[name]


def _home(module: ModuleType) -> str:
    """Return the folder in which the import found this module or package; empty if in none."""
    folder, name = os.path.split(getattr(module, "__file__", None) or "")  # of thousands
    return os.path.split(folder)[0] if name == "__init__.py" else folder
