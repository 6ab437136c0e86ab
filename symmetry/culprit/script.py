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
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from symmetry.culprit.call import Operation
from symmetry.culprit.dialect import Dialect
from symmetry.culprit.layout import Axis
from symmetry.culprit.material import Material, Numbers

_MOST_ATTEMPTS = 600
_SECONDS = 120.0
_SIZES = (1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 1024, 4096)
_ONE_THREAD = """\
import os

for library in ("OMP", "OPENBLAS", "MKL"):
    os.environ[f"{library}_NUM_THREADS"] = "1"

"""


@dataclass(frozen=True)
class Script:
    """A script and what it printed when it was run."""

    text: str
    shows: str


@dataclass(frozen=True, eq=False)
class Part:
    """One call of an operation.

    Attributes
    ----------
    operation
        What to call.
    operands
        For each operand what it is made from, and the index that cuts it out of that.
    result
        The number of the result that is judged, if ``judged`` is None.
    judged
        What the operation writes into and that is judged then.
    several
        Whether the operation returns several results.
    """

    operation: Operation
    operands: Sequence[tuple[Material, str]]
    result: int = 0
    judged: Material | None = None
    several: bool = False


@dataclass(frozen=True, eq=False)
class Draft:
    """What a script has to do.

    Attributes
    ----------
    parts
        The call whose result is asymmetric; or two calls, for an odd unit and for a usual one,
        whose results should be the same.
    axis
        Of one result, where the hidden units are; of two results, where there may be more or less
        of the same, or None.
    comment
        What the script shows, in one line.
    random
        Whether random numbers are drawn.
    apart
        The shape that takes the axis of the units apart, if another one was merged into it. The
        units then have the axis behind it.
    """

    parts: Sequence[Part]
    axis: Axis | None
    comment: str
    random: bool = False
    apart: tuple[int, ...] | None = None


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
        self._dialect = Dialect(draft.parts[0].operation.module)
        operands = [operand for part in draft.parts for operand in part.operands]
        self._materials = list(dict.fromkeys(material for material, _ in operands))
        self._whole = not any(index for _, index in operands)
        self._attempts = 0
        self._dense = True

    def texts(self) -> Iterator[str]:
        """Yield scripts that show it in this process, the simplest first."""
        kinds: tuple[Numbers, ...] = ("simple", "positive")
        for self._dense, numbers in product((True, False), kinds):
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
        return text.replace("import numpy", _ONE_THREAD + "import numpy", 1)

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
        if not self._whole or self._draft.apart is not None:
            return []
        found = {n for material in self._materials for n in material.values.shape}
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
        names = dict(zip(self._materials, "abcdefghijklmnopqrstuvwxyz", strict=False))
        made = [m.write(self._dialect, sizes, numbers, dense=self._dense) for m in names]
        steps = [self._call(part, names) for part in self._draft.parts]
        if None in made or None in steps or len(names) < len(self._materials):
            return None
        lines = [f"# {self._draft.comment}", self._dialect.imports, ""]
        lines += [self._dialect.seed] if self._draft.random else []
        lines += [f"{name} = {text}" for name, text in zip(names.values(), made, strict=True)]
        lines += [line for step in steps if step is not None for line in step[0]]
        results = [step[1] for step in steps if step is not None]
        lines += self._compare_units(*results) if len(results) == 1 else self._compare(*results)
        return "\n".join(lines) + "\n"

    @staticmethod
    def _call(part: Part, names: Mapping[Material, str]) -> tuple[list[str], str] | None:
        """Return the lines before a result can be had, and the expression of the result."""
        call = part.operation.write([names[material] + index for material, index in part.operands])
        if call is None:
            return None
        if part.judged is not None:
            return [call], names[part.judged]
        return [], f"{call}[{part.result}]" if part.several else call

    def _compare_units(self, result: str) -> list[str]:
        axis = self._draft.axis
        if axis is not None:
            apart = self._draft.apart
            if apart is not None:
                result += f".reshape({', '.join(map(str, apart))})"
            result = self._dialect.units_first(result, axis.number + (apart is not None))
            if axis.before or axis.after:
                result += f"[{axis.before or ''}:{-axis.after or ''}]"
        differ = self._dialect.differ("units[u]", "units[0]")
        return [
            f"units = {result}",
            f"differing = [u for u in range(len(units)) if {differ}]",
            'print("units that differ from unit 0:", differing)',
        ]

    def _compare(self, odd: str, usual: str) -> list[str]:
        axis = self._draft.axis
        if axis is not None:
            odd, usual = (self._dialect.units_first(r, axis.number) + "[0]" for r in (odd, usual))
        return [
            f"odd = {odd}",
            f"usual = {usual}",
            f"differing = {self._dialect.differ('odd', 'usual')}",
            'print("the two results differ:", differing)',
        ]


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
    printed = str(done.stdout).strip()
    shown = done.returncode == 0 and not printed.endswith(("[]", "False"))
    return printed if shown else ""
