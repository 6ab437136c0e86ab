"""``training/eager``: a run without torch.compile is the same.

Example: a backend of ``torch.compile`` rounds what the code computes to 16 bits.

The training is run without torch.compile, and as it is written. After each step the states have to
be the same, up to rounding. Dropout and other noise are drawn: what is compiled draws the numbers
that eager code draws. If the runs differ, they are compared once more without dropout, because a
compiler may draw in another order.
"""

from __future__ import annotations

from symmetry.invariants.invariant import WRITTEN, TrainingInvariant
from symmetry.invariants.training.settings import unaffected
from symmetry.law.measurement import Measurement
from symmetry.training.baseline import judged_states
from symmetry.training.capabilities.platform import Configuring
from symmetry.training.run import Run
from symmetry.training.start import TrainingStart

_HAS = "part that is compiled"
_WORDS = "without the compiler"
_DRAWN, _UNDROPPED = "drawing-as-eager", "undropped"  # settings of the framework


def eager(start: TrainingStart) -> Measurement:
    """Compare a run without the compiler with the run as it is; noise is drawn in both."""
    if not start.baseline.compiles:
        return Measurement.not_applicable(f"it has no {_HAS}")
    if not start.random:
        found = _unaffected(start)
        if found.violation is None:
            return found
    found = _unaffected(start.under(_DRAWN))
    if found.violation is None or not start.random:
        return found
    undropped = start.under(_UNDROPPED)
    certain = None if undropped.with_run(_draws, noise=False) else _unaffected(undropped)
    if certain is None or certain.violation is None:
        return Measurement.cannot_judge(
            f"{_WORDS} it is another run, perhaps only because it draws in another order"
        )
    return certain


INVARIANT = TrainingInvariant(
    name="training/eager",
    statement=f"a run {_WORDS} is the same",
    reason="a compiler keeps the results of the code",
    witness="a state that moved",
    cause="the compiler computes something else than the code says",
    cure="Compile less, and report the operation.",
    targets="PyTorch trainings",
    failure="depends on what must not matter",
    needs=(Configuring,),
    measure=eager,
    compared="response",
    dtypes=WRITTEN,
    copies=8,
)


def _unaffected(start: TrainingStart) -> Measurement:
    return unaffected(start, "eager", _WORDS, _HAS)


def _draws(run: Run) -> bool:
    """Return whether the model draws random numbers."""
    judged_states(run)
    return bool(run.random)
