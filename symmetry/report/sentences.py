"""What a run has shown, in words: nothing here computes, it only tells cases apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from symmetry.units.words import groups_in_words, in_ulps

if TYPE_CHECKING:  # the experiment loads the core and its compiler, which a check may do without
    from symmetry.experiment import Experiment, Facts, Settings
    from symmetry.watch import Outcome


def count(number: int, noun: str, plural: str = "") -> str:
    """Return ``1 pixel`` or ``60,000 pixels``."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def percent(accuracy: float) -> str:
    """Return an accuracy as ``25.21 %``."""
    return f"{accuracy:.2f} %"


def data_name(facts: Facts) -> str:
    """Return the data set's name, safe in Markdown whatever its directory is called."""
    if all(c.isalnum() or c in " .-" for c in facts.name):
        return facts.name
    return "`" + "".join(c if c.isprintable() and c not in "`|" else "?" for c in facts.name) + "`"


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
    return f"{_what_happened(experiment)} {_what_it_costs(experiment)}"


def _what_happened(experiment: Experiment) -> str:
    settings, name = experiment.settings, data_name(experiment.facts)
    hidden = count(settings.hidden, "hidden unit")
    iterations = count(settings.iterations, "iteration")
    columns, rows = experiment.outcomes[:2]
    if settings.collapsed:
        return (
            f"Only the collapsed network was trained on {name} for {iterations}: one unit that "
            f"stands for {hidden}, so that they are equal by construction and their equality is "
            "no evidence here."
        )
    if settings.init == "random":
        return (
            f"This network of {hidden} was trained on {name} for {iterations} from small random "
            f"numbers, so its units are expected to differ: in the end `w1` has "
            f"{count(columns.distinct, 'distinct column')}."
        )
    trained = f"A network of {hidden} whose weights all started at zero was trained on {name} for"
    if experiment.violated:
        return f"{trained} {iterations}, and {_first_split(experiment)}."
    if settings.hidden == 1:
        return f"{trained} {iterations}; with a single unit there is nothing to tell apart."
    if not (columns.counted or rows.counted):
        return (
            f"{trained} {iterations}, and they did not move: that its units are still identical "
            "proves nothing."
        )
    compared = "at every one of them" if columns.iterations > 1 else "after it"
    if columns.iterations < settings.iterations:
        compared = f"until its numbers ceased to be finite in iteration {columns.iterations:,}"
    return (
        f"{trained} {iterations}, and {compared} all {settings.hidden:,} columns of `w1` were "
        f"identical, bit for bit, and so were all {settings.hidden:,} hidden rows of `w2`."
    )


def _first_split(experiment: Experiment) -> str:
    """Say which invariant failed first, and how."""
    failed = [(o.split, o.name) for o in experiment.outcomes if o.holds is False and o.split]
    split, name = min(failed, key=lambda pair: pair[0].step)
    if name == "symmetry/dead-inputs":
        return (
            f"in iteration {split.step:,} rows of `w1` that belong to inputs which are zero "
            f"in every sample left zero, by up to {in_ulps(split.spread)}"
        )
    matrix = "columns of `w1`" if name == "symmetry/w1-columns" else "hidden rows of `w2`"
    return (
        f"in iteration {split.step:,} its {matrix} split ({groups_in_words(split.groups)}), "
        f"by up to {in_ulps(split.spread)}, although equal units must stay equal"
    )


def _what_it_costs(experiment: Experiment) -> str:
    settings, control = experiment.settings, experiment.control
    its = percent(experiment.history[-1].accuracy)
    alone = settings.collapsed or settings.init == "random" or settings.hidden == 1
    if alone or experiment.violated:
        sentence = f"It labels {its} of the test images correctly"
    else:
        sentence = (
            f"It is one unit written down {settings.hidden:,} times, and labels {its} of the test "
            "images correctly"
        )
    if control is None:
        return f"{sentence}."
    units = ", in which the units come to differ," if settings.hidden > 1 else ""
    return (
        f"{sentence}; the same network started from small random numbers{units} reaches "
        f"{percent(control.history[-1].accuracy)}."
    )


def verdict(outcome: Outcome, settings: Settings) -> str:
    """Return what is to be thought of one invariant."""
    if outcome.holds is None:
        return "not judged: the units did not start alike"
    if outcome.split is not None:
        groups = groups_in_words(outcome.split.groups)
        where = "" if outcome.name == "symmetry/dead-inputs" else f" ({groups})"
        return f"violated in iteration {outcome.split.step:,}{where}"
    if not outcome.counted:
        return "vacuous: nothing that moved could have differed"
    if settings.collapsed and outcome.name != "symmetry/dead-inputs":
        return "holds by construction"
    return "holds"


def in_short(outcome: Outcome, settings: Settings) -> str:
    """Return one invariant's outcome as a line for the terminal."""
    compared = f"{count(outcome.iterations, 'iteration')} compared"
    found = (
        f"{outcome.distinct:,} distinct at the end, largest deviation {in_ulps(outcome.max_ulps)}"
    )
    return f"{verdict(outcome, settings)}; {compared}, {found}"


def diverged(experiment: Experiment) -> int | None:
    """Return the iteration in which a weight ceased to be finite; None if all still are."""
    finite = all(np.isfinite(weights).all() for weights in experiment.last)
    return None if finite else experiment.outcomes[0].iterations


def command(settings: Settings, *, own_data: bool, classes: int) -> str:
    """Return the line that repeats the run; the places of its files are for the reader to fill."""
    from symmetry.experiment import Settings

    default = Settings()
    words = ["symmetry run"]
    if not own_data:
        words.append("--data DIR")
    if classes != 10:
        words.append(f"--classes {classes}")
    words.extend(
        f"--{option} {getattr(settings, option)}"
        for option in ("hidden", "iterations", "lr", "dtype", "init", "seed")
        if getattr(settings, option) != getattr(default, option)
    )
    if settings.collapsed:
        words.append("--collapsed")
    if not settings.control:
        words.append("--no-control")
    return " ".join(words if len(words) == 1 else [*words, "--output REPORTS"])
