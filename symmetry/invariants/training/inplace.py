"""``training/inplace``: modules may write into what they are given, or return something new.

Example: ``x + self.fc(self.act(x))`` with ``self.act = nn.ReLU(inplace=True)`` adds the result of
the ReLU, not x, since the ReLU has overwritten x. Make the module with ``inplace=False``.
"""

from __future__ import annotations

from dataclasses import replace

from symmetry.invariants.invariant import WRITTEN, TrainingInvariant
from symmetry.invariants.training.settings import unaffected
from symmetry.law.measurement import Measurement
from symmetry.observe.source_line import NOWHERE, SourceLine
from symmetry.training.baseline import JUDGED
from symmetry.training.capabilities.platform import Configuring
from symmetry.training.run import needed
from symmetry.training.start import TrainingStart
from symmetry.units.state import difference

_SETTING = "inplace"
_CURE = (
    "something else reads the tensor that a module with inplace=True has overwritten, as a "
    "residual connection does: use inplace=False there"
)
_OWN = 0.01  # of the whole deviation: a module that causes less of it alone is not the reason


def inplace(start: TrainingStart) -> Measurement:
    """Compare the run with one whose modules leave what they are given as it is."""
    words, has = "with modules that do not work in place", "module with inplace=True"
    found = unaffected(start, _SETTING, words, has)
    if found.violation is None:
        return found
    message = f"{_CURE} ({found.violation.message})"
    file, line = _guilty(start, found.violation.array).reference
    violation = replace(found.violation, message=message, file=file, line=line)
    return replace(found, violation=violation)


INVARIANT = TrainingInvariant(
    name="training/inplace",
    statement="a run with modules that do not work in place is the same",
    reason="nothing else reads a tensor that a module overwrites",
    witness="a state that moved",
    cause="a module writes into a tensor that something else reads",
    cure="Leave out inplace=True.",
    targets="PyTorch trainings",
    needs=(Configuring,),
    measure=inplace,
    compared="response",
    dtypes=WRITTEN,
    copies=8,
)


def _guilty(start: TrainingStart, array: str) -> SourceLine:
    """Return the line at which a module was made that changes an array by working in place.

    The modules are changed in their order, more and more of them, until half of the deviation is
    there; the last of them has to cause some of it alone.
    """
    places = needed(start.begin(), Configuring).in_place()
    whole = _deviation(start, array, slice(0, len(places)))
    least, most = 0, len(places)
    while most - least > 1:
        middle = (least + most) // 2
        if _deviation(start, array, slice(0, middle)) > whole / 2:
            most = middle
        else:
            least = middle
    alone = _deviation(start, array, slice(least, most)) if places else 0.0
    return places[least] if alone > _OWN * whole else NOWHERE


def _deviation(start: TrainingStart, array: str, part: slice) -> float:
    """Return how far an array is moved if a part of the modules does not work in place."""
    run = start.begin()
    with needed(run, Configuring).with_setting(_SETTING, part):
        *_, last = run.states(JUDGED)
    return difference(last[array], start.result[-1][array])
