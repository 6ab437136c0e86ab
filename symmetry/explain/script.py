"""A script of a few lines that shows one operation telling equal units apart, all by itself.

The recorded operands may be large, and their numbers anything. So the search begins with simple
numbers in operands of the same layout, makes those as small as they can be while the script still
shows it, and only then tries the recorded numbers. A script is returned after it has been run in a
process of its own.
"""

from __future__ import annotations

import subprocess
import sys
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from symmetry.explain.draft import Dialect, Material, Numbers
from symmetry.explain.layout import Layout
from symmetry.explain.record import Operation

_MOST_ATTEMPTS = 600
_SECONDS = 120.0
_SIZES = (1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 1024, 4096)
_SHOWN = "units that differ from unit 0:"
_ONE_THREAD = {
    "numpy": (
        "import os",
        "",
        'for library in ("OMP", "OPENBLAS", "MKL"):',
        '    os.environ[f"{library}_NUM_THREADS"] = "1"',
        "",
    ),
    "torch": (),
}


@dataclass(frozen=True)
class Script:
    """A script and what it printed when it was run."""

    text: str
    shows: str


@dataclass(frozen=True, eq=False)
class Draft:
    """What a script has to do.

    Attributes
    ----------
    operation
        The operation to perform.
    variables
        What is made first.
    operands
        For each operand the number of its variable and the index that cuts it out of that.
    target
        The number of the result that is judged; or, if ``judged`` is not None, ignored.
    judged
        The number of the variable that the operation writes into and that is judged.
    several
        Whether the operation returns several results.
    layout
        Where the hidden units are in what is judged.
    comment
        What the script shows, in one line.
    random
        Whether the operation draws random numbers.
    """

    operation: Operation
    variables: Sequence[Material]
    operands: Sequence[tuple[int, str]]
    target: int
    judged: int | None
    several: bool
    layout: Layout
    comment: str
    random: bool


def write(draft: Draft) -> Script | None:
    """Return a short script that shows it when it is run by itself; None if none was found."""
    search = _Search(draft)
    for text in search.texts():
        for lines in (text, search.in_one_thread(text)):
            if shows := _run_alone(lines):
                return Script(lines, shows)
    return None


class _Search:
    """Looks for simple numbers and small sizes that still show it."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._dialect = Dialect(draft.operation.module)
        self._attempts = 0

    def texts(self) -> Iterator[str]:
        """Yield scripts that show it in this process, the simplest first."""
        for numbers in ("simple", "positive"):
            if self._shows({}, numbers):
                yield self._text(self._shrink({}, numbers), numbers) or ""
                break
        for most in (size for size in _SIZES if size <= 64):
            sizes = {size: most for size in self._sizes() if size > most}
            if self._shows(sizes, "exact"):
                yield self._text(sizes, "exact") or ""
                return

    def in_one_thread(self, text: str) -> str:
        """Return the script with all libraries limited to one thread."""
        if self._dialect.module == "torch":
            return text.replace("import torch\n", "import torch\n\ntorch.set_num_threads(1)\n", 1)
        limits = "\n".join(_ONE_THREAD["numpy"])
        return text.replace("import numpy", f"{limits}\nimport numpy", 1)

    def _shrink(self, sizes: dict[int, int], numbers: Numbers) -> dict[int, int]:
        """Make one axis length after the other as small as it can be."""
        smaller = True
        while smaller:
            smaller = False
            for size in self._sizes():
                now = sizes.get(size, size)
                for candidate in (c for c in _SIZES if c < now):
                    tried = sizes | {size: candidate}
                    if self._shows(tried, numbers):
                        sizes, smaller = tried, True
                        break
        return sizes

    def _sizes(self) -> list[int]:
        """Return the axis lengths that may change, the largest first."""
        if any(index for _, index in self._draft.operands):
            return []
        found = {n for material in self._draft.variables for n in material.values.shape}
        return sorted((n for n in found if n > 1), reverse=True)

    def _shows(self, sizes: dict[int, int], numbers: Numbers) -> bool:
        """Return whether the script with these sizes shows it in this process."""
        self._attempts += 1
        text = self._text(sizes, numbers)
        if text is None or self._attempts > _MOST_ATTEMPTS:
            return False
        names: dict[str, Any] = {"print": lambda *_: None}
        try:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                exec(text, names)
        except Exception:  # sizes that do not go together
            return False
        return bool(names["differing"])

    def _text(self, sizes: dict[int, int], numbers: Numbers) -> str | None:
        """Write the script down."""
        draft, dialect = self._draft, self._dialect
        names = "abcdefghijklmnopqrstuvwxyz"[: len(draft.variables)]
        made = [material.write(dialect, sizes, numbers) for material in draft.variables]
        call = draft.operation.write([names[n] + index for n, index in draft.operands])
        if call is None or None in made or len(names) < len(draft.variables):
            return None
        lines = [f"# {draft.comment}", dialect.imports, ""]
        if draft.random:
            lines.append(dialect.seed)
        lines += [f"{name} = {text}" for name, text in zip(names, made, strict=True)]
        if draft.judged is None:
            judged = f"{call}[{draft.target}]" if draft.several else call
        else:
            judged = names[draft.judged]
            lines.append(call)
        lines.append(f"units = {self._units(judged)}")
        lines.append(f"differing = [u for u in range(len(units)) if {dialect.differs}]")
        lines.append(f'print("{_SHOWN}", differing)')
        return "\n".join(lines) + "\n"

    def _units(self, name: str) -> str:
        (axis,) = self._draft.layout.axes
        moved = self._dialect.units_first(name, axis.number)
        if axis.before or axis.after:
            return f"{moved}[{axis.before or ''}:{-axis.after or ''}]"
        return moved


def _run_alone(text: str) -> str:
    """Run a script in a fresh interpreter; return what it prints if that shows a difference."""
    try:
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", text],
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    printed = done.stdout.strip()
    found = done.returncode == 0 and printed.startswith(_SHOWN) and not printed.endswith("[]")
    return printed if found else ""
