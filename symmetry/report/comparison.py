"""The report of a comparison: ``frameworks.md``, ``frameworks.json`` and their figures.

Unlike the report of the experiment it holds times and says on which machine it was made: what it
tells is true of that machine.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

from symmetry.comparison.record import Comparison, TrainerRun
from symmetry.comparison.study import Study
from symmetry.report import comparison_words as words
from symmetry.report.comparison_figures import GROWTH, SPREAD, seconds_figure, spread_figure
from symmetry.report.figure import Figure
from symmetry.report.files import Report
from symmetry.report.records import dump
from symmetry.report.templates import render
from symmetry.units.words import groups_in_words
from symmetry.watch import Outcome

MARKDOWN, JSON = "frameworks.md", "frameworks.json"

_LIMITS = (1e-15, 1e-12, 1e-9, 1e-6, 1e-3, 0.1, 0.5)


def render_study(study: Study) -> Report:
    """Return the files of the report."""
    return Report({MARKDOWN: _markdown(study), JSON: _json(study)}, tuple(_figures(study)))


def _figures(study: Study) -> Iterator[Figure]:
    if study.frameworks is not None:
        yield spread_figure(study.frameworks, SPREAD)
        if study.frameworks.facts.iterations > 1:
            yield seconds_figure(study.frameworks)
    if study.growth is not None:
        yield spread_figure(study.growth, GROWTH)


def _markdown(study: Study) -> str:
    growing = study.growth.runs if study.growth else ()
    context = {
        "words": words,
        "study": study,
        "frameworks": study.frameworks,
        "growth": study.growth,
        "split": [run for run in growing if run.split_in is not None],
        "main": study.frameworks or study.growth,
        "limits": _LIMITS,
        "command": words.command(study),
    }
    return render("frameworks.md.jinja", context)


def _json(study: Study) -> str:
    """Return the record for programs."""
    trials = [("trial", trial) for trial in study.trials]
    parts = (("frameworks", study.frameworks), *trials, ("growth", study.growth))
    comparisons = [_comparison(name, part) for name, part in parts if part is not None]
    return dump({"machine": vars(study.machine), "comparisons": comparisons}) + "\n"


def _comparison(part: str, comparison: Comparison) -> dict[str, Any]:
    return {
        "part": part,
        "task": dataclasses.asdict(comparison.facts),
        "threads": comparison.threads,
        "left_out": list(map(vars, comparison.left_out)),
        "runs": [_run(run, comparison) for run in comparison.runs],
    }


def _run(run: TrainerRun, comparison: Comparison) -> dict[str, Any]:
    fastest = None if run.step_only else words.fastest(comparison)
    return {
        "trainer": run.name,
        "timed": "step" if run.step_only else "iteration",
        "first_seconds": run.first_seconds,
        "seconds": run.seconds,
        "ratio": run.seconds / fastest if run.seconds is not None and fastest else None,
        "split": run.split_in,
        "w1": _outcome(run.columns),
        "w2": _outcome(run.rows),
        "groups": groups_in_words(run.groups),
        "largest_spread": max(run.spreads, default=None),
        "libraries": dataclasses.asdict(run.libraries),
        "history": list(map(vars, run.history)),
    }


def _outcome(outcome: Outcome) -> dict[str, Any]:
    """Return what became of the columns of w1 or the hidden rows of w2."""
    split = outcome.split
    return {
        "split": split and split.step,
        "ulps": split and split.spread,
        "groups": split and groups_in_words(split.groups),
        "counted": outcome.counted,
        "iterations": outcome.iterations,
        "distinct": outcome.distinct,
        "max_ulps": outcome.max_ulps,
    }
