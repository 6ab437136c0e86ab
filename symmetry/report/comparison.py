"""The report of a comparison: ``frameworks.md``, ``frameworks.json`` and their figures.

Unlike the report of the experiment it holds times and says on which machine it was made: what it
tells is true of that machine.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from symmetry.comparison.record import Comparison, TrainerRun
from symmetry.comparison.study import Study
from symmetry.report import comparison_words as words
from symmetry.report.figure import Figure, plain
from symmetry.report.files import Report
from symmetry.report.records import dump
from symmetry.report.templates import code, render
from symmetry.units.words import count, groups_in_words

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

MARKDOWN, JSON = "frameworks.md", "frameworks.json"
SPREAD, GROWTH = "frameworks-spread.png", "frameworks-growth.png"

_FINEST = 1e-17  # spreads below are not told from zero


def render_study(study: Study) -> Report:
    """Return the files of the report."""
    helped = ((run, trial.facts.hidden) for trial in study.trials for run in trial.helped)
    context = {
        "study": study,
        "words": words,
        "helped": [f"{code(run.name)} ({count(units, 'unit')})" for run, units in helped],
        "spread": SPREAD,
        "growth": GROWTH,
    }
    figures = [spread_figure(study.main, SPREAD)]
    figures += [spread_figure(study.growth, GROWTH)] if study.growth else []
    texts = {MARKDOWN: render("frameworks.md.jinja", context), JSON: _json(study)}
    return Report(texts, tuple(figures))


def spread_figure(comparison: Comparison, name: str) -> Figure:
    """Draw how far apart the units of each trainer were, by iteration.

    The axis is logarithmic down to the finest spread, and zero has a place below that.
    """
    runs, iterations = comparison.runs, comparison.facts.iterations
    labels = [f"{run.name}: {words.splits(run)}" for run in runs]

    def draw(canvas: Canvas) -> None:
        axes = canvas.subplots()
        for order, (run, label) in enumerate(zip(runs, labels, strict=True)):
            dashed = (0, (5, 1.5)) if order % 2 else "-"  # lines may lie on one another
            shown = range(1, len(run.spreads) + 1)
            axes.plot(shown, run.spreads, label=label, linewidth=2, linestyle=dashed)
        axes.set_title("How far apart equal hidden units came, relative to their own size")
        axes.set(xlabel="iteration", ylabel="relative spread", xlim=(0.5, iterations + 0.5))
        axes.set_yscale("symlog", linthresh=_FINEST)
        axes.set_ylim(-_FINEST / 10, 3)
        axes.set_yticks([0, *10.0 ** np.arange(-16, 1, 4)])
        axes.minorticks_off()
        axes.grid(axis="y", color="#e6e6e6", linewidth=0.8)
        axes.locator_params("x", integer=True, min_n_ticks=1)
        axes.legend(loc="upper left", bbox_to_anchor=(1, 1), title="first split")
        plain(axes)

    return Figure(name, (9.6, 4.2), (iterations, labels, *(run.spreads for run in runs)), draw)


def _json(study: Study) -> str:
    """Return the record for programs."""
    names = ["frameworks", *["trial"] * len(study.trials), "growth"]
    parts = zip(names, study.comparisons, strict=False)
    comparisons = [_comparison(name, part) for name, part in parts]
    return dump({"machine": study.machine, "comparisons": comparisons}) + "\n"


def _comparison(part: str, comparison: Comparison) -> dict[str, Any]:
    return {
        "part": part,
        "task": asdict(comparison.facts),
        "threads": comparison.threads,
        "left_out": comparison.left_out,
        "runs": list(map(_run, comparison.runs)),
    }


def _run(run: TrainerRun) -> dict[str, Any]:
    return {
        "trainer": run.name,
        "timed": "step" if run.subject.step_only else "iteration",
        "first_seconds": run.history[0].seconds,
        "seconds": run.seconds,
        "counted": run.counted,
        "split": run.split and run.split.iteration,
        "groups": groups_in_words(run.groups),
        "largest_spread": max(run.spreads, default=None),
        "libraries": asdict(run.libraries),
        "history": list(map(asdict, run.history)),
    }
