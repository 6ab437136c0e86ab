"""``symmetry check``: put the invariants to targets."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from symmetry.base.devices import RANKS, RESUMING
from symmetry.base.errors import INTERRUPTED, OK, SymmetryError
from symmetry.base.names import words_of
from symmetry.base.processes import cores
from symmetry.base.ranks import forget, launcher, rank, world
from symmetry.checker.accepted import read_accepted, reasons_for
from symmetry.checker.options import Keywords, Options
from symmetry.checker.renamed import RENAMED
from symmetry.cli.configuration import OF_SEVERAL, TABLE, TARGETS, configuration, described
from symmetry.cli.gone import instead
from symmetry.cli.isolation.child import Remote
from symmetry.cli.isolation.parent import Isolated
from symmetry.cli.options import (
    PATH,
    WHOLE,
    declared_options,
    flag,
    option,
    read_cases,
    words_to_resume,
)
from symmetry.cli.screen import current, say, terminal
from symmetry.sandbox.confinement.confined import watch

if TYPE_CHECKING:
    from symmetry.api import Report
    from symmetry.cli.baseline import BaselineFile
    from symmetry.cli.isolation.account import Account, Ending
    from symmetry.cli.outcome import Output
    from symmetry.explanation.explained import Explained

_SECTIONS = {
    "Which checks": "--only --skip --list --about",
    "What fails": "--gate --require --exact --expect-units --baseline --update-baseline",
    "Output": "--quiet --format --json --output",
    "How it runs": "--budget --seed --dtype --steps --timeout --device --writable --ranks "
    "--resume-with --no-explain --in-process",
    "Drawn sizes, and two-layer steps": "--draw --examples --case",
    "Several targets": "--jobs --results --scheduler",
}
_FAMILIES = {
    "symmetry": "equal units, samples and runs",
    "training": "updates, settings, checkpoints",
    "loss": "arguments and weights of a loss",
    "model": "evaluation mode, samples, documents, custom functions",
    "loop": "epochs: modes, evaluations, batches, gradients",
    "ranks": "several ranks: their batches, draws and sums",
    "resume": "a script that is interrupted and resumed: its state and its batches",
    "network": "the network of the experiment",
}
_NO_SCRIPT = (
    "no script in this folder trains, so numba is checked, the core of symmetry itself; to check "
    "another script: symmetry check path/to/train.py"
)
_SEVERAL = ("jobs", "results", "scheduler")  # options that several targets have
_FORMATS = ("text", "json", "github", "sarif", "junit", "line")
_INFORMING = {"--help", "-h", "--list", "--about"}  # nothing is checked

_OF_LAUNCHER = "The lines that follow are {}'s: they only say that the exit status is {}."


class _Check(Isolated):
    """``symmetry check``: a crash or a Ctrl-C leaves the verdicts so far."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options in sections; one that is in none comes last."""
        options = [p for p in self.get_params(ctx) if isinstance(p, click.Option)]
        records = {option.opts[0]: option.get_help_record(ctx) for option in options}
        sections = {heading: names.split() for heading, names in _SECTIONS.items()}
        known = {name for names in sections.values() for name in names}
        sections["Other options"] = [name for name in records if name not in known]
        for heading, names in sections.items():
            rows = [record for name in names if (record := records[name]) is not None]
            with formatter.section(heading):
                formatter.write_dl(rows)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take what is not typed from pyproject.toml; report an error in the format as well."""
        try:
            return self._parsed(ctx, args)
        except click.UsageError as error:
            hint = instead(error.option_name) if isinstance(error, click.NoSuchOption) else ""
            _refuse_unread(args, hint or error.format_message())
            raise click.UsageError(hint, error.ctx) if hint else error from None
        except SymmetryError as error:
            _refuse_unread(args, str(error))
            raise

    def _parsed(self, ctx: click.Context, args: list[str]) -> list[str]:
        found = {} if _INFORMING.intersection(args) else configuration(self)
        if "--line" in args:  # another process checks several targets, and writes their files
            found = {name: value for name, value in found.items() if name not in OF_SEVERAL}
        ctx.default_map = ctx.meta[TABLE] = found
        rest = super().parse_args(ctx, args)
        if not ctx.params["targets"]:
            ctx.params["targets"] = tuple(found.get(TARGETS, ()))
        # A command that repeats one failure is no whole check, which has to have all of these.
        if ctx.get_parameter_source("only") is ParameterSource.COMMANDLINE:
            for name in ("gate", "require"):
                if ctx.get_parameter_source(name) is ParameterSource.DEFAULT_MAP:
                    ctx.params[name] = ()
        return rest

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; under torchrun the first process alone starts the ranks of a script."""
        number = world()
        if number > 1 and all(words_of(name) for name in ctx.params["targets"]):
            if rank() > 0:
                return OK
            forget()
            root = ctx.find_root()
            root.obj = [root.obj[0], "--ranks", str(number), *root.obj[1:]]
            ctx.params["ranks"] = number
        try:
            status = super().invoke(ctx)
        except (SymmetryError, click.UsageError) as error:
            _refuse(ctx.params, error)
            raise
        if number > 1 and status and rank() == 0:
            say(_OF_LAUNCHER.format(launcher().name, status), err=True)
        return status

    def goes_on(self, params: Mapping[str, Any]) -> bool:
        return len(params["targets"]) > 1

    def ended(self, params: Mapping[str, Any], account: Account, end: Ending) -> int:
        """Report the verdicts so far, the one on what was running, and what was not run."""
        known = read_accepted(params["baseline"]) if params["baseline"] else ()
        reasons = reasons_for(known, account.target, {})
        expected = {name: next(iter(own.values())) for name, own in reasons.items()}
        whole = account.ended(end, expected)
        if whole is None:
            return super().ended(params, account, end)
        from symmetry.cli.outcome import Output, conclude

        found, shown = whole
        output = Output.of({**params})
        current().listing = output.listing
        for verdict in found.verdicts[shown:]:
            current().verdict(verdict)
        return conclude(found, None, output)

    def interrupted(self, params: Mapping[str, Any], account: Account) -> None:
        """Print and write what is proved so far, as at the end of a budget."""
        from symmetry.cli.outcome import Output, conclude, refuse

        cut, why = "until it was interrupted", "not reached: it was interrupted"
        output = Output.of({**params, "output": None})
        if len(params["targets"]) > 1 or (found := account.cut_short(cut, why)) is None:
            refuse(" ".join(params["targets"]), "interrupted", output, INTERRUPTED)
            return
        try:
            conclude(found, None, output, INTERRUPTED)
        except SymmetryError:  # so far nothing is proved
            if account.substitution is not None:
                say(f"{account.target}, {account.substitution.words}", err=True)

    def spent(self, params: Mapping[str, Any], account: Account) -> int:
        """Print and write what is proved so far."""
        seconds = f"{params['budget']:g}"
        why = f"not reached within {seconds} CPU seconds (--budget)"
        found = account.cut_short(f"within {seconds} s", why)
        if found is None:
            raise SymmetryError(f"{account.target}: nothing was {why.removeprefix('not ')}")
        from symmetry.cli.outcome import Output, conclude

        return conclude(found, None, Output.of({**params}))


