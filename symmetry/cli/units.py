"""``symmetry units``: the groups of equal units of a training, and what is in none."""

from pathlib import Path

import click

from symmetry.base.errors import OK
from symmetry.cli.isolation.parent import Isolated
from symmetry.cli.options import PATH, STANDARD, json_file, option
from symmetry.cli.screen import current, say, terminal


@click.command(
    "units",
    cls=Isolated,
    short_help="Find the groups of equal units in the model of a training.",
)
@click.argument("name")
@option("--json", "FILE", "Write the groups to FILE as JSON; - is standard output.", kind=PATH)
def command(name: str, json: Path | None) -> int:
    """Find the groups of equal units in the model of a training.

    NAME is a script, as `symmetry check` takes it, its arguments behind --; or a function without
    parameters that returns (model, step), as package.module:attribute or
    path/to/file.py:attribute. Its first two steps are taken in float64, and then again and again
    without their backward.

    Every group is proved: its units may be exchanged, all groups at once, and the losses stay.
    Every other axis of a parameter is listed with the reason: input, output, positions, fixed by
    the data, no gradient, a single slice; a constant for each, tied by a reshape, taken one by one;
    unlike the others. Units of a group that received no gradient, such as dead ones, are counted.

    Exit status: 0 the units are listed, 2 the command could not do its work.
    """
    from symmetry.api import find_units
    from symmetry.base.files import writable_files, write_all
    from symmetry.report.units import lines

    writable_files(json)
    current().enter(name)
    with terminal():
        coverage = find_units(name, progress=current().doing)
    for line in lines(coverage):
        say(line, err=json == STANDARD)
    write_all(json_file(json, coverage.to_json))
    return OK
