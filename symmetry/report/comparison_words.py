"""What a comparison shows, in words and in cells of tables; nothing here computes."""

from __future__ import annotations

from symmetry.comparison.record import Comparison, TrainerRun
from symmetry.comparison.study import CASE_THREADS, Study
from symmetry.comparison.task import TaskFacts
from symmetry.experiment import Settings
from symmetry.report.command import changed, command_line
from symmetry.report.templates import code, percent, relative
from symmetry.units.words import count, groups_in_words, in_ulps


def seconds(value: float | None) -> str:
    """Return a time with three digits that count."""
    return "-" if value is None else f"{value:#.3g}".rstrip(".")


def ratio(run: TrainerRun, comparison: Comparison) -> str:
    """Return how many times as long an iteration takes as with the fastest trainer."""
    if run.seconds is None or not comparison.fastest or run.subject.step_only:
        return "-"
    return f"{run.seconds / comparison.fastest:.2f}"


def splits(run: TrainerRun) -> str:
    """Say when clones split."""
    if run.split is not None:
        return f"iteration {run.split.iteration:,}"
    if not run.counted:
        return "not tested: nothing moved" if len(run.groups[0]) > 1 else "a single unit"
    diverged = run.compared < len(run.history)
    return f"never up to iteration {run.compared:,}, then not finite" if diverged else "never"


def loss_difference(run: TrainerRun, core: TrainerRun | None) -> str:
    """Return the largest difference of the loss to the project's core, at any iteration."""
    if core is None:
        return "-"
    pairs = zip(run.history, core.history, strict=True)
    return relative(max(abs(mine.loss - its.loss) for mine, its in pairs))


def task_in_words(facts: TaskFacts) -> str:
    """Return what was trained, in short."""
    return (
        f"{facts.inputs}-{facts.hidden}-{facts.classes}, {count(facts.train, 'sample')}, "
        f"{count(facts.iterations, 'iteration')}, learning rate {facts.lr}, {facts.dtype}"
    )


def environments(study: Study) -> dict[tuple[str, str], list[str]]:
    """Return the processes by the versions and the libraries that they had loaded."""
    found: dict[tuple[str, str], list[str]] = {}
    for comparison in study.comparisons:
        where = " (case)" if comparison is study.growth else ""
        for run in comparison.runs:
            versions = (f"{name} {version}" for name, version in run.libraries.versions.items())
            names = found.setdefault((", ".join(versions), "; ".join(run.libraries.loaded)), [])
            if (name := code(run.name) + where) not in names:
                names.append(name)
    return found


def command(study: Study) -> str:
    """Return the line that repeats the comparison; places of files are for the reader to fill."""
    if study.growth is not None:
        return command_line("compare")
    facts, case = study.main.facts, study.main.facts.case
    sizes = {
        "data": None if facts.data == "MNIST" else "DIR",
        "classes": None if facts.classes == 10 else facts.classes,
        **changed(facts, Settings(), "hidden", "iterations", "lr", "dtype"),
    }
    options = sizes if case is None else {"case": case.to_json()}
    usual = None if case is None else CASE_THREADS
    threads = None if study.main.threads == usual else study.main.threads
    trainers = [run.name for run in study.main.runs]
    return command_line("compare", *trainers, **options, threads=threads, output="REPORTS")


def in_short(run: TrainerRun, comparison: Comparison) -> str:
    """Return one run as a line for the terminal, without times."""
    last, found = run.history[-1], splits(run)
    if run.split is not None:
        end = relative(run.spreads[-1] if run.spreads else None)
        found = f"units split in {found} by {in_ulps(run.split.ulps or 0)}; in the end: "
        found += f"{groups_in_words(run.groups)}, spread {end}"
    elif run.counted:
        found = "units stay identical"
    width = max(len(each.name) for each in comparison.runs)
    return (
        f"{run.name:<{width}}  loss {last.loss:.6f}  accuracy {percent(last.accuracy):>8}  {found}"
    )
