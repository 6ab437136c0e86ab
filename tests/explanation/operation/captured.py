"""Captured operations made by hand, without a run: what the tests of their parts need of them."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from symmetry.explanation.operation.captured import CapturedOperation
from symmetry.explanation.search.inequality import Inequality
from symmetry.explanation.search.location import Location


def captured(
    result,
    location,
    *,
    exchanged=(0, 1),
    groups=((0, 2), (1,)),
    control=None,
    perform=None,
    operands=(),
    written=(),
    deviation=0.0,
    rounding=0.0,
):
    """Return an operation whose result holds two units at a location.

    ``control`` is where it holds a usual unit and a third one.
    """
    key = 0, 0
    a, b = exchanged
    call = SimpleNamespace(perform=perform, written=written)
    event = SimpleNamespace(
        arrays=[np.asarray(result)], operands=[*operands], call=call, fresh=len(written) or 1
    )
    runs = SimpleNamespace(
        exchange=SimpleNamespace(a=a, b=b),
        control=SimpleNamespace(locations={} if control is None else {key: control}),
        run=SimpleNamespace(groups=groups, units=SimpleNamespace(name="hidden units")),
    )
    inequality = Inequality("differs", key, location, deviation, rounding)
    return CapturedOperation(runs, inequality, event, ("", ""), ())


def along(axis, i, j):
    return Location("axis", axis, i, j)
