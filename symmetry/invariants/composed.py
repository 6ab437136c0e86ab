"""Steps that compose their samples by place, as mixup with the flipped batch does, and are sound.

Where samples are rearranged, each meets another partner. Such a step differs from one that loses a
sample, or mixes inputs and not their labels: all rows reach the model, each sample changes the
loss, and wherever it changes an input, it changes what the loss says of the output there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from symmetry.base.errors import TrainingError
from symmetry.training.run import needed
from symmetry.training.start import TrainingStart
from symmetry.training.trial import ModuleInputs, SampleCall, Trial
from symmetry.units.units import Order

_SAMPLES = 8  # whose influence is tried


def by_position(start: TrainingStart, count: int) -> str:
    """Say how a sound step takes its samples by their places; nothing if that is not known."""
    try:
        # In an order that changes nothing: the same operations are done as in any other.
        own = _trial(start, np.arange(count)).module_inputs(operations=True)
        order = start.sample_order(count, 0)
        if not own.calls:
            return ""
        if _trial(start, order).module_inputs().follows(own, order):
            return _by_model(start, count)
        return _by_step(start, own, count)
    except TrainingError:  # of samples that come twice, say
        return ""


def replaced(count: int, sample: int) -> Order:
    """Return places of samples of which one is the next one's: its own sample is not there."""
    places = np.arange(count)
    places[sample] = (sample + 1) % count
    return places


def _by_model(start: TrainingStart, count: int) -> str:
    """Say how the model takes samples by their places in evaluation mode, too."""
    for call in _replaced_calls(start, count, tried(count)):
        if call.mixer is not None and call.mixer.by_position:
            return (
                "the model takes samples by their places, first by "
                f"{call.mixer.operation} ({call.mixer.place})"
            )
    return ""


def takes_alone(start: TrainingStart, count: int, row: int) -> bool:
    """Return whether the model is given a row of a batch, and no other output depends on it."""
    calls = _replaced_calls(start, count, [row])
    return bool(calls) and all(call.alone for call in calls)


def _replaced_calls(
    start: TrainingStart, count: int, samples: Iterable[int]
) -> Sequence[SampleCall]:
    """Return the calls of the model in evaluation mode, with each of some samples replaced."""
    changed = {k: _trial(start, replaced(count, k)).module_inputs() for k in samples}
    return _trial(start, None).with_samples(changed, count)


def _by_step(start: TrainingStart, own: ModuleInputs, count: int) -> str:
    """Say how the step takes samples by their places before the model gets them."""
    if not own.reaches(count):
        return ""
    labels = _trial(start, None).slopes(own)
    mixer = None
    for sample in tried(count):
        order = replaced(count, sample)
        other = _trial(start, order).module_inputs(operations=mixer is None)
        rows = own.rows(other, count)
        if not rows or other.loss == own.loss:
            return ""
        labelled = labels.rows(_trial(start, order).slopes(own), count)
        if labelled and not rows <= labelled:
            return ""
        mixer = mixer or own.mixer(other, count, sample)
    how = f" ({mixer.operation} at {mixer.place})" if mixer else f" (before {own.place})"
    return f"the step composes its samples by their places in the batch{how}"


def tried(count: int) -> Iterator[int]:
    """Yield the samples that are tried, the last and the first among them."""
    yield from dict.fromkeys(np.linspace(count - 1, 0, min(count, _SAMPLES)).astype(int).tolist())


def _trial(start: TrainingStart, order: Order | None) -> Trial:
    return needed(start.begin(order=order), Trial)
