"""Notebooks as scripts: the code of their cells in order, with the cell of each line."""

from __future__ import annotations

import json
import linecache
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from symmetry.base.errors import SymmetryError

SUFFIX = ".ipynb"
# Magics, commands of a shell and help: IPython reads them, and Python does not.
_MAGIC = re.compile(r"\s*(?:%|!|\?)|^[\w.]+\?{1,2}\s*$|^[\w, ]+=\s*[%!]")


class CellLine(NamedTuple):
    """A line of a notebook."""

    cell: int  # the number of its cell, from 1: cells of text count
    line: int  # in the cell, from 1
    text: str  # with its end


def code_in(file: str | Path) -> bytes:
    """Return the Python code of a file, or of the cells of a notebook, in order.

    Raises
    ------
    SymmetryError
        If a notebook has a magic, or cannot be read.
    OSError
        If there is no such file.
    """
    path = Path(file)
    if path.suffix != SUFFIX:
        return path.read_bytes()
    lines = cell_lines(path)
    for each in lines:
        if _MAGIC.match(each.text):
            raise SymmetryError(
                f"{path.name}: cell {each.cell}, line {each.line} is no Python: "
                f"{each.text.strip()}; leave it out"
            )
    texts = [each.text for each in lines]
    linecache.cache[str(file)] = (sum(map(len, texts)), None, texts, str(file))
    return "".join(texts).encode()


def cell_lines(file: Path) -> list[CellLine]:
    """Return the lines of the cells of a notebook that have code.

    Raises
    ------
    SymmetryError
        If it is no notebook.
    """
    try:
        return [*_lines(json.loads(file.read_text("utf-8"))["cells"])]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SymmetryError(
            f"{file.name} is no notebook that can be read: {error}; save it again"
        ) from None


def _lines(cells: list[dict[str, Any]]) -> Iterator[CellLine]:
    for number, cell in enumerate(cells, 1):
        if cell["cell_type"] == "code":
            text = cell["source"] if isinstance(cell["source"], str) else "".join(cell["source"])
            for line, each in enumerate(text.splitlines(), 1):
                yield CellLine(number, line, f"{each}\n")


def text_lines(file: str) -> list[str]:
    """Return the lines of a file of Python or of a notebook; empty if it cannot be read."""
    if not file.endswith(SUFFIX):
        linecache.checkcache(file)
        return linecache.getlines(file)
    try:
        return code_in(file).decode().splitlines(keepends=True)
    except (OSError, SymmetryError):
        return []


def cell_of(file: str | None, line: int | None) -> CellLine | None:
    """Return the line of a cell for a line of a notebook's code; None for another file."""
    if not file or not line or not file.endswith(SUFFIX):
        return None
    try:
        return cell_lines(Path(file))[line - 1]
    except (OSError, SymmetryError, IndexError):
        return None
