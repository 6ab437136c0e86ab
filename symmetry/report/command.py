"""Command lines for readers to repeat."""

from __future__ import annotations

import shlex
from typing import Any


def command_line(command: str, *arguments: str, **options: Any) -> str:
    """Return a line for a shell that runs ``symmetry``; options have ``_`` for ``-``.

    True stands for one without a value, a tuple for one that is given several times; None and False
    leave it out.
    """
    words = ["symmetry", command, *arguments]
    for name, value in options.items():
        for each in value if isinstance(value, tuple) else (value,):
            if each is not None and each is not False:
                words.append("--" + name.replace("_", "-"))
                words += [] if each is True else [str(each)]
    return shlex.join(words)
