"""A module of the user's that has the name of this package: the code of the user imports it."""

from __future__ import annotations

import builtins
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import patch

_PACKAGE = Path(__file__).parents[1]
NAME = _PACKAGE.name


class Namesake:
    """The modules of the name of this package in the folders of one script, if there are any.

    Only the import statements of code that is not ours find them, and only while the script runs.
    """

    def __init__(self, homes: Iterable[Path]) -> None:
        places = [place for home in homes for place in (home / NAME, home / f"{NAME}.py")]
        self._is_there = any(p.exists() and not p.samefile(_PACKAGE) for p in places)
        self._theirs, self._others = False, dict[str, ModuleType]()  # those that are not in place

    @contextmanager
    def imported(self) -> Iterator[None]:
        """Let the script import them while the block runs."""
        if not self._is_there:
            yield
            return
        plain = builtins.__import__

        def imported(name: str, scope: Mapping[str, Any] | None = None, *more: Any) -> Any:
            level = more[2] if len(more) > 2 else 0
            whole = (scope or {}).get("__package__") or "" if level else name
            theirs = not _is_ours(scope or {})
            if whole.partition(".")[0] != NAME or theirs == self._theirs:
                return plain(name, scope, *more)
            self._exchange()
            try:
                return plain(name, scope, *more)
            finally:
                self._exchange()

        with patch.object(builtins, "__import__", imported):
            yield

    def _exchange(self) -> None:
        """Exchange the modules of the name that are in place for the others."""
        there = {name: m for name, m in sys.modules.items() if name.partition(".")[0] == NAME}
        for name in there:
            del sys.modules[name]
        sys.modules.update(self._others)
        self._theirs, self._others = not self._theirs, there


def _is_ours(scope: Mapping[str, Any]) -> bool:
    return str(scope.get("__file__")).startswith(f"{_PACKAGE}{os.sep}")
