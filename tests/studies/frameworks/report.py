"""The report of a comparison: ``frameworks.md``, ``frameworks.json`` and their figures.

Unlike the report of the experiment it holds times and says on which machine it was made: what it
tells is true of that machine.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from symmetry.base.records import dump
from symmetry.report.files import Figure, ReportFiles, plain
from symmetry.report.filling import code, environment, fill_paragraphs, percent, relative
from symmetry.units.words import count, groups_in_words, in_ulps
from tests.studies.frameworks.record import Comparison, TrainerRun
from tests.studies.frameworks.study import Study
from tests.studies.frameworks.task import Task

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

MARKDOWN, JSON = "frameworks.md", "frameworks.json"
SPREAD, GROWTH = "frameworks-spread.png", "frameworks-growth.png"

_FINEST = 1e-17  # spreads below are not told from zero


def render_study(study: Study, command: str) -> ReportFiles:
    """Return the files of the report; ``command`` is the line that writes it."""
    helped = ((run, trial.task.settings.hidden) for trial in study.trials for run in trial.helped)
    figures = [_spread_figure(study.main, SPREAD)]
    figures += [_spread_figure(study.growth, GROWTH)] if study.growth else []
    template = environment(Path(__file__).parent).get_template("frameworks.md.jinja")
    text = template.render(
        splits=splits,
        seconds=seconds,
        task_in_words=task_in_words,
        ratio=_ratio,
        loss_difference=_loss_difference,
        study=study,
        environments=_environments(study),
        command=command,
        helped=[f"{code(run.name)} ({count(units, 'unit')})" for run, units in helped],
        spread=SPREAD,
        growth=GROWTH,
    )
    return ReportFiles({MARKDOWN: fill_paragraphs(text), JSON: _json(study)}, tuple(figures))


def _spread_figure(comparison: Comparison, name: str) -> Figure:
    labels = [f"{run.name}: {splits(run)}" for run in comparison.runs]
    spreads = (run.spreads for run in comparison.runs)
    shows = comparison.task.settings.iterations, labels, *spreads
    return Figure(name, (9.6, 4.2), shows, _draw_spreads)


def _draw_spreads(
    canvas: Canvas, iterations: int, labels: list[str], *spreads: tuple[float, ...]
) -> None:
    """Draw how far apart the units of each trainer were, by iteration.

    The axis is logarithmic down to the finest spread, and zero has a place below that.
    """
    axes = canvas.subplots()
    for order, (label, shown) in enumerate(zip(labels, spreads, strict=True)):
        dashed = (0, (5, 1.5)) if order % 2 else "-"  # lines may lie on one another
        axes.plot(range(1, len(shown) + 1), shown, label=label, linewidth=2, linestyle=dashed)
    axes.set_title("How far apart equal hidden units came, relative to their own size")
    axes.set(xlabel="iteration", ylabel="relative spread", xlim=(0.5, iterations + 0.5))
    axes.set_yscale("symlog", linthresh=_FINEST)
    axes.set_ylim(-_FINEST / 10, 3)
    axes.set_yticks([0, *10.0 ** np.arange(-16, 1, 4)])
    axes.minorticks_off()
    axes.grid(axis="y")
    axes.locator_params("x", integer=True, min_n_ticks=1)
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1), title="first split")
    plain(axes)


def _json(study: Study) -> str:
    """Return the record for programs."""
    names = ["frameworks", *["trial"] * len(study.trials), "growth"]
    comparisons = [
        {
            "part": name,
            "task": _task(part.task),
            "threads": part.threads,
            "left_out": part.left_out,
            "runs": list(map(_run, part.runs)),
        }
        for name, part in zip(names, study.comparisons, strict=False)
    ]
    return dump({"machine": study.machine, "comparisons": comparisons}) + "\n"


def _task(task: Task) -> dict[str, Any]:
    data, settings = task.data, vars(task.settings)
    return {
        "data": data.name,
        "files": data.files,
        "case": task.case,
        "train": len(data.train_labels),
        "test": len(data.test_labels),
        "inputs": data.inputs,
        "hidden": settings["hidden"],
        "classes": data.classes,
        **{key: settings[key] for key in ("iterations", "lr", "dtype")},
    }


def _run(run: TrainerRun) -> dict[str, Any]:
    return {
        "trainer": run.name,
        "timed": "step" if run.entrant.step_only else "iteration",
        "first_seconds": run.history[0].seconds,
        "seconds": run.seconds,
        "counted": run.counted,
        "split": run.split and run.split.iteration,
        "groups": groups_in_words(run.groups),
        "largest_spread": max(run.spreads, default=None),
        "libraries": {"versions": run.versions, "loaded": run.loaded},
        "history": run.history,
    }


def seconds(value: float | None) -> str:
    """Return a time with three digits that count."""
    return "-" if value is None else f"{value:#.3g}".rstrip(".")


def _ratio(run: TrainerRun, comparison: Comparison) -> str:
    """Return how many times as long an iteration takes as with the fastest trainer."""
    if not run.seconds or run.entrant.step_only:
        return "-"
    times = (each.seconds for each in comparison.runs if not each.entrant.step_only)
    return f"{run.seconds / min(filter(None, times)):.2f}"


def splits(run: TrainerRun) -> str:
    """Say when clones split."""
    if run.split is not None:
        return f"iteration {run.split.iteration:,}"
    if not run.counted:
        return "not tested: nothing moved" if len(run.groups[0]) > 1 else "a single unit"
    diverged = run.compared < len(run.history)
    return f"never up to iteration {run.compared:,}, then not finite" if diverged else "never"


def _loss_difference(run: TrainerRun, core: TrainerRun | None) -> str:
    """Return the largest difference of the loss to the project's core, at any iteration."""
    if core is None:
        return "-"
    pairs = zip(run.history, core.history, strict=True)
    return relative(max(abs(mine.loss - its.loss) for mine, its in pairs))


def task_in_words(task: Task) -> str:
    """Return what was trained, in short."""
    data, settings = task.data, task.settings
    return (
        f"{data.inputs}-{settings.hidden}-{data.classes}, "
        f"{count(len(data.train_labels), 'sample')}, {count(settings.iterations, 'iteration')}, "
        f"learning rate {settings.lr}, {settings.dtype}"
    )


def _environments(study: Study) -> dict[tuple[str, str], dict[str, None]]:
    """Return the processes by the versions and the libraries that they had loaded."""
    found: defaultdict[tuple[str, str], dict[str, None]] = defaultdict(dict)
    for comparison in study.comparisons:
        where = " (case)" if comparison is study.growth else ""
        for run in comparison.runs:
            versions = ", ".join(f"{name} {version}" for name, version in run.versions.items())
            found[versions, "; ".join(run.loaded)][code(run.name) + where] = None  # each once
    return found


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
