"""Measuring a law about losses on trainings and on losses made by hand."""

from __future__ import annotations

import numpy as np

from symmetry.observe.source_line import SourceLine
from symmetry.training.losses import Argument, LossCall
from symmetry.training.start import TrainingStart
from symmetry.training.target import FunctionTraining, Training

PLACE = SourceLine("train.py", 12)


def measured(law, make):
    """Return the measurement of a law on a training, or on a target."""
    target = make if isinstance(make, Training) else FunctionTraining("mine", make)
    try:
        return law(TrainingStart(target, "float64"))
    finally:
        target.close()


def kind(measurement):
    if not measurement.applies:
        return "not applicable"
    if measurement.violation is not None:
        return "violated"
    return "holds" if measurement.counted else "cannot judge"


def trained(*rows, makers=("linear",), dtype=float):
    """Return facts about outputs."""
    return Argument.of(np.array(rows, dtype), trained=True, makers=makers)


def data(*rows, dtype=float):
    """Return facts about data."""
    return Argument.of(np.array(rows, dtype))


def call(function, options=None, **arguments):
    """Return a call of a loss function."""
    return LossCall(0, 0, function, arguments, options or {}, PLACE)
