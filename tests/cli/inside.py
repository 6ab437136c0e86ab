"""The command line in this process: a process of its own imports for seconds what is here.

What a process is for (signals, crashes, terminals, several targets) is tested with `process`.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from unittest.mock import patch

import click

from symmetry.cli import execute, group
from symmetry.cli.isolation.parent import Isolated
from tests.cli.process import Finished


class _Inside(click.Group):
    """The command line, with each command told to stay in this process."""

    def make_context(self, name: str | None, arguments: list[str], **more: object) -> click.Context:
        first = arguments[0] if arguments else ""
        if isinstance(group.commands.get(first), Isolated):
            arguments = [first, "--in-process", *arguments[1:]]
        return group.make_context(name, arguments, **more)

    def invoke(self, context: click.Context) -> object:
        return group.invoke(context)


def symmetry(*arguments: object, cwd: Path, **changes: str) -> Finished:
    """Run ``symmetry`` with these arguments, and return what a process would leave behind."""
    out, err = io.StringIO(), io.StringIO()
    with (
        chdir(cwd),
        patch.dict(os.environ, changes),
        _without_traces(cwd),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        status = execute([*map(str, arguments)], _Inside())
    return Finished(status, out.getvalue(), err.getvalue())


@contextmanager
def _without_traces(folder: Path) -> Iterator[None]:
    """Forget what was imported from a folder, unless it is ours, and the folder."""
    path, known = [*sys.path], sys.modules.keys() | set()
    try:
        yield
    finally:
        sys.path[:] = path
        for name in sys.modules.keys() - known:
            file = getattr(sys.modules[name], "__file__", None)
            ours = name.partition(".")[0] in ("symmetry", "tests")
            if file and folder in Path(file).parents and not ours:
                del sys.modules[name]
