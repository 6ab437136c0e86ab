"""The templates that lie beside this file, and how they are filled in."""

from __future__ import annotations

import textwrap
from pathlib import Path

import jinja2


def environment() -> jinja2.Environment:
    """Return where templates are found; a value that one needs and does not get is an error."""
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def fill_paragraphs(markdown: str) -> str:
    """Break the lines of paragraphs anew, so that a template may break them where it likes."""
    blocks = [block for block in markdown.strip().split("\n\n") if block.strip()]
    return "\n\n".join(map(_filled, blocks)) + "\n"


def _filled(block: str) -> str:
    """Fill a block of Markdown unless its lines mean something."""
    block = block.strip("\n")
    if block.startswith(("#", "|", "```", "![", "<!--")):
        return block
    text = " ".join(block.split()).replace(" %", "\0%")  # a number and its % stay together
    filled = textwrap.fill(text, 100, break_long_words=False, break_on_hyphens=False)
    return filled.replace("\0", " ")
