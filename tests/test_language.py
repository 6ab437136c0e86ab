"""Docstrings, comments and texts for users: no habit in them stops a reader."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import symmetry

PACKAGE = Path(symmetry.__file__).parent
_CODE = (
    "the (?:tool|code|script|command|run|step|step function|framework|library|libraries|process"
    "|child|parent|solver|checker|judge|model|module|optimi[sz]er|loader|compiler|dispatcher|hook"
    "|hooks|class|function|object|report|invariant|law|trace)"
)
HABITS = {
    name: re.compile(pattern, re.MULTILINE)
    for name, pattern in {
        "none": r"\bis none\b|\bwhat\b.*\bare none\b",
        "come to": r"\b(?:come|comes|came|coming) to\b",
        "so many": r"\b[Ss]o many\b",
        "by rights": r"\bby rights\b",
        "nobody": r"\b[Nn]obody\b",
        "no two": r"\b[Nn]o two\b",
        "a sentence that begins with Of": r"(?:^\s*|[.:] +)Of (?!course)",
        "that of": r"\bthat of\b",
        "alike as an adverb": r"\b[Aa]like\b",
        "beside as an adverb": r"\bbeside(?=[.,;:)]|\s+(?:and|or)\b|$)",
        "apart as an adjective": r"\b(?:be|is|are|was|were|come|stay|so) apart\b",
        "what as a subject": r"(?:^|[.:;] +)What\b(?! is\b[^.]*\?)[^.?\n]*(?:\n[^.?\n]+)*\.",
        "personified code": (
            rf"\b(?:{_CODE}|[Ii]t|[Tt]hey|which|that|`[\w.]+`) "
            r"(?:knows?|tells?|wants?|asks?|believes?|minds?|accuses?|sees?)\b"
        ),
    }.items()
}


@functools.cache
def texts() -> tuple[tuple[str, str], ...]:
    """Return where each text and comment of the package is, and the text."""
    return tuple(
        (f"{file.relative_to(PACKAGE)}:{line}", text)
        for file in sorted(PACKAGE.rglob("*.py"))
        for code in [file.read_text()]
        for line, text in (*_texts(ast.parse(code)), *_comments(code))
    )


def _texts(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield the docstrings and the strings with a space; in f-strings ``…`` stands for values."""
    inside: set[int] = set()
    for node in ast.walk(tree):  # an f-string comes before its pieces
        if id(node) in inside:
            continue
        if isinstance(node, ast.JoinedStr):
            inside |= {id(piece) for piece in node.values}
            text = "".join(
                piece.value if isinstance(piece, ast.Constant) else "…" for piece in node.values
            )
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            text = node.value
        else:
            continue
        if " " in text:
            yield node.lineno, _prose(text)


def _comments(code: str) -> Iterator[tuple[int, str]]:
    """Yield the comments, those of several lines as one."""
    for found in re.finditer(r"(?:^ *# .*\n)+|(?<=  )# .*$", code, re.MULTILINE):
        text = re.sub(r"^ *# ", "", found[0], flags=re.MULTILINE)
        yield code.count("\n", 0, found.start()) + 1, _prose(text)


def _prose(text: str) -> str:
    """Return a text without its code, and without the headings of parameters."""
    return re.sub(r"``.*?``|^ *[\w.*]+(?:, [\w.*]+)*$", "code", text, flags=re.M | re.S)


def habits(text: str) -> list[str]:
    """Return the names of the habits in a text."""
    return [name for name, pattern in HABITS.items() if pattern.search(text)]


@pytest.mark.parametrize("name", HABITS)
def test_the_package_is_free_of(name: str) -> None:
    assert [f"{where}: {text}" for where, text in texts() if HABITS[name].search(text)] == []
