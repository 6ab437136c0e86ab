"""``symmetry skill``: instructions for a coding agent that changes training code."""

from __future__ import annotations

from pathlib import Path

import click

from symmetry.base.errors import OK
from symmetry.cli.options import PATH, option
from symmetry.cli.screen import say

NAME = "check-training-code"  # of the folder into which the page is written
FILE = "SKILL.md"
_PAGE = Path(__file__).parents[1] / "report" / "templates" / "skill.md"


def page() -> str:
    """Return the instructions."""
    return _PAGE.read_text("utf-8")


@click.command("skill", short_help="Print instructions for a coding agent, or install them.")
@option(
    "--install",
    "DIR",
    f"Write them as DIR/{NAME}/{FILE}, where agents look for skills, such as .claude/skills.",
    kind=PATH,
)
def command(install: Path | None) -> int:
    """Print instructions for a coding agent that writes or changes training code.

    They say which command to run after which edit, how to read its JSON, how to prove a suspicion,
    how to compare before and after a refactoring, and what never to do.

    Exit status: 0 they are printed or written, 2 they could not be written.
    """
    if install is None:
        say(page().rstrip("\n"))
        return OK
    from symmetry.base.files import writable_directory, write_all

    folder = install / NAME
    writable_directory(folder, FILE)
    write_all({folder / FILE: page()})
    say(f"wrote {folder / FILE}")
    return OK
