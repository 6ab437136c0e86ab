"""``symmetry check``: put the invariants to targets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from symmetry.base.errors import FAILED, FOUND, OK, SymmetryError
from symmetry.cli.options import (
    DTYPE,
    FROM_TWO,
    FROM_ZERO,
    PATH,
    WHOLE,
    as_typed,
    flag,
    option,
    read_cases,
)
from symmetry.cli.parent import Isolated
from symmetry.cli.screen import current, say, terminal

if TYPE_CHECKING:
    from symmetry.api import Report
    from symmetry.checker.plan import Options
    from symmetry.checker.verdict import Checked, Verdict

_WORK = 3 * 10**9  # that may be spent on explaining: samples times inputs times units times steps


class _Check(Isolated):
    """``symmetry check``: a Ctrl-C leaves the verdicts that there are."""

    def interrupted(self, params: Mapping[str, Any], known: Mapping[str, list[Verdict]]) -> None:
        if params["json"] is None:
            return
        from symmetry.base.files import write_all
        from symmetry.checker.verdict import Checked
        from symmetry.report.checked import table_json
        from symmetry.report.verdicts import to_json

        names = params["targets"] or ("numba",)
        several = len(names) > 1 or not {*known} <= {*names}
        found = [
            Checked(name, params["seed"], None, tuple(verdicts), complete=False)
            for name, verdicts in (known or {names[0]: []}).items()
        ]
        write_all({params["json"]: table_json(found) if several else to_json(found[0])})
        say(f"wrote {params['json']}, incomplete", err=True)


@click.command("check", cls=_Check, short_help="Check a PyTorch training, or a two-layer step.")
@click.argument("targets", nargs=-1, metavar="[NAME]...")
@option(
    "--only",
    "PATTERN",
    "Check the invariants whose full name matches, such as 'network/*'. Repeatable.",
    multiple=True,
)
@option("--skip", "PATTERN", "Leave these out; wins over --only. Repeatable.", multiple=True)
@option("--examples", "N", "Number of cases for each dtype.", 100, WHOLE)
@option(
    "--seed",
    "N",
    "Seed of the list of cases, or of a training; another one explores others.",
    0,
    FROM_ZERO,
)
@option("--dtype", None, "Repeatable.  [default: both]", kind=DTYPE, multiple=True)
@flag("--exact", "Units must stay equal bit for bit: a split by rounding alone is a violation.")
@option(
    "--expect-failure",
    "NAME=REASON",
    "This invariant is known to be violated; if it is not, that is an error. Repeatable.",
    multiple=True,
)
@option(
    "--min-samples", "N", "Every case has at least so many samples; BatchNorm wants 2.", 1, WHOLE
)
@option("--steps", "K", "Of a training: how many steps the runs of training/* take.", 4, FROM_TWO)
@option("--case", "JSON|FILE", "Run this case, or those in a file, one a line, instead of a list.")
@flag("--no-explain", "Do not look for the operation behind the first violation that repeats.")
@option("--json", "FILE", "Write the verdicts there, for programs.", kind=PATH)
@option("--script", "FILE", "Write a Python script there that reproduces a violation.", kind=PATH)
@option("--output", "DIR", "Write there, in Markdown, what was checked.", kind=PATH)
@flag("--list", "Print the invariants, and check nothing.", "list_")
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

    NAME is a script that trains with PyTorch, such as train.py: it runs unchanged, stopped after a
    few updates, in a mirror of its folder. Its own arguments follow --, and -m MODULE stands for
    python -m MODULE: `symmetry check -m package.train -- --epochs 1`.

    NAME may also be a function, as package.module:attribute or path/to/file.py:attribute; or numba
    (the default: this project's own core), numpy, torch, torch-autograd or jax. A training is a
    function without parameters that returns (model, step). A step is called as step(x, y, w1, w2,
    lr), on many generated cases, and returns the new (w1, w2). The attribute may be a pattern, such
    as 'models.py:train_*': each target that the file defines under such a name is checked.

    Of what fails the smallest case is printed, and the command that repeats it. The last line says
    what all verdicts mean.

    Exit status: 0 nothing is violated, 1 something is, or the target does not work; 2 the command
    could not do its work, or nothing was checked.
    """
    if list_:
        return _list(options["only"], options["skip"])
    from symmetry.base.files import writable_directory, writable_files, write_all
    from symmetry.checker.plan import Options
    from symmetry.checker.verdict import exit_code
    from symmetry.report import checked
    from symmetry.report.script import render_script
    from symmetry.report.verdicts import conclusion, last_line, to_json

    targets = targets or ("numba",)
    names, left_out = _expand(targets)
    several = len(names) > 1 or names != targets
    if several and script:
        raise click.UsageError("--script is of one target, and these may be several.")
    asked = Options(
        **options,
        expected_failures=dict(map(_expectation, expect_failure)),
        cases=None if case is None else read_cases(case),
    )
    _refuse_one_path(json, script, output)
    writable_files(json, script)
    if output is not None:
        writable_directory(output, checked.SEVERAL if several else checked.MARKDOWN)
    found = []
    for name in names:
        found.append(_check(name, asked, explained=not no_explain))
        if several:
            say(f"{checked.in_short(found[-1])}\n")
    only = found[0]
    if only.error and not several:
        raise SymmetryError(only.error)
    for text in (*checked.table_lines(found, left_out), "") if several else ():
        say(text)
    contents: dict[Path, str | bytes] = {}
    if json is not None:
        contents[json] = checked.table_json(found) if several else to_json(only)
    if output is not None and several:
        contents |= checked.render_models(found, left_out, as_typed()).contents(output)
    elif output is not None:
        contents |= checked.render_checked(only, as_typed()).contents(output)
    failures = [v for v in only.verdicts if v.case is not None and v.repeats]
    if script is not None and failures:  # the first, but one that gates comes before the others
        first = min(failures, key=lambda verdict: not verdict.gates)
        contents[script] = render_script(only.target, first)
    write_all(contents)
    for file in contents:
        say(f"wrote {file}")
    if script is not None and script not in contents:
        of_training = any(verdict.of_training for verdict in only.verdicts)
        why = "a training has no script" if of_training else "there is nothing to reproduce"
        say(f"{why}: {script} was not written")
    code = max((exit_code(each.verdicts) for each in found), key=(OK, FAILED, FOUND).index)
    if code == FAILED and not several:
        raise SymmetryError(conclusion(only.verdicts))
    say(checked.sum_up(found) if several else last_line(only.verdicts))
    return code


