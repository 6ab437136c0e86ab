"""What a run shows, in words: nothing here computes, it only tells cases apart."""

from __future__ import annotations

import numpy as np

from symmetry.experiment import Experiment, Settings
from symmetry.report.command import changed, command_line
from symmetry.report.figures import DRAWN_SHAPE, shared_feature
from symmetry.report.templates import data_name, percent
from symmetry.units.words import count, groups_in_words, in_ulps
from symmetry.watch import Outcome


def title(experiment: Experiment) -> str:
    """Return the report's heading."""
    hidden = count(experiment.settings.hidden, "hidden unit")
    if experiment.violated:
        return "Starting off wrong: equal hidden units became different"
    if experiment.settings.init == "random" and not experiment.settings.collapsed:
        return f"Starting at random: {hidden}"
    if experiment.settings.hidden == 1:
        return "Starting off wrong: a single hidden unit"
    return f"Starting off wrong: {hidden} that are one"


def finding(experiment: Experiment) -> str:
    """Return the report's first two sentences."""
    return f"{_what_happened(experiment)} {_accuracy(experiment)}"


def _what_happened(experiment: Experiment) -> str:
    settings, name = experiment.settings, data_name(experiment.facts.name)
    hidden = count(settings.hidden, "hidden unit")
    trained = f"was trained on {name} for {count(settings.iterations, 'iteration')}"
    columns, rows = experiment.outcomes[:2]
    if settings.collapsed:
        return (
            f"The collapsed network alone {trained}: one unit that stands for {hidden}, so they "
            "are identical by construction, which is no evidence."
        )
    if settings.init == "random":
        return (
            f"This network of {hidden} {trained} from small random numbers, so its units are "
            f"expected to differ: in the end `w1` has {count(columns.distinct, 'distinct column')}."
        )
    trained = f"A network of {hidden} whose weights all started at zero {trained}"
    if experiment.violated:
        return f"{trained}, and {_first_split(experiment)}."
    if settings.hidden == 1:
        return f"{trained}; with a single unit there is nothing to tell apart."
    if not (columns.counted or rows.counted):
        return f"{trained}, and they did not move: that its units are identical proves nothing."
    compared = "after every one of them"
    if columns.iterations < settings.iterations:
        compared = f"until they ceased to be finite in iteration {columns.iterations:,}"
    return (
        f"{trained}, and {compared} all {settings.hidden:,} columns of `w1` were identical, bit "
        f"for bit, and so were all {settings.hidden:,} hidden rows of `w2`."
    )


def _first_split(experiment: Experiment) -> str:
    """Say which invariant failed first, and how."""
    failed = [(o.split, o.name) for o in experiment.outcomes if o.holds is False and o.split]
    split, name = min(failed, key=lambda pair: pair[0].step)
    what = {
        "symmetry/w1-columns": "its columns of `w1` split",
        "symmetry/w2-rows": "its hidden rows of `w2` split",
        "symmetry/dead-inputs": "rows of `w1` that belong to inputs that are zero in every sample "
        "moved away from zero",
    }
    groups = "" if name == "symmetry/dead-inputs" else f" ({groups_in_words(split.groups)})"
    return f"in iteration {split.step:,} {what[name]}{groups}, by up to {in_ulps(split.spread)}"


def _accuracy(experiment: Experiment) -> str:
    settings, control = experiment.settings, experiment.control
    sentence = f"labels {percent(experiment.history[-1].accuracy)} of the test images correctly"
    alone = settings.init == "zero" and not settings.collapsed and settings.hidden > 1
    if alone and not experiment.violated:
        sentence = f"is one unit written down {settings.hidden:,} times, and {sentence}"
    if control is None:
        return f"It {sentence}."
    units = ", in which the units become different," if settings.hidden > 1 else ""
    return (
        f"It {sentence}; the same network started from small random numbers{units} reaches "
        f"{percent(control.history[-1].accuracy)}."
    )


def verdict(outcome: Outcome, settings: Settings) -> str:
    """Return the verdict of one invariant."""
    if outcome.holds is None:
        return "not judged: the units did not start identical"
    if outcome.split is not None:
        dead = outcome.name == "symmetry/dead-inputs"
        where = "" if dead else f" ({groups_in_words(outcome.split.groups)})"
        return f"violated in iteration {outcome.split.step:,}{where}"
    if not outcome.counted:
        return "vacuous: nothing moved that could have become different"
    if settings.collapsed and outcome.name != "symmetry/dead-inputs":
        return "holds by construction"
    return "holds"


def in_short(outcome: Outcome, settings: Settings) -> str:
    """Return one invariant's outcome as a line for the terminal."""
    return (
        f"{verdict(outcome, settings)}; {count(outcome.iterations, 'iteration')} compared, "
        f"{outcome.distinct:,} distinct at the end, largest deviation {in_ulps(outcome.max_ulps)}"
    )


def diverged(experiment: Experiment) -> int | None:
    """Return the iteration in which a weight ceased to be finite; None if all still are."""
    finite = all(np.isfinite(weights).all() for weights in experiment.last)
    return None if finite else experiment.outcomes[0].iterations


def no_feature(experiment: Experiment) -> str | None:
    """Say why the report does not show the feature of all units; None if it does."""
    if shared_feature(experiment) is None:
        if diverged(experiment):
            return "The weights of the pixels in `w1` are not finite, so there is no feature."
        if experiment.last[0][1:].any():
            return "The hidden units hold different weights, so there is no one feature."
        return "The weights of the pixels in `w1` are still zero, so there is no feature."
    shape = experiment.facts.image_shape
    if shape == DRAWN_SHAPE:
        return None
    return (
        f"The images of this data set have {shape[0]}x{shape[1]} pixels, not 28x28: the column of "
        "`w1` that all hidden units share is not drawn."
    )


def command(settings: Settings, *, own_data: bool, classes: int) -> str:
    """Return the line that repeats the run; the places of its files are for the reader to fill."""
    names = ("hidden", "iterations", "lr", "dtype", "init", "seed", "collapsed")
    options = {
        "data": None if own_data else "DIR",
        "classes": None if classes == 10 else classes,
        **changed(settings, Settings(), *names),
        "no_control": not settings.control,
    }
    return command_line("run", **options, output="REPORTS" if any(options.values()) else None)