def _refuse(params: Mapping[str, Any], error: Exception) -> None:
    """Report in the format of a check why it could not do its work, unless it has done so."""
    from symmetry.cli.outcome import NothingProvedError, Output, refuse

    if isinstance(error, NothingProvedError) or params["list_"] or params["about"]:
        return
    why = error.format_message() if isinstance(error, click.UsageError) else str(error)
    with suppress(SymmetryError, click.UsageError):
        refuse(" ".join(params["targets"]), why, Output.of({**params}))


def _refuse_unread(args: Sequence[str], why: str) -> None:
    """Report in the format that a command line names why it could not be read."""
    from symmetry.cli.outcome import Output, refuse

    words = [part for word in args for part in word.split("=", 1)]
    values = dict(pairwise(words))
    format_ = values.get("--format", "json" if values.get("--json") == "-" else "text")
    targets = [word for word in args if word.endswith(".py")]
    refuse(
        " ".join(targets),
        why,
        Output(format_=format_, json=None, output=None),
    )


@click.command("check", cls=_Check, short_help="Check a training, or a two-layer step.")
@click.argument("targets", nargs=-1, metavar="[NAME]...")
@declared_options(Options, Keywords)
@flag("--update-baseline", "Write the failures of today into it.")
@click.option(
    "--quiet/--verbose", default=None, help="Print nothing if it passes / all that is known."
)
@click.option(
    "--format",
    "format_",
    metavar="FORMAT",
    type=click.Choice(_FORMATS),
    default="text",
    help=f"{', '.join(_FORMATS[:-1])} or {_FORMATS[-1]}.",
)
@option("--about", "NAME", "Explain an invariant, a note, or one of the topics above.")
@flag("--no-explain", "Do not look for the guilty operation.")
@option("--json", "FILE", "Write short JSON into FILE; - prints it.", kind=PATH)
@option("--output", "DIR", "Write a report in Markdown into DIR.", kind=PATH)
@flag("--list", "Print all invariants, and check nothing.", "list_")
@option("--ranks", "N", "Also run the script on N ranks.", 1, WHOLE)
@option("--resume-with", "ARGUMENTS", "Interrupt the script, and resume it with these.")
@option("--jobs", "N", "Check N targets at a time, or one on N cores.", None, WHOLE)
@option("--results", "FILE", "Append a line of JSON for each; skip those it has.", kind=PATH)
@option("--scheduler", "ADDRESS", "Use the workers of a Dask cluster.")
@click.option("--line", type=PATH, hidden=True)  # written for the process that checks several
def command(
    targets: tuple[str, ...],
    cases: str | None,
    update_baseline: bool,
    list_: bool,
    about: str | None,
    no_explain: bool,
    ranks: int,
    resume_with: str | None,
    **options: Any,
) -> int:
    """Check trainings, and two-layer training steps, against the invariants.

    NAME is a script that trains with PyTorch or JAX; its own arguments follow --: `symmetry check
    train.py -- --epochs 1`. It runs unchanged in a mirror of its folder, and is stopped after a few
    updates. NAME may also be a notebook, a folder, -m MODULE, or a function, as FILE:FUNCTION. The
    first line of the answer says whether it is sound; each problem follows with its line of code.

    `symmetry check --about TOPIC` says more: scripts, functions, several, draw, resume, verdicts,
    accept, settings, budget, gpu, ranks, ci, json.

    Exit status: 0 nothing is violated, 1 something is, or the target does not work; 2 the command
    could not do its work, nothing was checked, or a limit came first; 130 interrupted.
    """
    if list_:
        return _list(options["only"], options["skip"], whole=options["quiet"] is False)
    if about is not None:
        return _about(about)
    from symmetry.cli.baseline import BaselineFile
    from symmetry.cli.outcome import Output

    output = Output.of(options)
    if output.listing and (table := click.get_current_context().meta[TABLE]):
        say(described(table))
    several = {name: options.pop(name) for name in _SEVERAL}
    baseline = BaselineFile(options["baseline"], update_baseline)
    if output.line is None:
        baseline.begin()
    targets = targets or _default()
    names, left_out = _expand(targets)
    apart = (several[name] for name in ("results", "scheduler"))
    if output.line is None and (len(names) > 1 or names != targets or any(apart)):
        if world() > 1:
            under = launcher().name
            raise click.UsageError(f"{under} is for one target, and these may be several.")
        from symmetry.cli.campaign.several import check_several

        return check_several(names, left_out, output, baseline, **several)
    if isinstance(current(), Remote):
        watch()
    given = None if cases is None else read_cases(cases)
    jobs, remote = several["jobs"], isinstance(current(), Remote)
    asked = Options(**options, cases=given, processes=_processes(jobs), witness=remote)
    with RANKS.set(ranks), RESUMING.set(words_to_resume(resume_with)):
        return _check_one(names[0], asked, output, baseline, explained=not no_explain)


