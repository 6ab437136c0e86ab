"""The outcome of a check on the screen and in files, and the exit status that it means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from symmetry.base.errors import FAILED, FOUND, OK, SymmetryError
from symmetry.base.memory import used
from symmetry.base.records import dump
from symmetry.cli.options import STANDARD, as_typed
from symmetry.cli.screen import say

if TYPE_CHECKING:
    from symmetry.checker.verdict import Checked
    from symmetry.explanation.explained import Explained

_COLORS = {OK: "green", FOUND: "red", FAILED: "yellow"}


@dataclass(frozen=True)
class Output:
    """How a check is printed, and where it is written."""

    format_: str  # the format of the printed result
    json: Path | None  # file of the result
    output: Path | None  # directory of the Markdown report
    # File of the line that a process sends to the one that checks several targets.
    line: Path | None = None
    # Whether nothing is printed of a check that passes; False if every verdict is printed.
    quiet: bool | None = None

    @classmethod
    def of(cls, options: dict[str, Any]) -> Output:
        """Take what concerns it out of the options of a check."""
        output = cls(**{each.name: options.pop(each.name) for each in fields(cls)})
        if output.json != STANDARD:
            return output
        if output.format_ not in ("text", "json"):
            raise click.UsageError(
                f"--json - and --format {output.format_} cannot both be printed."
            )
        return replace(output, json=None, format_="json")

    @property
    def verbose(self) -> bool:
        """Whether every verdict is printed."""
        return self.quiet is False

    @property
    def text(self) -> bool:
        """Whether the result is printed for people."""
        return self.format_ == "text"

    @property
    def logged(self) -> bool:
        """Whether the answer is printed as well, for a log: the result goes into a file."""
        return self.format_ in ("sarif", "junit")

    @property
    def listing(self) -> bool:
        """Whether each verdict is printed as it comes."""
        return self.verbose and self.text

    def refuse(self, report: str) -> None:
        """Refuse files that cannot be written, before anything is checked."""
        from symmetry.base.files import writable_directory, writable_files

        if self.json and self.output and self.json.resolve() == self.output.resolve():
            raise click.UsageError("--json and --output are to be different paths.")
        writable_files(self.json)
        if self.output is not None:
            writable_directory(self.output, report)

    def write(self, contents: Mapping[Path, str | bytes]) -> None:
        """Write files and print their names: beside the result, if programs read that."""
        from symmetry.base.files import write_all

        write_all(contents)
        for file in contents:
            say(f"wrote {file}", err=not self.text)


class NothingProvedError(SymmetryError):
    """A check that was printed, and proved nothing."""


def conclude(
    checked: Checked, explained: Explained | None, output: Output, status: int | None = None
) -> int:
    """Print a check, write its files, and return the exit status: its own, or ``status``.

    Raises
    ------
    NothingProvedError
        If the check proved nothing.
    """
    from symmetry.report.formats.formats import render
    from symmetry.report.verdicts import conclusion, judged, summary

    if output.quiet and output.text and checked.status == OK:
        pass
    elif not output.text:
        text = render(output.format_, checked, explained, status=status, whole=output.verbose)
        if text:
            say(text)
        _log_answer(checked, explained, output)
    elif output.verbose:
        _print_details(checked, explained)
    else:
        _print_answer(checked, explained)
    _write(checked, explained, output, status)
    code = checked.status
    if code == FAILED:
        raise NothingProvedError(conclusion(checked))
    if output.listing:
        say(f"{conclusion(checked)} ({judged(checked)}; verdicts: {summary(checked.verdicts)})")
    return code


def refuse(target: str, why: str, output: Output, status: int = FAILED) -> None:
    """Print and write that a target could not be checked: programs get their format always."""
    from symmetry.base.files import write_all
    from symmetry.report.brief import failed_json
    from symmetry.report.formats.formats import render_failed

    if not output.text and (text := render_failed(output.format_, target, why, status)):
        say(text)
    if output.json is not None and output.line is None:
        write_all({output.json: f"{failed_json(target, why, status)}\n"})


def _log_answer(checked: Checked, explained: Explained | None, output: Output) -> None:
    """Print the answer for the log of a CI system, whose result goes into a file."""
    from symmetry.report.answer import lines

    if output.logged and not (output.quiet and checked.status == OK):
        for text in lines(checked, explained):
            say(text, err=True)


def _print_answer(checked: Checked, explained: Explained | None) -> None:
    """Print the answer; the first lines of problems stand out on a terminal."""
    from symmetry.report.answer import blocks

    code = checked.status
    (headline, *conditions), *others, rest = blocks(checked, explained)
    say(click.style(headline, bold=True, fg=_COLORS[code]))
    for text in conditions:
        say(text)
    for first, *more in others:
        for text in ("", click.style(first, bold=True), *more):
            say(text)
    for text in ("", *rest) if rest else ():
        say(text)


def _print_details(checked: Checked, explained: Explained | None) -> None:
    """Print all that is known of failures, behind the table of verdicts."""
    from symmetry.report.explained import lines
    from symmetry.report.failures import failures
    from symmetry.report.verdicts import remarks

    for heading, *facts in failures(checked):
        for text in ("", click.style(heading, bold=True), *facts):
            say(text)
    for text in (*(() if explained is None else ("", *lines(explained))), "", *remarks(checked)):
        say(text)


def _write(
    checked: Checked, explained: Explained | None, output: Output, status: int | None
) -> None:
    """Write the files that were asked for."""
    from symmetry.base.files import write_all
    from symmetry.report.checked import render_checked
    from symmetry.report.formats.formats import render
    from symmetry.report.table import line_of

    contents: dict[Path, str | bytes] = {}
    if output.json is not None:
        text = render("json", checked, explained, status=status, whole=output.verbose)
        contents[output.json] = f"{text}\n"
    if output.output is not None:
        contents |= render_checked(checked, as_typed()).contents(output.output)
    output.write(contents)
    if output.line is not None:
        write_all({output.line: dump({**line_of(checked, explained), **used()})})
