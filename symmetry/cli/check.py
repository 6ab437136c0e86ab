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
from symmetry.cli.isolation.child import Remote
from symmetry.cli.isolation.parent import Isolated
from symmetry.cli.options import (
    PATH,
    POSITIVE,
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
    "Which checks": "--only --skip --fast --list --about",
    "What fails": "--strict --gate --require --exact --expect-units --expect-failure --baseline "
    "--update-baseline",
    "Output": "--quiet --verbose --format --json --output",
    "How it runs": "--budget --seed --dtype --steps --timeout --device --writable --ranks "
    "--resume-with --no-explain --in-process",
    "Drawn sizes, and two-layer steps": "--draw --examples --case --min-samples",
    "Several targets": "--jobs --time-limit --memory --results --since --scheduler",
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
_SEVERAL = ("jobs", "results", "since", "scheduler")  # options that several targets have
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
            _refuse_unread(args, error.format_message())
            raise
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
        reasons = reasons_for(known, account.target, params["expected_failures"])
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
        Output(verbose=False, format_=format_, json=None, output=None),
    )


@click.command("check", cls=_Check, short_help="Check a training, or a two-layer step.")
@click.argument("targets", nargs=-1, metavar="[NAME]...")
@declared_options(Options, Keywords)
@flag(
    "--update-baseline",
    "Write the failures of this check into the file of --baseline, remove those that are no more, "
    "and exit with 0.",
)
@flag("--quiet", "Print nothing if the check passes.")
@flag("--verbose", "Print every verdict as it comes, and all that is known of a failure.")
@click.option(
    "--format",
    "format_",
    type=click.Choice(("text", "json", "github", "sarif", "junit", "line")),
    default="text",
    show_default=True,
    help="Format of the printed result.",
)
@option("--about", "NAME", "Print the meaning of an invariant or a note, with examples.")
@flag("--no-explain", "Do not look for the operation behind the first violation that repeats.")
@option("--json", "FILE", "Write the result to FILE as short JSON; - is --format json.", kind=PATH)
@option("--output", "DIR", "Write a report in Markdown into DIR.", kind=PATH)
@flag("--list", "Print the invariants, all facts with --verbose, and check nothing.", "list_")
@option(
    "--time-limit",
    "SECONDS",
    "Stop a target after SECONDS; keep the verdicts found by then.",
    kind=POSITIVE,
)
@option(
    "--memory",
    "GIB",
    "Stop a target that needs more memory; keep the verdicts found by then.",
    kind=POSITIVE,
)
@option(
    "--ranks",
    "N",
    "Run a script on N ranks as well, without torchrun, and check that the ranks agree.",
    1,
    WHOLE,
)
@option(
    "--resume-with",
    "ARGUMENTS",
    "Interrupt a script behind a save, run it with these arguments from its own files, and check "
    "that it goes on as it would have.",
)
@option(
    "--jobs",
    "N",
    "Check N targets in parallel; a slow script is checked on N cores (by default on all).",
    None,
    WHOLE,
)
@option(
    "--results",
    "FILE",
    "Append a line of JSON for each target that ends; skip targets that FILE has already.",
    kind=PATH,
)
@option(
    "--since", "FILE", "Show only targets whose result differs from the one in FILE.", kind=PATH
)
@option(
    "--scheduler", "ADDRESS", "Check the targets on the workers of the Dask cluster at ADDRESS."
)
@click.option("--line", type=PATH, hidden=True)  # written for the process that checks several
def command(
    targets: tuple[str, ...],
    cases: str | None,
    update_baseline: bool,
    list_: bool,
    about: str | None,
    no_explain: bool,
    time_limit: float | None,
    memory: float | None,
    ranks: int,
    resume_with: str | None,
    **options: Any,
) -> int:
    """Check trainings, and two-layer training steps, against the invariants.

    NAME is a script that trains with PyTorch or JAX, such as train.py: it runs unchanged, stopped
    after a few updates, in a mirror of its folder. Its own arguments follow --, and -m MODULE
    stands for python -m MODULE: `symmetry check -m package.train -- --epochs 1`.

    A notebook is checked as a script: its cells in order, without magics.

    NAME may also be a function, as package.module:attribute or path/to/file.py:attribute; or numba
    (the default: this project's own core), numpy, torch, torch-autograd or jax. A training in
    PyTorch is a function without parameters that returns (model, step), or (model, step, extras):
    help(symmetry.check) lists the extras. A training in JAX returns (state, step), where
    step(state, i) returns the next state. A two-layer step is called as step(x, y, w1, w2, lr), on
    many generated cases, and returns the new (w1, w2).

    The attribute may be a pattern, such as 'models.py:train_*': each target that the file defines
    under such a name is checked. It may be a generator function that yields pairs of a name and a
    training: FILE:FUNCTION is all of them, FILE:FUNCTION:NAME is one. Several targets are checked
    by processes of their own; their table begins with what is most suspicious. Without NAME, in a
    folder with scripts that train, the command says what to type; in another one it checks numba,
    and says so. A folder as NAME stands for its scripts that train.

    A script that saves is resumed with `--resume-with`: `symmetry check train.py --resume-with
    "--resume out/last.pt"`. It runs once as it is typed, and its files are copied behind a save, as
    a kill would leave them. It runs again with the arguments of --resume-with in place of its own,
    in a mirror with these files, and once more from a save of that run. Up to 64 updates of each
    are compared, so give it arguments with which it saves early, and trains on afterwards.

    A verdict is: holds; violated; rounding, if units split only by rounding, which --exact makes a
    violation; vacuous, if nothing in the target could have violated it; not applicable; expected
    failure; error, if the target raised; not finished, if a limit or an error of symmetry itself
    came first. The exit status is 1 if an invariant is violated, an error occurs, or an expected
    failure no longer fails.

    Options may be in the table [tool.symmetry] of pyproject.toml, in the working directory, by
    their names without dashes, such as skip = ["training/padding"]; and targets = ["train.py
    --epochs 1"], which are checked without NAME. --verbose shows them.

    The first line is the answer. Each problem follows with the line of the code, if it is known,
    and the command that repeats it; then notes: facts that are usually mistakes, and fail a check
    only with --strict or --gate.

    A project that has known problems begins with `symmetry check ... --baseline FILE
    --update-baseline`, which exits with 0, and writes a reason into each line of FILE. With
    --baseline FILE alone, these do not fail the check any more; others do, and so does an entry
    that has no failure. An entry accepts one failure: its invariant, at a line with this text,
    wherever it is in the file; without a known line, with this message. An entry without "found",
    as of an earlier version, accepts any failure of its invariant; --update-baseline narrows it. An
    entry with "until": "2027-01-31" accepts nothing after that day.

    One line may be excused where it stands, with a reason: `model.eval()  # symmetry:
    ignore[loop/modes] the body is frozen on purpose`. A comment that excuses nothing is reported.

    Sizes and rates can be drawn. Parameters of a function may have strategies of Hypothesis as
    their defaults, hidden=st.integers(1, 64); values for them follow --, as hidden=3. Arguments of
    a script have a name in braces, which is safe in shells, and a range: `symmetry check train.py
    --draw hidden=1..64 --draw rate=1e-5..1 -- --hidden {hidden} --lr {rate}`. A failure is shown
    with the smallest arguments, and sizes at which the training raises count as failures.

    A check of a large script takes minutes. --budget 120 ends it after 120 CPU seconds: the
    checks that find most per second run first, no call of the script begins later, and the first
    line says how far the check came. The exit status is about the invariants
    that were judged, and --require says which must be. Ctrl-C ends a check in the same way, with
    the exit status 130.

    Exit status: 0 nothing is violated, 1 something is, or the target does not work; 2 the command
    could not do its work, nothing was checked, or a limit came first.
    """
    if list_:
        return _list(options["only"], options["skip"], whole=options["verbose"])
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
    apart = (several[name] for name in ("results", "since", "scheduler"))
    if output.line is None and (
        len(names) > 1 or names != targets or any(apart) or time_limit or memory
    ):
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
    from symmetry.cli.known import remember
    from symmetry.cli.outcome import conclude
    from symmetry.report.checked import MARKDOWN
    from symmetry.report.record import record

    output.refuse(MARKDOWN)
    report, culprit = _check(name, options, explained=explained, listing=output.listing)
    remember(report, options)
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
