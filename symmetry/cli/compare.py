"""``symmetry compare``: say whether it is still the same training."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import click

from symmetry.base.errors import FAILED, SymmetryError
from symmetry.base.names import RECORDED
from symmetry.cli.isolation.parent import Isolated
from symmetry.cli.options import (
    PATH,
    STANDARD,
    as_typed,
    declared_options,
    flag,
    json_file,
    option,
    read_cases,
)
from symmetry.cli.screen import current, say, terminal
from symmetry.comparison.options import ComparisonKeywords, ComparisonOptions


@click.command("compare", cls=Isolated, short_help="Is it still the same training?")
@click.argument("targets", nargs=-1, required=True, metavar="FIRST OTHER...")
@declared_options(ComparisonOptions, ComparisonKeywords)
@option("--json", "FILE", "Write the result to FILE as JSON; - is standard output.", kind=PATH)
@option("--output", "DIR", "Write a report, comparison.md, into DIR: ratios by module.", kind=PATH)
@flag("--quiet", "Print nothing but errors.")
def command(
    targets: tuple[str, ...],
    cases: str | None,
    json: Path | None,
    output: Path | None,
    quiet: bool,
    **options: Any,
) -> int:
    """Say whether trainings are the same as the first one, up to rounding.

    FIRST and each OTHER is a training, as `symmetry check` takes it, or a file that `symmetry
    record` has written. All begin from the first's parameters and take the same steps. A deviation
    is divided by the response: how far rounding moves the same array in the same step. Where they
    differ, the first difference is named: the data, the forward, the loss, the backward, the
    gradients or the update, the module and the line.

    The first steps are compared, as many as --steps says. With --whole, if these are the same,
    scripts run on as in `symmetry watch`: over epochs of two batches, with their evaluations, up to
    40 updates. Both have to take the same batches. The first batch, learning rate, loss, output or
    parameters that differ are named, with the line in each script. Losses of evaluations that are
    computed in other pieces, or reduced in another way, are compared as sums over all entries. A
    function takes 12 steps, with its evaluations if it returns {"evaluate": evaluate}.

    Or all of them are two-layer steps. These are compared on the same cases, and the smallest case
    that differs is shown.

    If their arguments are drawn, as in `symmetry check`, they are the same with all of these, or
    the smallest arguments with which they differ are shown.

    Exit status: 0 they are the same, 1 one differs or raises an error, 2 they could not be
    compared, or a process died before the end.
    """
    from symmetry import session
    from symmetry.base import ranks
    from symmetry.base.files import writable_directory, writable_files, write_all
    from symmetry.report.compared import exit_code, lines, to_json, unjudged
    from symmetry.report.comparison import MARKDOWN, render_compared

    writable_files(json)
    if output is not None:
        writable_directory(output, MARKDOWN)
    names = [name for name in targets if not name.endswith(RECORDED)]
    for name in names:
        current().enter(name)
    with terminal(quiet=quiet) as screen:
        asked = ComparisonOptions(
            **options,
            cases=None if cases is None else read_cases(cases),
            pictured=output is not None,
            progress=screen,
        )
        found = session.compare(targets, asked)
        for line in lines(found):
            say(line, err=json == STANDARD)
    contents = json_file(json, partial(to_json, found))
    if output is not None:
        contents |= render_compared(found, as_typed()).contents(output)
    if ranks.rank() == 0:
        write_all(contents)
    code = exit_code(found.others)
    if code == FAILED:
        raise SymmetryError(unjudged(found.others))
    return code
