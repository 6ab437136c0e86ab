"""Paths that a script shares with all others: caches, and folders that its user names.

Files that are written there stay there. All others go into the mirror of the script.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

from symmetry.base.libraries import registered
from symmetry.base.processes import FOLDER

WRITABLE = "SYMMETRY_WRITABLE"  # in the environment: what --writable names
SYSTEM = ("/dev", "/proc")
# Variables of the environment that name caches, beside those that libraries register.
_CACHES = (
    *("XDG_CACHE_HOME", "HF_HOME", "HF_HUB_CACHE", "HF_DATASETS_CACHE", "KERAS_HOME", "NLTK_DATA"),
    *("TRITON_CACHE_DIR", "NUMBA_CACHE_DIR", "CUDA_CACHE_PATH", "MPLCONFIGDIR"),
)
# Where libraries keep what they download or compile if no variable says so, in the user's folder.
_IN_HOME = (".cache", ".keras", ".triton", ".nv", ".config/matplotlib", "nltk_data")


def shared_places() -> Iterator[str]:
    """Yield the folders of caches, and those that the user lets a script write to.

    They are those of the environment now: a script has one of its own.
    """
    yield from SYSTEM
    given = (os.environ.get(FOLDER, ""), *os.environ.get(WRITABLE, "").split(os.pathsep))
    yield from filter(None, given)
    names = [*_CACHES, *(name for library in registered() for name in library.homes)]
    yield from (os.path.abspath(os.environ[name]) for name in names if os.environ.get(name))
    home = os.path.expanduser("~")
    if os.path.isabs(home):
        yield from (os.path.join(home, name) for name in _IN_HOME)


def is_below(path: str, places: Iterable[str]) -> bool:
    """Return whether a whole path is one of some places, or leads below one."""
    return any(f"{path}{os.sep}".startswith(place + os.sep) for place in places)
