"""How templates are filled in, and what numbers and names look like in them."""

import re
import shlex
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jinja2

from symmetry.base.names import typed
from symmetry.units.words import count, groups_in_words, in_ulps

_FENCED = re.compile(r"(^```\w*\n.*?^```$)", re.DOTALL | re.MULTILINE)


def percent(accuracy: float) -> str:
    """Return an accuracy as ``25.21 %``."""
    return f"{accuracy:.2f} %"


def relative(value: float | None) -> str:
    """Return a relative difference: ``0``, ``1.7e-04``, ``0.83``; ``-`` for none."""
    if value is None or not value:
        return "-" if value is None else "0"
    return f"{value:.2f}" if value >= 0.1 else f"{value:.1e}"


def code(name: str) -> str:
    """Return a name as code, safe in Markdown tables."""
    return f"`{''.join(c if c.isprintable() and c not in '`|' else '?' for c in name)}`"


def data_name(name: str) -> str:
    """Return the name of a data set, safe in Markdown whatever its directory is called."""
    return name if name.isalnum() else code(name)


def command_line(command: str, *arguments: str, **options: Any) -> str:
    """Return a line for a shell that runs ``symmetry``; options have ``_`` for ``-``.

    True stands for one without a value, a tuple for one that is given several times; None and False
    leave it out. The arguments of a script that is named follow ``--``.
    """
    words, tail = ["symmetry", command], list[str]()
    for name in arguments:
        own, its = typed(name)
        words += own
        tail += its
    for name, value in options.items():
        for each in value if isinstance(value, tuple) else (value,):
            if each is not None and each is not False:
                words.append("--" + name.replace("_", "-"))
                words += [] if each is True else [str(each)]
    return shlex.join([*words, *(["--", *tail] if tail else [])])


def call(function: str, argument: str, **options: Any) -> str:
    """Return a call in Python; options without a value are left out."""
    given = (f", {name}={value!r}" for name, value in options.items() if value)
    return f"{function}({argument}{''.join(given)})"


def environment(*folders: Path) -> jinja2.Environment:
    """Return where templates are found: in these folders, then among the package's own.

    A value that a template needs and does not get is an error.
    """
    templates = jinja2.Environment(
        loader=jinja2.FileSystemLoader([*folders, Path(__file__).with_name("templates")]),
        autoescape=jinja2.select_autoescape(["html.jinja"]),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    templates.filters |= {"percent": percent, "relative": relative, "code": code, "repr": repr}
    templates.filters |= {"loss": "{:.6f}".format, "number": "{:,}".format}
    words = (count, data_name, groups_in_words, in_ulps, zip)
    templates.globals |= {word.__name__: word for word in words}
    return templates


def fill_in(template: str | Path, *words: Callable[..., Any], **facts: Any) -> str:
    """Fill in a template, by name or file, which may call the functions ``words`` by name."""
    named = {word.__name__.lstrip("_"): word for word in words}
    file = Path(template)
    return environment(file.parent).get_template(file.name).render(named | facts)


def render(template: str | Path, *words: Callable[..., Any], **facts: Any) -> str:
    """Fill in a template of Markdown, and then its paragraphs."""
    return fill_paragraphs(fill_in(template, *words, **facts))


def fill_paragraphs(markdown: str) -> str:
    """Break the lines of paragraphs anew, so that a template may break them anywhere."""
    blocks = []
    for number, piece in enumerate(_FENCED.split(markdown.strip())):
        if number % 2:  # code, whose blank lines end no paragraph
            blocks.append(piece.strip("\n"))
        else:
            blocks += [_filled(block) for block in piece.split("\n\n") if block.strip()]
    return "\n\n".join(blocks) + "\n"


def _filled(block: str) -> str:
    """Fill a block of Markdown unless its lines mean something."""
    block = block.strip("\n")
    if block.startswith(("#", "|", "![", "<!--", "<details", "- ")):
        return block
    text = " ".join(block.split()).replace(" %", "\0%")  # a number and its % stay together
    filled = textwrap.fill(text, 100, break_long_words=False, break_on_hyphens=False)
    return filled.replace("\0", " ")
