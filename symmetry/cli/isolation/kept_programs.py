"""Compiled programs that stay for the next check: XLA takes longer to compile than to run them.

JAX finds a program by its text, its options, the versions of JAX and XLA, and the processor. A
check behind an edit compiles only what the edit has changed.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from symmetry.base.folders import cache_folder

_DAYS = 7  # for which a program stays; a check makes about 1 MB of them


def kept_programs() -> Mapping[str, str]:
    """Return the variables of the environment that let JAX keep what it compiles.

    None where no folder can be made for it. The variables are read as JAX is imported.
    """
    try:
        folder = cache_folder() / "jax"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _remove_old(folder)
    except (OSError, RuntimeError):  # there is no home
        return {}
    return {
        "JAX_COMPILATION_CACHE_DIR": str(folder),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    }


def _remove_old(folder: Path) -> None:
    oldest = time.time() - _DAYS * 86400
    for file in folder.iterdir():
        with suppress(FileNotFoundError):  # another check removes it now
            if file.stat().st_mtime < oldest:
                file.unlink()
