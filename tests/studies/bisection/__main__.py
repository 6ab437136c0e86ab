"""Find the release of a library with which a verdict changes.

``python -m tests.studies.bisection transformers 4.44.0..4.47.0 -- check train.py -- --epochs 1``
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import click

from symmetry.base.errors import FOUND, OK
from symmetry.base.files import writable_files, write_all
from symmetry.base.processes import ends_as_interrupted
from symmetry.cli import check, compare, main
from symmetry.cli.options import PATH, STANDARD, flag, json_file, option
from symmetry.cli.screen import current, say, terminal
from tests.studies.bisection import releases as library
from tests.studies.bisection.bisection import Bisection
from tests.studies.bisection.memory import default_folder
from tests.studies.bisection.search import Change
from tests.studies.bisection.trial import Trial

COMMAND = "python -m tests.studies.bisection"
_COMMANDS = {"check": check.command, "compare": compare.command}
_BEHIND = "-- check NAME..."  # in the usage


class _WithCommand(click.Command):
    """A command whose last argument is another command, behind ``--``, with its own options."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        at = args.index("--") if "--" in args else len(args)
        rest = super().parse_args(ctx, args[:at])
        ctx.params["words"] = args[at + 1 :]
        return rest

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        return [*super().collect_usage_pieces(ctx), _BEHIND]


@click.command(cls=_WithCommand)
@click.argument("package")
@click.argument("releases", metavar="OLD..NEW")
@option("--with", "REQUIREMENT", "Also install this, as numpy<2. Repeatable.", multiple=True)
@option(
    "--folder",
    "DIR",
    "Keep environments and verdicts in DIR.  [default: ~/.cache/symmetry/bisect]",
    kind=PATH,
)
@option("--json", "FILE", "Write the verdicts to FILE as JSON; - is standard output.", kind=PATH)
@flag("--again", "Run the command also with releases whose verdict is known.")
def command(
    package: str,
    releases: str,
    words: Sequence[str],
    folder: Path | None,
    json: Path | None,
    again: bool,
    **more: Any,
) -> int:
    """Find the release of a library that changes a verdict.

    The command behind -- is `check` or `compare`, with its own arguments. It runs with the releases
    OLD and NEW of PACKAGE, and if the verdicts differ, with those between, by bisection. A verdict
    is the exit status and the names of the broken invariants: with `--only NAME` it is about one.

    pip installs each release, as a wheel, into an environment of its own. Everything that this
    environment lacks is found in the present one, which is not changed. A release that cannot be
    installed, or with which nothing is judged, is passed over. So is one with which the script
    fails, unless it fails with OLD or NEW, too.

    Environments and verdicts are kept, so the same command continues an interrupted search.
    Verdicts are forgotten if the script or a library of the present environment changes.

    For example: `transformers 4.44.0..4.47.0 -- check train.py -- --epochs 1`, or
    `torch 2.6.0..2.9.0 -- compare eager.py compiled.py`.

    Exit status: 0 the release was found, 1 OLD and NEW have the same verdict, 2 one of the two
    cannot be judged, or the command could not do its work.
    """
    if not words or words[0] not in _COMMANDS:
        raise click.UsageError("behind -- there must be a command: check or compare.")
    # A mistake in it shows before anything is installed.
    root = click.get_current_context().find_root()
    _COMMANDS[words[0]].make_context(words[0], [*words[1:]], parent=root)
    writable_files(json)
    old, new = library.ends(releases)
    tried = library.between(library.releases_of(package), old, new)
    search = Bisection(package, words, folder or default_folder(), more["with"], again=again)
    tell = partial(say, err=json == STANDARD)
    with ends_as_interrupted(), terminal():
        change = search.change(tried, lambda trial: tell(_line(package, trial)), current().doing)
    for line in _conclusion(package, tried, change):
        tell(line)
    trials = [*map(asdict, search.trials.values())]
    write_all(json_file(json, partial(_to_json, package, tried, change, trials)))
    return FOUND if change is None else OK


def _line(package: str, trial: Trial) -> str:
    names = f"  {', '.join(trial.broken)}" if trial.broken else ""
    return f"{package} {trial.release}  {trial.line}{names}"


def _conclusion(package: str, releases: Sequence[str], change: Change | None) -> list[str]:
    """Return the last lines: where the verdict changes."""
    if change is None:
        return ["", f"{package} {releases[0]} and {releases[-1]} have the same verdict"]
    before, after = releases[change.before], releases[change.after]
    if not change.between:
        return ["", f"{package} {after} changes the verdict: {before} is the last one before it"]
    passed = [releases[n] for n in change.between]
    return [
        "",
        f"the verdict changes between {package} {before} and {after}",
        f"nothing could be judged with {', '.join(passed)}",
    ]


def _to_json(
    package: str, releases: Sequence[str], change: Change | None, trials: list[dict[str, Any]]
) -> str:
    found = {
        "package": package,
        "last_before": None if change is None else releases[change.before],
        "first_after": None if change is None else releases[change.after],
        "not_judged": [] if change is None else [releases[n] for n in change.between],
        "trials": trials,
    }
    return json.dumps(found, indent=2) + "\n"


if __name__ == "__main__":
    main(command, COMMAND)
