"""The invariants that the last check of a target found violated: ``explain`` begins with them.

They lie in the user's cache folder, in one file for each target. The file is only a hint: each is
measured again before it is explained. So a file that is old, wrong or damaged may cost time, and
makes no explanation wrong.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from symmetry.base.errors import SymmetryError
from symmetry.base.files import content, keep
from symmetry.base.folders import cache_folder

if TYPE_CHECKING:
    from symmetry.checker.options import Options
    from symmetry.checker.verdict import Checked

_MOST = 200  # files that are kept, of 200 bytes each: the targets of some weeks


@dataclass(frozen=True)
class Known:
    """The violations that a check of a target found."""

    invariants: tuple[str, ...]  # violated ones that are not about units and samples
    exchanges: bool  # whether an invariant of units or samples is violated
    whole: bool  # whether all invariants were measured

    @property
    def words(self) -> str:
        """A sentence that says which part of an explanation is taken from the check."""
        if not self.invariants:
            return "the last check found no other invariant violated: none is measured again"
        names = ", ".join(self.invariants)
        return f"the last check found {names} violated: only that is measured again"


def remember(checked: Checked, options: Options) -> None:
    """Keep the violations of a check, for an explanation of the same files."""
    violated = [v for v in checked.verdicts if v.kind == "violated"]
    invariants = (v.invariant for v in violated if not v.about.exchanges)
    chosen = options.only or options.skip or options.draw or options.arguments
    known = Known(
        invariants=tuple(dict.fromkeys(invariants)),
        exchanges=any(v.about.exchanges for v in violated),
        whole=checked.complete and not (chosen or checked.cut),
    )
    # No folder, no room, or a package that was never installed: the next one takes longer.
    with suppress(SymmetryError, OSError, PackageNotFoundError):
        if key := _key(checked.target, options.seed):
            keep(_file(checked.target), json.dumps({"key": key, **asdict(known)}), _MOST)


def recall(target: str, seed: int) -> Known | None:
    """Return the violations that the last check found; None without one of these very files."""
    try:
        found = json.loads(content(_file(target)) or b"{}")
        if found.pop("key", "") != _key(target, seed):
            return None
        return Known(**{**found, "invariants": tuple(map(str, found["invariants"]))})
    except (ValueError, TypeError, KeyError, AttributeError):  # damaged, or of another version
        return None


def _file(target: str) -> Path:
    """Return the file of a target in this folder."""
    place = _hash(os.fsencode(Path.cwd()), target.encode())
    return cache_folder() / f"{place}.json"


def _key(target: str, seed: int) -> str:
    """Return a text that differs if a file of the target does; empty if it has no file."""
    from symmetry.targets.imports import files_of

    files = files_of(target)
    contents = (part for file in files for part in (os.fsencode(file), content(file) or b""))
    return _hash(version("unit-symmetry").encode(), str(seed).encode(), *contents) if files else ""


def _hash(*parts: bytes) -> str:
    lengths: Iterator[bytes] = (f"{len(part)} ".encode() + part for part in parts)
    return hashlib.sha256(b"".join(lengths)).hexdigest()[:32]
