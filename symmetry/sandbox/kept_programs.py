"""Compiled programs that stay for the next check: some take longer to compile than to run.

A library finds a program by its text, its options, the versions of all that has compiled it, and
the processor. A check behind an edit compiles only what the edit has changed.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from itertools import chain
from pathlib import Path

from symmetry.base.folders import cache_folder
from symmetry.base.libraries import registered

_DAYS = 7  # for which a program stays; a check makes about 1 MB of them


def kept_programs() -> Mapping[str, str]:
    """Return the variables of the environment with which libraries keep programs.

    There are none if no folder can be made. A library reads them as it is imported.
    """
    try:
        folder = cache_folder() / "programs"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _remove_old(folder)
    except (OSError, RuntimeError):  # there is no home
        return {}
    variables = chain.from_iterable(library.programs.items() for library in registered())
    return {name: text.format(folder=folder) for name, text in variables}


@cache  # once in a process is enough
def _remove_old(folder: Path) -> None:
    oldest = time.time() - _DAYS * 86400
    for file in folder.rglob("*"):
        with suppress(FileNotFoundError):  # another check removes it now
            if file.is_file() and file.stat().st_mtime < oldest:
                file.unlink()
