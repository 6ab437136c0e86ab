"""Scripts as targets: they run as ``python`` runs them, and are trainings."""

from __future__ import annotations

import importlib.util
import os
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from symmetry.base.errors import SymmetryError
from symmetry.sandbox.source import Source
from symmetry.targets.load import defined_in, nearest
from symmetry.targets.training import TrainingTarget
from symmetry.torch.script.script import Script
from symmetry.torch.script.training import ScriptTraining

_NEEDED = ("torch", "greenlet")


def script(
    path: str | os.PathLike[str] | None = None,
    arguments: Sequence[str] = (),
    *,
    module: str | None = None,
    expect_units: Mapping[str, int] | None = None,
) -> TrainingTarget:
    """Return a script as a training, for ``symmetry.check`` and all that takes a target.

    It runs unchanged, as ``python PATH ARGUMENTS`` does, in a mirror of its folders: what it writes
    changes nothing there.

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

    Raises
    ------
    SymmetryError
        If there is no such file, or PyTorch or greenlet is not installed.

    Examples
    --------
    >>> script(module="package.train", arguments=["--epochs", "1"]).name
    '-m package.train --epochs 1'
    """
    if (path is None) == (module is None):
        raise SymmetryError("a script is a path, or a module")
    words = ["-m", module] if module is not None else [os.fspath(path or "")]
    name = shlex.join([*words, *arguments])
    for needed in _NEEDED:
        if importlib.util.find_spec(needed) is None:
            raise SymmetryError(
                f"{name!r}: a script needs {needed}, which is not installed "
                "(pip install 'unit-symmetry[torch]')"
            )
    source: Path | str = module or ""
    functions: tuple[str, ...] = ()
    if path is not None:
        source = Path(path).resolve()
        if source.suffix == ".ipynb":
            raise SymmetryError(f"{name!r} is a notebook: export it as a script first")
        if not source.is_file():
            raise SymmetryError(f"{name!r}: there is no file {source}{nearest(source)}")
        found = defined_in(source)
        if found is None:
            raise SymmetryError(f"{name!r}: {source} is not valid Python")
        functions = tuple(f"{path}:{function}" for function in found)
    runs = Script(Source(name, source, tuple(arguments), functions))
    return TrainingTarget(ScriptTraining(name, runs, dict(expect_units or {})))


def script_named(words: Sequence[str]) -> TrainingTarget:
    """Return the script of these words, those of ``words_of``."""
    if words[0] == "-m":
        return script(module=words[1], arguments=words[2:])
    return script(words[0], words[1:])
