"""Scripts as targets: they run as ``python`` runs them, and are trainings."""

from __future__ import annotations

import ast
import importlib.util
import os
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from symmetry.base.devices import DEVICE, DEVICES, RANKS, RESUMING
from symmetry.base.errors import SymmetryError
from symmetry.base.notebooks import SUFFIX, cell_of, code_in
from symmetry.sandbox.source import Source
from symmetry.targets.imports import file_of, framework_of
from symmetry.targets.load import beside
from symmetry.targets.syntax import meant_instead, tree_of
from symmetry.targets.training import TrainingTarget
from symmetry.training import frameworks


def script(
    path: str | os.PathLike[str] | None = None,
    arguments: Sequence[str] = (),
    *,
    module: str | None = None,
    expect_units: Mapping[str, int] | None = None,
    device: str | None = None,
    ranks: int | None = None,
    resume_with: Sequence[str] | None = None,
) -> TrainingTarget:
    """Return a script as a training, for ``symmetry.check`` and all that takes a target.

    It runs unchanged, as ``python PATH ARGUMENTS`` does, in a mirror of its folders: what it writes
    changes nothing there. If it trains with JAX, its step is the jitted function that is called
    with its own results, or the body of a loop of JAX, as ``lax.scan``, that trains.

    Parameters
    ----------
    path
        Its file.
    arguments
        What follows it on the command line.
    module
        Instead of a path: a module that is run as ``python -m MODULE`` does.
    expect_units
        How many equal units some modules must have: ``{"fc1": 33}``.
    device
        Where it runs if it needs a GPU: ``"auto"`` maps CUDA to the CPU if there is no GPU and
        the script does not run without; ``"cuda-on-cpu"`` always does, ``"cpu"`` never.
    ranks
        On how many ranks it runs as well, to be checked for what has to be the same on all.
    resume_with
        The arguments with which it goes on from files that it has saved: it is interrupted behind a
        save, and the resumed run must match an uninterrupted one.

    Raises
    ------
    SymmetryError
        If there is no such file or device, or its framework is not installed.

    Examples
    --------
    >>> script(module="package.train", arguments=["--epochs", "1"]).name
    '-m package.train --epochs 1'
    """
    if (path is None) == (module is None):
        raise SymmetryError("a script is a path, or a module")
    device = DEVICE.get() if device is None else device
    if device not in DEVICES:
        raise SymmetryError(f"device must be one of {', '.join(DEVICES)}, not {device!r}")
    words = ["-m", module] if module is not None else [os.fspath(path or "")]
    name = shlex.join([*words, *arguments])
    file = None if path is None else _readable(name, Path(path).resolve())
    source = file or module or ""
    library = framework_of(file_of(source) if isinstance(source, str) else source)
    framework = frameworks.registered()[library]
    for needed in framework.needed:
        if importlib.util.find_spec(needed) is None:
            raise SymmetryError(
                f"{name!r}: a script needs {needed}, which is not installed "
                f"(pip install 'unit-symmetry[{library}]')"
            )
    number = RANKS.get() if ranks is None else ranks
    resumed = RESUMING.get() if resume_with is None else tuple(resume_with)
    run = Source(
        name,
        source,
        tuple(arguments),
        "" if file is None else meant_instead(words[0], file),
        device=device,
        ranks=number,
        resume_with=resumed,
    )
    if framework.script is None:
        raise SymmetryError(f"{name!r}: a training in {framework.title} has to be a function")
    training = framework.script(run)
    if training.ranks < number:
        raise SymmetryError(f"{name!r}: a script in {framework.title} has no ranks")
    if resumed is not None and not training.resumes:
        raise SymmetryError(f"{name!r}: a script in {framework.title} cannot be resumed here")
    return TrainingTarget(training, dict(expect_units or {}))


def _readable(name: str, file: Path) -> Path:
    """Return the file of a script, unless it cannot be one."""
    if not file.is_file():
        raise SymmetryError(f"{name!r}: there is no file {file}{beside(file)}")
    if file.suffix == SUFFIX:
        code_in(file)  # it says which line is no Python
    if tree_of(file) is None:
        raise SymmetryError(f"{name!r}: {file} is not valid Python{_error_in(file)}")
    return file


def _error_in(file: Path) -> str:
    """Return what is wrong in a file that cannot be read as Python, and its line."""
    try:
        ast.parse(code_in(file))
    except SyntaxError as error:
        cell = cell_of(str(file), error.lineno)
        where = f"cell {cell.cell}, line {cell.line}" if cell else f"line {error.lineno}"
        return f": {error.msg} ({where})"
    except (OSError, ValueError) as error:
        return f": {error}"
    return ""


def script_named(words: Sequence[str]) -> TrainingTarget:
    """Return the script of these words, those of ``words_of``."""
    if words[0] == "-m":
        return script(module=words[1], arguments=words[2:])
    return script(words[0], words[1:])
