"""``symmetry check``: put the invariants to targets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from symmetry.cli import FAILED, FOUND, OK
from symmetry.cli.child import enter
from symmetry.cli.options import case_option, dtype, flag, number, path, read_cases, several
from symmetry.cli.parent import isolated
from symmetry.cli.screen import say, terminal
from symmetry.errors import SymmetryError

if TYPE_CHECKING:
    from symmetry.api import Report
    from symmetry.checker.verdict import Verdict

_WORK = 3 * 10**9  # that may be spent on explaining: samples times inputs times units times steps


@click.command("check")
@click.argument("targets", nargs=-1, metavar="[NAME]...")
@several(
    "--only",
    "PATTERN",
    "Check the invariants whose full name matches, such as 'network/*'. Repeatable.",
)
@several("--skip", "PATTERN", "Leave these out; wins over --only. Repeatable.")
@number("--examples", "N", "Number of cases for each dtype.", 100)
@number("--seed", "N", "Seed of the list of cases; another one explores others.", 0, least=0)
@dtype("Repeatable.  [default: both]", multiple=True)
@flag("--exact", "Units must stay equal bit for bit: a split by rounding alone is a violation.")
@click.option(
    "--allow",
    type=click.Choice(["rounding"]),
    multiple=True,
    help="Changes nothing: rounding is allowed without --exact.",
)
@several(
    "--expect-failure",
    "NAME=REASON",
    "This invariant is known to be violated; if it is not, that is an error. Repeatable.",
)
@number("--min-samples", "N", "Every case has at least so many samples; BatchNorm wants 2.", 1)
@number("--steps", "K", "Of a training: how many steps the runs of training/* take.", 4, least=2)
@case_option("Run this case, or those in a file, one a line, instead of a list.")
@flag("--no-explain", "Do not look for the operation behind the first violation that repeats.")
@path("--json", "FILE", "Write the verdicts there, for programs.")
@path("--script", "FILE", "Write a Python script there that reproduces a violation.")
@path("--output", "DIR", "Write there, in Markdown, what was checked.")
@flag("--list", "Print the invariants, and check nothing.", "list_")
@isolated
def command(
    targets: tuple[str, ...],
    expect_failure: tuple[str, ...],
    case: str | None,
    json: Path | None,
    script: Path | None,
    output: Path | None,
    list_: bool,
    no_explain: bool,
    **options: Any,
) -> int:
    """Check PyTorch trainings, and two-layer training steps, against the invariants.

    NAME is your own, as package.module:attribute or path/to/file.py:attribute; or numba (the
    default: this project's own core), numpy, torch, torch-autograd or jax. A training is a function
    without parameters that returns (model, step). A step is called as step(x, y, w1, w2, lr), on
    many generated cases, and returns the new (w1, w2). The attribute may be a pattern, such as
    'models.py:train_*': each target that the file defines under such a name is checked.

    Of what fails the smallest case is printed, and the command that repeats it. The last line says
    what all verdicts mean.

    Exit status: 0 nothing is violated, 1 something is, or the target does not work; 2 the command
    could not do its work, or nothing was checked.
    """
    if list_:
        return _list(options["only"], options["skip"])
    targets = targets or ("numba",)
    names, left_out = _expand(targets)
    several = len(names) > 1 or names != targets
    if several and script:
        raise click.UsageError("--script is of one target, and these may be several.")
    options["explained"] = not no_explain
    options["expected_failures"] = dict(map(_expectation, expect_failure))
    options["cases"] = None if case is None else read_cases(case)
    _probe(json, script, output, several=several)
    if several:
        return _check_several(names, left_out, options, json, output)
    return _check_one(names[0], options, json, script, output)


def _check_one(
    name: str,
    options: Mapping[str, Any],
    json: Path | None,
    script: Path | None,
    output: Path | None,
) -> int:
    """Check one target, write the files that are asked for, and say last what it all means."""
    from symmetry.checker.verdict import exit_code
    from symmetry.report.verdicts import conclusion, last_line

    report = _check(name, options)
    for text in _write(report, json, script, output):
        say(text)
    code = exit_code(report)
    if code == FAILED:
        raise SymmetryError(conclusion(report.verdicts))
    say(last_line(report.verdicts))
    return code


def _check_several(
    names: Sequence[str],
    left_out: Sequence[str],
    options: Mapping[str, Any],
    json: Path | None,
    output: Path | None,
) -> int:
    """Check one target after the other, whatever becomes of them, and end with a table."""
    from symmetry.report import models

    rows = []
    for name in names:
        try:
            rows.append(models.Row(name, _check(name, options)))
        except SymmetryError as error:
            rows.append(models.Row(name, None, str(error)))
        say(f"{rows[-1].conclusion}\n")
    contents = {}
    if json is not None:
        contents[json] = models.to_json(rows)
    if output is not None:
        contents[output / models.MARKDOWN] = models.render_models(rows, left_out, _command_line())
    for text in (*models.lines(rows, left_out), "", *_write_all(contents), models.last_line(rows)):
        say(text)
    codes = [row.exit_code for row in rows]
    return FOUND if FOUND in codes else max(codes)


def _check(name: str, options: Mapping[str, Any]) -> Report:
    """Check one target; print its verdicts, what failed, and the operation behind it."""
    from symmetry.api import check
    from symmetry.cli.verdicts import Shown
    from symmetry.report.verdicts import failures

    enter(name)
    with terminal():
        checking = {key: value for key, value in options.items() if key != "explained"}
        report = check(name, **checking, progress=Shown())
    for heading, *facts in failures(report):
        for text in ("", click.style(heading, bold=True), *facts):
            say(text)
    if options["explained"]:
        for text in _explained(name, report):
            say(text)
    for text in ("", *report.notes):
        say(text)
    return report


def _explained(name: str, report: Report) -> Iterable[str]:
    """Return what there is to say of the operation behind the first violation that repeats."""
    violated: dict[object, Verdict] = {}
    for verdict in report:
        if verdict.kind == "violated" and verdict.repeats:
            violated.setdefault((verdict.invariant, verdict.case), verdict)  # once in both dtypes
    if not violated:
        return ()
    from symmetry.checker.threads import one_thread
    from symmetry.culprit.explain import explain_verdict
    from symmetry.targets.resolve import resolve

    units = report.coverage.groups if report.coverage is not None else None
    with one_thread():
        for verdict in violated.values():
            found = explain_verdict(resolve(name), verdict, _WORK, units)
            if found is not None:
                return ("", *found.lines()) if found.step is not None else ()
    return ()


def _expand(given: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the names of the targets, and what patterns leave out."""
    from symmetry.targets.resolve import expand, is_pattern

    found = []
    for name in given:
        if is_pattern(name):
            enter(name)
        found.append(expand(name))
    return tuple(n for names, _ in found for n in names), tuple(t for _, out in found for t in out)


def _list(only: tuple[str, ...], skip: tuple[str, ...]) -> int:
    """Print the invariants of steps, and those that trainings have beside."""
    from symmetry.invariants import catalogue, trainings

    of_trainings = trainings.TRAININGS if only else trainings.select()
    beside = (invariant for invariant in of_trainings if invariant.name.startswith("training/"))
    known = (*catalogue.CATALOGUE, *beside)
    for invariant in catalogue.matching(known, only or ("*",), skip):
        say(invariant.name)
        for label in ("statement", "reason", "witness", "trainers", "compared"):
            say(f"  {label:<10} {getattr(invariant, label)}")
    return OK


def _expectation(text: str) -> tuple[str, str]:
    name, separator, reason = text.partition("=")
    if not (name and separator and reason.strip()):
        raise click.UsageError(f"--expect-failure takes NAME=REASON, not {text!r}.")
    return name, reason.strip()


def _probe(json: Path | None, script: Path | None, output: Path | None, *, several: bool) -> None:
    """Find out before checking whether everything can be written after it."""
    from symmetry.files import writable_directory, writable_files
    from symmetry.report import checked, models

    writable_files(json, script)
    if output is not None:
        name = models.MARKDOWN if several else checked.MARKDOWN
        writable_directory(output, name)


def _write(
    report: Report, json: Path | None, script: Path | None, output: Path | None
) -> tuple[str, ...]:
    """Write the files of one target, and say which."""
    from symmetry.report.checked import render_checked
    from symmetry.report.script import render_script

    contents: dict[Path, str | bytes] = {}
    texts = []
    if json is not None:
        contents[json] = report.to_json()
    if output is not None:
        contents |= render_checked(report, _command_line()).contents(output)
    if script is not None:
        failure = _to_reproduce(report)
        if failure is not None:
            contents[script] = render_script(report.trainer, failure)
        else:
            texts.append(f"there is nothing to reproduce: {script} was not written")
    return (*_write_all(contents), *texts)


def _write_all(contents: Mapping[Path, str | bytes]) -> tuple[str, ...]:
    from symmetry.files import write_all

    write_all(contents)
    return tuple(f"wrote {path}" for path in contents)


def _to_reproduce(verdicts: Iterable[Verdict]) -> Verdict | None:
    """Return the first failure that repeats; one that gates comes before the others."""
    failures = [verdict for verdict in verdicts if verdict.case is not None and verdict.repeats]
    return min(failures, key=lambda verdict: not verdict.gates, default=None)


def _command_line() -> str:
    """Return the command line that is being obeyed, as it would write the report again."""
    from symmetry.report.command import command_line

    context = click.get_current_context()
    given = {
        parameter: context.params[str(parameter.name)]
        for parameter in context.command.params
        if context.get_parameter_source(str(parameter.name)) is ParameterSource.COMMANDLINE
    }
    names = [name for p, value in given.items() if isinstance(p, click.Argument) for name in value]
    options = {p.opts[0][2:]: value for p, value in given.items() if isinstance(p, click.Option)}
    return command_line("check", *names, **options)
