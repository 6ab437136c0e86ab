"""``loss/pairs``: it matters which label belongs to which output.

Example: outputs of shape (n, 1) and labels of shape (n,). ``mse_loss(outputs, labels)`` broadcasts
both to (n, n) and compares each output with the labels of all samples. The minimum of that is at
the mean of the labels, whatever the inputs are.

A second run moves the labels by one sample at this operation. If the loss stays the same in all its
digits, though the labels differ, it does not depend on which label belongs to which output. Nor
does the training if the gradient of the outputs stays, though the loss does not: an advantage that
is used once more behind ``detach()`` changes the loss, and teaches its own network nothing. Data
may meet the outputs twice, as in the larger one of a loss and a clipped loss: both are moved then.
"""

from __future__ import annotations

import re
from contextlib import nullcontext, suppress

from symmetry.base.errors import TrainingError
from symmetry.invariants.invariant import PROMOTED, TrainingInvariant
from symmetry.law.measurement import Measurement, Violation
from symmetry.training.capabilities.observing import Rehearsing
from symmetry.training.losses import LossProbe, Pair
from symmetry.training.run import needed
from symmetry.training.start import TrainingStart
from symmetry.units.state import Array, difference, largest

_SAME = 1e-9  # of the loss
# Between a linear layer and the pair these leave one output for each sample.
_ONE_BY_ONE = re.compile(
    "add|amax|amin|clamp|div|elu|exp|gather|gelu|leakyrelu|log|logsoftmax|max|maximum|min|minimum|"
    "mul|neg|reduce_max|reduce_min|relu|sigmoid|softmax|softplus|sub|tanh|view"
)


def pairs(start: TrainingStart) -> Measurement:
    """Judge the pairs of outputs and data in the first steps."""
    observed = start.baseline.observed
    if observed is None:
        return Measurement.not_applicable("its runs show no losses")
    suspects = [pair for pair in observed.pairs if is_suspect(pair)]
    if not suspects:
        if observed.losses:
            return Measurement(counted=True)
        return Measurement.not_applicable("its steps call no losses")
    loss = _loss(start)
    if loss is None:
        return Measurement.cannot_judge("the first step has no loss")
    for place in dict.fromkeys(pair.place for pair in suspects):
        first = next(pair for pair in suspects if pair.place == place)
        rolled = _loss(start, first)
        if rolled is not None and abs(rolled - loss) <= _SAME * abs(loss):
            return _violated(first, "loss")
        if rolled is not None and _same_slopes(start, first):
            return _violated(first, "gradient")
    together = _loss(start, together=True)
    if together is not None and abs(together - loss) <= _SAME * abs(loss):
        return _violated(suspects[0], "loss")
    return Measurement(counted=True)


INVARIANT = TrainingInvariant(
    name="loss/pairs",
    statement="it matters which label belongs to which output (float64)",
    reason="a loss that stays when the labels move by one sample can teach nothing about them",
    witness="a loss of known inputs and targets",
    cause="outputs of shape (n, 1) meet labels of shape (n,), and broadcast to (n, n)",
    cure="Give outputs and labels the same shape.",
    targets="PyTorch and JAX trainings",
    needs=(LossProbe, Rehearsing),
    cheap=True,
    measure=pairs,
    dtypes=PROMOTED,
    runs=1,
)


def is_suspect(pair: Pair) -> bool:
    """Return whether a pair may be meant as one output and one label for each sample.

    What a step makes a column of itself is meant to meet all others, as in a matrix of distances.
    """
    makers = [maker for maker in pair.makers if not _ONE_BY_ONE.fullmatch(maker)]
    return makers[:1] == ["linear"] and pair.varies and not pair.spread


def _loss(
    start: TrainingStart, rolled: Pair | None = None, *, together: bool = False
) -> float | None:
    """Return the first loss of a run, with the data of a pair, or of all, moved by one sample.

    None if the run fails so, or nothing can be moved.
    """
    run = start.begin(noise=False)
    probe = needed(run, LossProbe)
    moving = probe.rolled(rolled) if rolled else probe.all_rolled() if together else nullcontext()
    if moving is None:
        return None
    try:
        with moving:
            needed(run, Rehearsing).rehearse(1, 0)
    except TrainingError:
        return None
    loss = run.loss
    run.close()
    return loss


def _same_slopes(start: TrainingStart, pair: Pair) -> bool:
    """Return whether the outputs get the same gradient with the data moved by one sample."""
    both: list[list[Array]] = []
    for rolled in (False, True):
        run = start.begin(noise=False)
        with suppress(TrainingError), needed(run, LossProbe).slopes(pair, rolled=rolled) as found:
            both.append(found)
            run.step()
        run.close()
    one, other = both
    size = max(map(largest, one), default=0.0)
    alike = size > 0 and len(one) == len(other)
    return alike and all(difference(a, b) <= _SAME * size for a, b in zip(one, other, strict=True))


def _violated(pair: Pair, what: str) -> Measurement:
    n = pair.count
    output, other = (f"({n}, 1)", f"({n},)") if pair.column_trained else (f"({n},)", f"({n}, 1)")
    text = (
        f"{pair.operation} of outputs of shape {output} and data of shape {other} makes "
        f"({n}, {n}): each output meets the data of all samples. Moved by one sample, the data "
        f"gives the same {what}, so nothing can be learned of which is whose: give both the same "
        "shape, with [:, 0] or [:, None]"
    )
    return Measurement.violated(Violation.at(text, pair.place, array=pair.operation))
