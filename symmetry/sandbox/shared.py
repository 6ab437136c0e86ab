"""Paths that a script shares with all others: caches, temporary files, and those of the system."""

import os
from pathlib import Path

from symmetry.base.libraries import registered

_SYSTEM = ("/dev/", "/proc/", "/sys/")
_FOLDERS = {"__pycache__", "site-packages", "dist-packages"}
# Variables of the environment that name caches, beside those that libraries register.
_CACHES = ("HF_HOME", "HF_HUB_CACHE", "HF_DATASETS_CACHE", "KERAS_HOME", "NLTK_DATA")


def is_shared(path: str, temporary: str) -> bool:
    """Return whether a file is no result of a script: what is written there stays there.

    Parameters
    ----------
    path
        The whole path.
    temporary
        The folder of temporary files.
    """
    if path.startswith((temporary + os.sep, *_SYSTEM)):
        return True
    if any(part.startswith(".") or part in _FOLDERS for part in Path(path).parts):
        return True
    names = (*_CACHES, *(name for library in registered() for name in library.homes))
    caches = (os.path.abspath(os.environ[name]) for name in names if os.environ.get(name))
    return any(path.startswith(cache + os.sep) for cache in caches)
