"""Note ``loss/scaling``: all parts of a loss grow by one factor with the number of samples.

Example: ``mse_loss(out, x) + kl.sum()``. The first part is a mean over the samples, the second a
sum. With twice as many samples the second counts twice as much, so a weight between both that is
right for one batch size is wrong for all others.

Each sample of a batch is taken twice. A mean keeps its gradient, a sum doubles it. A gradient that
does neither, by one factor for all parameters, belongs to a sum of both, unless

- a part does not depend on the batch: a regulariser, ``weights.square().sum()``;
- samples are taken together: in a contrastive loss the gradient with each sample three times is not
  as much larger again;
- the step draws numbers for each sample that cannot be taken twice, too;
- the step divides by the number of samples as a constant: ``codes.sum() / batch_size``.

A norm over the whole batch, as in ``mse_loss(out, x) + code.norm()``, grows by the root of two: it
belongs to neither.

It is a note and no violation, since the weights of the parts may have been chosen for one batch.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from symmetry.base.errors import TrainingError
from symmetry.invariants.invariant import PROMOTED, TrainingInvariant
from symmetry.law.measurement import Measurement
from symmetry.law.note import NoteKind
from symmetry.observe.source_line import SourceLine
from symmetry.training.capabilities.batching import Reordering
from symmetry.training.capabilities.model import Differentiating
from symmetry.training.capabilities.step_events import StepEvents
from symmetry.training.losses import LossProbe
from symmetry.training.run import needed
from symmetry.training.start import TrainingStart
from symmetry.units.state import Array
from symmetry.units.units import Order

SCALING = NoteKind("loss/scaling")
_TOLERANCE = 1e-7  # of the largest entry of all gradients
_TEXT = (
    "one part of the loss is summed over the batch (here) and another is a mean over it: twice as "
    "many samples change the balance of both, so their weights fit one batch size only. Divide the "
    "sum by the number of samples"
)
_NORM = (
    "one part of the loss is a norm over the whole batch (here), which grows with the root of the "
    "number of samples, and another is a mean or a sum: their weights fit one batch size only. "
    "Take the norm of each sample, and the mean of these"
)

_Gradients = Mapping[str, Array]


def scaling(start: TrainingStart) -> Measurement:
    """Compare the gradients of a batch and of the same batch twice, if anything is summed."""
    count = start.baseline.samples
    if count is None or count < 2:
        return Measurement.not_applicable(
            "its batch is not given, or has no axis of at least two samples"
        )
    added, root = _sum_at(start, count), _norm_at(start, count)
    if added is None and root is None:
        return Measurement.not_applicable(
            "its loss sums nothing over all samples, nor takes a norm"
        )
    try:
        kind = _kind(start, count)
        if kind != "one" and not _are_repeated(start, count):
            return Measurement.cannot_judge("the step draws numbers for each sample")
    except TrainingError as error:
        return Measurement.cannot_judge(f"with each sample twice, {error}")
    if kind == "mixed" and _is_divided_by(start, count):
        return Measurement.cannot_judge(
            "a number that does not follow the samples divides their sum"
        )
    text, place = {"mixed": (_TEXT, added), "rooted": (_NORM, root or added)}.get(kind, ("", None))
    if place is not None:
        return Measurement.cannot_judge(
            "the weights may fit this batch size", notes=(SCALING.at(text, place),)
        )
    if kind != "one":
        return Measurement.cannot_judge("the loss takes samples together")
    return Measurement(counted=True)


INVARIANT = TrainingInvariant(
    name="loss/scaling",
    statement="all parts of the loss grow by one factor with the number of samples (float64)",
    reason="sums and means, added up, change their balance with the size of the batch",
    witness="a sum over all samples of a batch, or a norm of all",
    cause="one term of the loss is a sum, another one a mean",
    cure="Take the mean of each term over the batch.",
    targets="PyTorch trainings; a note, no violation",
    notes=(SCALING,),
    needs=(LossProbe, Differentiating, Reordering),
    measure=scaling,
    dtypes=PROMOTED,
)


def _kind(start: TrainingStart, count: int) -> str:
    """Return how the gradient grows with the batch.

    It is ``one`` if all parts grow by one factor, ``together`` if samples are taken together,
    ``mixed`` if some parts are sums and others are means, ``rooted`` if some are norms.
    """
    batch = np.arange(count)
    once, twice = _gradients(start, batch), _gradients(start, np.repeat(batch, 2))
    scale = max((float(abs(array).max(initial=0.0)) for array in once.values()), default=0.0)
    if scale == 0 or _gap(once, twice, times=_factor(once, twice)) <= _TOLERANCE * scale:
        return "one"
    other = np.repeat(batch[: max(count // 2, 1)], 2)
    means = (_mean_part(once, twice), _mean_part(*_once_and_twice(start, other)))
    if _gap(*means) <= _TOLERANCE * scale:
        return "one"  # all but a regulariser is a sum
    thrice = _gradients(start, np.repeat(batch, 3))
    more, most = _minus(twice, once), _minus(thrice, once)
    if _gap(more, most, times=2.0) <= _TOLERANCE * scale:
        return "mixed"
    if _gap(more, most, times=(3**0.5 - 1) / (2**0.5 - 1)) > _TOLERANCE * scale:
        return "together"
    rest = _mean_part(once, twice, root=True)
    others = _mean_part(*_once_and_twice(start, other), root=True)
    return "one" if _gap(rest, others) <= _TOLERANCE * scale else "rooted"


def _once_and_twice(start: TrainingStart, batch: Order) -> tuple[_Gradients, _Gradients]:
    return _gradients(start, batch), _gradients(start, np.repeat(batch, 2))


def _gradients(start: TrainingStart, order: Order) -> _Gradients:
    """Return the gradients that the first update finds, with these samples and their draws."""
    run = start.begin(noise=False, order=order)
    needed(run, Reordering).follow_samples(len(order))
    differentiating, events = needed(run, Differentiating), needed(run, StepEvents)
    found: dict[str, Array] = {}
    updated = False

    def after_backward() -> None:
        if not updated:
            found.update(differentiating.gradients())

    def before_update(_: object) -> None:
        nonlocal updated
        updated = True

    with events.listening(after_backward=after_backward, before_update=before_update):
        run.step()
    run.close()
    return found


def _minus(a: _Gradients, b: _Gradients, times: float = 1.0) -> _Gradients:
    return {name: times * a[name] - b[name] for name in a.keys() & b.keys()}


def _mean_part(once: _Gradients, twice: _Gradients, *, root: bool = False) -> _Gradients:
    """Return the part of a gradient that does not grow with the batch, up to a factor.

    The rest is a sum, or grows with the ``root`` of the number of samples.
    """
    return _minus(once, twice, times=2.0**0.5 if root else 2.0)


def _factor(once: _Gradients, twice: _Gradients) -> float:
    """Return the factor that fits best for all parameters."""
    size = sum(float((a * a).sum()) for a in once.values())
    return sum(float((once[name] * twice[name]).sum()) for name in once.keys() & twice) / size


def _gap(a: _Gradients, b: _Gradients, times: float = 1.0) -> float:
    """Return the largest difference between ``times`` the first gradient and the second."""
    gaps = _minus(a, b, times).values()
    return max((float(abs(gap).max(initial=0.0)) for gap in gaps), default=0.0)


def _are_repeated(start: TrainingStart, count: int) -> bool:
    """Return whether all that the step draws for its samples is repeated with them."""
    run = start.begin(noise=False, order=np.arange(count))
    seen = needed(run, Reordering).follow_samples(count)
    run.step()
    run.close()
    return all(seen.values())


def _norm_at(start: TrainingStart, count: int) -> SourceLine | None:
    """Return the line of the first norm of all samples in the first steps."""
    observed = start.baseline.observed
    norms = [] if observed is None else observed.norms
    return next((place for shape, place in norms if _has_samples(shape, count)), None)


def _is_divided_by(start: TrainingStart, count: int) -> bool:
    """Return whether something trained is divided by the number of the samples, as a constant."""
    observed = start.baseline.observed
    return observed is not None and count in observed.divisors


def _has_samples(shape: tuple[int, ...], count: int) -> bool:
    return any(length and length % count == 0 for length in shape)


def _sum_at(start: TrainingStart, count: int) -> SourceLine | None:
    """Return the line of the first sum over all samples in the first steps."""
    observed = start.baseline.observed
    if observed is None:
        return None
    sums = [
        (call.arguments["input"].shape, call.place)
        for call in observed.losses
        if call.options.get("reduction") == "sum" and "input" in call.arguments
    ]
    found = (place for shape, place in (*sums, *observed.sums) if _has_samples(shape, count))
    return next(found, None)
