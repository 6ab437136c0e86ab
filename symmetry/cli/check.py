"""``symmetry check``: put the invariants to a training step."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from symmetry.cli import FOUND, OK
from symmetry.cli.options import GivenPath
from symmetry.errors import SymmetryError

if TYPE_CHECKING:
    from symmetry.checker.case import Case
    from symmetry.checker.verdict import Checked, Verdict
    from symmetry.invariants.catalogue import Invariant
    from symmetry.targets.trainer import Trainer

_DTYPES = ("float32", "float64")
_REPEATABLE = "symmetry/repeatable"
_ERRATIC = (
    f"{_REPEATABLE} is violated: what depends on chance or on earlier runs need not fail again by "
    "itself"
)
_FILE = GivenPath()


@click.command("check")
@click.argument("trainer", default="numba")
@click.option(
    "--only",
    multiple=True,
    metavar="PATTERN",
    help="Check the invariants whose full name matches, such as 'network/*'. Repeatable.",
)
@click.option(
    "--skip",
    multiple=True,
    metavar="PATTERN",
    help="Leave these out; wins over --only. Repeatable.",
)
@click.option(
    "--examples",
    type=click.IntRange(min=1),
    default=100,
    show_default=True,
    metavar="N",
    help="Number of cases for each dtype.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    metavar="N",
    help="Seed of the list of cases; another one explores others.",
)
@click.option(
    "--dtype", type=click.Choice(_DTYPES), multiple=True, help="Repeatable.  [default: both]"
)
@click.option(
    "--allow",
    type=click.Choice(["rounding"]),
    multiple=True,
    help="Do not mind violations that the rounding of single steps explains.",
)
@click.option(
    "--expect-failure",
    multiple=True,
    metavar="NAME=REASON",
    help="This invariant is known to be violated; if it is not, that is an error. Repeatable.",
)
@click.option(
    "--case",
    metavar="JSON|FILE",
    help="Run this case, or those in a file, one a line, instead of a list.",
)
@click.option("--json", type=_FILE, metavar="FILE", help="Write the verdicts there, for programs.")
@click.option(
    "--script",
    type=_FILE,
    metavar="FILE",
    help="Write a Python script there that reproduces a violation.",
)
@click.option(
    "--output", type=_FILE, metavar="DIR", help="Write invariants.md there: what was checked."
)
@click.option("--list", "list_", is_flag=True, help="Print the invariants, and check nothing.")
def command(
    trainer: str,
    only: tuple[str, ...],
    skip: tuple[str, ...],
    examples: int,
    seed: int,
    dtype: tuple[str, ...],
    allow: tuple[str, ...],
    expect_failure: tuple[str, ...],
    case: str | None,
    json: Path | None,
    script: Path | None,
    output: Path | None,
    list_: bool,
) -> int:
    """Check a training step against the invariants, on many generated cases.

    TRAINER is numba (the default: this project's own core), numpy, torch, torch-autograd or jax; or
    your own, as package.module:attribute or path/to/file.py:attribute. It is called as
    step(x, y, w1, w2, lr) and returns the new (w1, w2).

    Of what goes wrong the smallest case is printed, and the command that repeats it.

    Exit status: 0 nothing is violated, 1 something is, or the step does not work; 2 the command
    could not do its work, or nothing was checked.
    """
    if list_:
        return _list(only, skip)
    from symmetry.checker.check import applicable, check, require_sense
    from symmetry.checker.verdict import Checked
    from symmetry.cli.verdicts import display
    from symmetry.targets.resolve import resolve_step

    expected = dict(map(_expectation, expect_failure))
    require_sense(expected)
    dtypes = tuple(d for d in _DTYPES if d in dtype or not dtype)
    cases = _draw(examples, seed, dtypes) if case is None else _read(case, dtypes)
    _probe(json, script, output)
    subject = resolve_step(trainer)
    invariants = applicable(subject, only, skip)
    number = examples if case is None else len(cases)
    with display() as show:
        for text in _headline(subject, invariants, cases, None if case else seed):
            show.text(text)
        verdicts = check(
            subject,
            invariants,
            cases,
            allow_rounding="rounding" in allow,
            expected_failures=expected,
            shrinking=case is None,
            on_case=show.case,
            on_verdict=show.verdict,
        )
    checked = Checked(trainer, seed if case is None else None, number, verdicts)
    for text in _findings(checked, partly=not (only or subject.builtin)):
        click.echo(text)
    for text in _write(checked, json, script, output):
        click.echo(text)
    return _status(verdicts)


def _list(only: tuple[str, ...], skip: tuple[str, ...]) -> int:
    from symmetry.invariants.catalogue import select

    for invariant in select(only, skip):
        click.echo(invariant.name)
        for label in ("statement", "reason", "witness", "trainers", "compared"):
            click.echo(f"  {label:<10} {getattr(invariant, label)}")
    return OK


def _expectation(text: str) -> tuple[str, str]:
    name, separator, reason = text.partition("=")
    if not (name and separator and reason.strip()):
        raise click.UsageError(f"--expect-failure takes NAME=REASON, not {text!r}.")
    return name, reason.strip()


def _draw(examples: int, seed: int, dtypes: tuple[str, ...]) -> tuple[Case, ...]:
    from symmetry.checker.strategies import draw_cases

    return draw_cases(examples, seed, dtypes)


def _read(text: str, dtypes: tuple[str, ...]) -> tuple[Case, ...]:
    """Parse the cases in an argument or in the file it names, and keep those of the dtypes."""
    from symmetry.checker.case import CaseError, parse_cases

    where = "--case"
    if not text.lstrip().startswith(("{", "[")):
        where, text = text, _content(text)
    try:
        cases = parse_cases(text)
    except CaseError as error:
        raise SymmetryError(f"{where}: {error}") from None
    chosen = tuple(case for case in cases if case.dtype in dtypes)
    if not chosen:
        raise SymmetryError(f"{where}: no case is in {dtypes[0]}")
    return chosen


def _content(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SymmetryError(
            f"--case takes a case in JSON or a file of cases, and {path!r} cannot be read: {reason}"
        ) from None


def _probe(json: Path | None, script: Path | None, output: Path | None) -> None:
    """Find out before checking whether everything can be written after it."""
    from symmetry.report.files import writable_directory, writable_file
    from symmetry.report.invariants import MARKDOWN

    for path in (json, script):
        if path is not None:
            writable_file(path)
    if output is not None:
        writable_file(writable_directory(output) / MARKDOWN)


def _headline(
    trainer: Trainer, invariants: tuple[Invariant, ...], cases: tuple[Case, ...], seed: int | None
) -> tuple[str, ...]:
    """Say what is checked, on what, and under which conditions."""
    from symmetry.checker import threads
    from symmetry.units.words import count

    dtypes = tuple(dict.fromkeys(case.dtype for case in cases))
    number = count(len(cases) // len(dtypes), "case")
    listed = f"{number} in {' and in '.join(dtypes)}, seed {seed}"
    given = f"{count(len(cases), 'given case')}"
    what = f"{trainer.name}: {count(len(invariants), 'invariant')} on"
    return f"{what} {given if seed is None else listed}", threads.in_words(), ""


def _findings(checked: Checked, *, partly: bool) -> tuple[str, ...]:
    """Return what is to be said after the lines of the verdicts."""
    from symmetry.report.verdicts import command_line, facts_in_lines, summary

    texts = []
    if partly:
        texts.append(
            "network/* not checked: add --only '*' if your step is meant to be these formulas"
        )
    for verdict in checked.verdicts:
        if verdict.case is not None and verdict.kind != "expected failure":
            command = command_line(checked.trainer, verdict)
            heading, *facts = facts_in_lines(verdict, command)
            texts += ["", click.style(heading, bold=True), *facts]
    if any(v.invariant == _REPEATABLE and v.kind == "violated" for v in checked.verdicts):
        texts += ["", _ERRATIC]
    return (*texts, "", summary(checked.verdicts))


def _write(
    checked: Checked, json: Path | None, script: Path | None, output: Path | None
) -> tuple[str, ...]:
    """Write the files that were asked for, and say which."""
    from symmetry.report.files import write_all
    from symmetry.report.invariants import MARKDOWN, render_invariants
    from symmetry.report.script import render_script
    from symmetry.report.verdicts import to_json

    contents, texts = {}, []
    if json is not None:
        contents[json] = to_json(checked)
    if output is not None:
        contents[output / MARKDOWN] = render_invariants(checked, _command_line())
    if script is not None:
        failure = _to_reproduce(checked.verdicts)
        if failure is not None:
            contents[script] = render_script(checked.trainer, failure)
        else:
            texts.append(f"there is nothing to reproduce: {script} was not written")
    write_all({path: text.encode() for path, text in contents.items()})
    return (*(f"wrote {path}" for path in contents), *texts)


def _to_reproduce(verdicts: tuple[Verdict, ...]) -> Verdict | None:
    """Return the first failure; one that gates comes before the others.

    Where a trainer does not even repeat itself, only that is sure to happen again.
    """
    failures = [verdict for verdict in verdicts if verdict.case is not None]
    failures.sort(key=lambda verdict: (not verdict.gates, verdict.invariant != _REPEATABLE))
    return failures[0] if failures else None


def _command_line() -> str:
    """Return the command line that is being obeyed, as it would write the report again."""
    context = click.get_current_context()
    words = ["symmetry", "check"]
    for parameter in context.command.params:
        name = str(parameter.name)
        if context.get_parameter_source(name) is not ParameterSource.COMMANDLINE:
            continue
        value = context.params[name]
        for text in value if isinstance(value, tuple) else (value,):
            option = [] if isinstance(parameter, click.Argument) else [parameter.opts[0]]
            words += [*option, str(text)]
    return shlex.join(words)


def _status(verdicts: tuple[Verdict, ...]) -> int:
    from symmetry.checker.verdict import gate, nothing_checked

    if gate(verdicts):
        return FOUND
    if nothing_checked(verdicts):
        raise SymmetryError(
            "nothing was checked: no case had what it takes for any of the invariants to fail"
        )
    return OK