def _processes(jobs: int | None) -> int:
    """Return how many processes may check one target: one, if it is in the user's own."""
    return (jobs or cores()) if isinstance(current(), Remote) else 1


def _default() -> tuple[str, ...]:
    """Return this project's own core, unless the folder has scripts that may be meant."""
    from symmetry.targets.folder import training_scripts

    if scripts := training_scripts(Path.cwd()):
        commands = ", or ".join(f"symmetry check {shlex.quote(name)}" for name in scripts)
        raise SymmetryError(f"name a target: {commands}")
    return ("numba",)


def _check_one(
    name: str, options: Options, output: Output, baseline: BaselineFile, *, explained: bool
) -> int:
    """Check one target, print the answer and write the files; return the exit status."""
    from symmetry.checker.verdict import exit_code_accepting
    from symmetry.cli.outcome import conclude
    from symmetry.report.checked import MARKDOWN
    from symmetry.report.record import record

    output.refuse(MARKDOWN)
    report, culprit = _check(name, options, explained=explained, listing=output.listing)
    code = conclude(report, culprit, output)
    if output.line is None:
        baseline.end([record(report)])
    return exit_code_accepting(report) if baseline.update else code


def _check(
    name: str, options: Options, *, explained: bool, listing: bool
) -> tuple[Report, Explained | None]:
    """Check one target; return the report, and the operation behind its first violation."""
    from symmetry import session
    from symmetry.api import run_plan

    current().enter(name)
    with terminal() as screen:
        screen.listing = listing
        plan = session.plan_check(name, options)
        if not click.get_current_context().params["targets"]:
            say(_NO_SCRIPT, err=True)
        report = run_plan(plan, screen)
        culprit = session.explain_check(plan, report) if explained else None
    return report, culprit