def _refuse_one_path(*paths: Path | None) -> None:
    """Refuse to write two things to one place."""
    given = [path.resolve() for path in paths if path is not None]
    if len({*given}) < len(given):
        raise click.UsageError("--json, --script and --output are to be different paths.")


def _check(name: str, options: Options, *, explained: bool) -> Checked:
    """Check one target; print its verdicts, what failed, and the operation behind it."""
    from symmetry.api import run_plan
    from symmetry.checker.plan import make_plan
    from symmetry.checker.verdict import Checked
    from symmetry.report.verdicts import failures, remarks
    from symmetry.targets.resolve import resolve

    try:
        current().enter(name)
        with terminal() as screen:
            plan = make_plan(resolve(name), options, *current().learnt(name))
            report = run_plan(plan, screen)
    except SymmetryError as error:
        return Checked(name, None, None, (), error=str(error))
    for heading, *facts in failures(report):
        for text in ("", click.style(heading, bold=True), *facts):
            say(text)
    for text in (*(_explained(report) if explained else ()), "", *remarks(report)):
        say(text)
    return report


def _explained(report: Report) -> Iterable[str]:
    """Return what there is to say of the operation behind the first violation that repeats."""
    violated: dict[object, Verdict] = {}
    for verdict in report:
        if verdict.kind == "violated" and verdict.repeats:
            violated.setdefault((verdict.invariant, verdict.case), verdict)  # once in both dtypes
    if not violated:
        return ()
    from symmetry.culprit.explain import explain_verdict
    from symmetry.report.explained import lines
    from symmetry.targets.resolve import resolve

    units = report.coverage.groups if report.coverage is not None else None
    for verdict in violated.values():
        found = explain_verdict(resolve(report.target), verdict, _WORK, units)
        if found is not None:
            return ("", *lines(found)) if found.step is not None else ()
    return ()


def _expand(given: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the names of the targets, and what patterns leave out."""
    from symmetry.targets.resolve import expand, is_pattern

    found = []
    for name in given:
        if is_pattern(name):
            current().enter(name)
        found.append(expand(name))
    return tuple(n for names, _ in found for n in names), tuple(t for _, out in found for t in out)


def _list(only: tuple[str, ...], skip: tuple[str, ...]) -> int:
    """Print the invariants, of steps and of trainings."""
    from symmetry.invariants.catalogue import select

    for invariant in select(only, skip):
        say(invariant.name)
        for label in ("statement", "reason", "witness", "targets", "compared"):
            say(f"  {label:<10} {getattr(invariant, label)}")
    return OK


def _expectation(text: str) -> tuple[str, str]:
    name, separator, reason = text.partition("=")
    if not (name and separator and reason.strip()):
        raise click.UsageError(f"--expect-failure takes NAME=REASON, not {text!r}.")
    return name, reason.strip()
