"""Long sentences in lines: as wide as the terminal, and at most 100 letters."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterator

from symmetry.base.devices import Choice

MOST, _LEAST = 100, 40  # letters of a line of prose: longer ones are hard to read
WIDTH = Choice("width", MOST)  # where no terminal shows the lines, the same for everybody


def terminal_width() -> int:
    """Return the letters of a line of prose on this terminal."""
    return min(MOST, max(shutil.get_terminal_size((MOST, 1)).columns, _LEAST))


def folded(text: str, first: str = "", other: str = "  ") -> Iterator[str]:
    """Yield the lines of a text, broken between words: the ``first`` and each ``other`` begin so.

    Commands and paths stay in one piece, and so do the ends of lines that the text has.
    """
    for part in text.splitlines():
        yield from textwrap.wrap(
            part,
            WIDTH.get(),
            initial_indent=first,
            subsequent_indent=first + other,
            break_long_words=False,
            break_on_hyphens=False,
        )