def _expand(given: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the names of the targets, and what patterns leave out."""
    from symmetry.targets.resolve import expand, is_pattern

    found = []
    for name in given:
        try:
            current().enter(name)
            found.append(expand(name))
        except SymmetryError:
            if is_pattern(name) or os.path.isdir(name):  # noqa: PTH112
                raise
            found.append(((name,), ()))  # what is wrong with one target is no matter of the others
    return tuple(n for names, _ in found for n in names), tuple(t for _, out in found for t in out)


def _list(only: tuple[str, ...], skip: tuple[str, ...], *, whole: bool) -> int:
    """Print the invariants, of steps and of trainings; the ``whole`` of each, or one line."""
    from symmetry.law.invariant import select
    from symmetry.targets.kinds import invariants

    selected = select(invariants(), only or ("*",), skip)
    width = max(len(invariant.name) for invariant in selected)
    for family, what in _FAMILIES.items() if not whole else ():
        own = [each for each in selected if each.name.startswith(f"{family}/")]
        if own:
            say(f"{family}/*: {what}")
        for invariant in own:
            asked = f" (with {invariant.selected_by})" if invariant.selected_by else ""
            say(f"  {invariant.name:{width}}  {invariant.statement}{asked}")
    for invariant in selected if whole else ():
        say(invariant.name)
        for label in ("statement", "reason", "witness", "targets", "compared"):
            say(f"  {label:<10} {getattr(invariant, label)}")
    if not whole:
        say("\nThe reason, an example and a cure: symmetry check --about NAME")
    return OK


def _about(name: str) -> int:
    """Print the meaning of an invariant or a note."""
    from symmetry.report.about import describe
    from symmetry.targets.kinds import invariants

    for line in describe(RENAMED.get(name, name), invariants()):
        say(line)
    return OK
