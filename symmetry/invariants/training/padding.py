"""``training/padding``: what an attention mask hides changes nothing.

Example: a mean over all places of a row, though the mask hides some.

The tokens that the attention mask hides are replaced by others. The parameters have to be the same
after each step, up to rounding. Give the mask to each layer that mixes places, and leave hidden
places out of sums, means and losses.

Then a padded row is given to the model without its padding, in evaluation mode: the outputs of its
tokens have to be the same. They are not where positions are counted from the left and the padding
is there, so that a text depends on the longest one in its batch. Count positions from the first
token: ``(mask.cumsum(1) - 1).clamp(min=0)``. It is a note for
padding on the right, on which attention in blocks may depend, where a recurrent layer or a
convolution reads the padding, and where padding on the left is only known as the ``padding_idx`` of
an embedding.

A ``key_padding_mask`` that leaves out all words, and no padding, is the opposite of what is meant:
True leaves a key out.

A step in JAX may mask tokens without an attention mask in its batch, as with ``tokens != 0``. Then
other tokens are looked up at these places, and nothing else is changed. It is a note if outputs for
the other tokens move: the padding may be meant to be read there.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from symmetry.base.errors import TrainingError
from symmetry.invariants.invariant import TrainingInvariant
from symmetry.invariants.loss.outputs import moved, outputs_with, with_others
from symmetry.law.equivariance import compare_sides
from symmetry.law.measurement import Measurement, Violation
from symmetry.law.note import Note, NoteKind
from symmetry.observe.source_line import SourceLine
from symmetry.training.capabilities.batching import Padding
from symmetry.training.capabilities.rows import PaddedCall, Rows
from symmetry.training.losses import Observed, Padded
from symmetry.training.packing import PADDING_INDEX, PADDING_TOKEN
from symmetry.training.run import Run
from symmetry.training.start import TrainingStart
from symmetry.training.texts import BY_FIRST_LABELS
from symmetry.units.state import Array

PADDING = NoteKind("training/padding")
UNMASKED = NoteKind(
    "training/unmasked",
    meaning="A model is given rows that end with its token of padding, and no attention mask, so "
    "that its outputs depend on the padding. Give it the mask that the tokenizer returns.",
)
# How padding is known that a model masks without an attention mask in its batch, in words.
_MASKED = {
    "step": "the model masks them somewhere",
    "lengths": "the lengths of the texts leave them out",
}
_SAME = 1e-7  # of the largest entry, in float64
_INVERTED = (
    "key_padding_mask hides the words and shows the padding: where it is True, attention leaves a "
    "key out. Give it the opposite, ~mask"
)


def padding(start: TrainingStart) -> Measurement:
    """Hide other tokens; then take rows without their padding; look at masks of keys first."""
    observed = start.baseline.observed
    if observed is not None and (place := inverted_at(observed)):
        file, line = place.reference
        return Measurement.violated(Violation(_INVERTED, 1, "", file=file, line=line))
    found = _with_others_hidden(start)
    note = None if observed is None else _reads_masked(start, observed)
    if found.violation is None and note is not None:
        return Measurement.cannot_judge("its model may read padding on purpose", notes=(note,))
    if start.dtype != "float64" or found.violation is not None:
        return found
    tried = start.with_run(_padded, noise=True) if start.may_have_rows else ()
    calls = [call for call in tried if _is_judged(call)]
    if not calls:
        return found
    other = next((call for call in calls if call.distance > _SAME), None)
    if other is None:
        return found if found.applies else Measurement(counted=True)
    if other.known_by == PADDING_TOKEN:
        return replace(found, notes=(*found.notes, UNMASKED.at(_unmasked(other), other.at)))
    if other.reads_edges or other.side == "right" or other.known_by == PADDING_INDEX:
        note = PADDING.at(
            f"{_text(other)}. A text depends on the longest one in its batch.", other.at
        )
        return replace(found, notes=(*found.notes, note))
    cure = "Count positions from the first token, and give the mask to each layer that mixes places"
    return Measurement.violated(Violation.at(f"{_text(other)}. {cure}.", other.at))


def inverted_at(observed: Observed) -> SourceLine | None:
    """Return the line of a mask that leaves out words instead of padding.

    One more token of a row may be shown: the first one of an end may be no padding but a mark.
    """
    for hidden, place in observed.hidden:
        for rows in observed.padded:
            if rows.padding.shape == hidden.shape and not hidden[rows.padding].any():
                others = ~hidden & ~rows.padding
                if hidden.any() and others.sum(1).max() <= 1:
                    return place
    return None


def _padded(run: Run) -> Sequence[PaddedCall]:
    rows = run.capability(Rows)
    return () if rows is None else rows.padded()


def _is_judged(call: PaddedCall) -> bool:
    """Return whether a row was tried; one that an embedding fills up only where it begins late.

    Behind a text many models read padding that counts for nothing.
    """
    meant = call.known_by == PADDING_INDEX and (call.side == "right" or call.reads_edges)
    return not (call.why_not or meant)


def _reads_masked(start: TrainingStart, observed: Observed) -> Note | None:
    """Return a note if outputs for texts depend on padding that the model masks somewhere."""
    for padded in observed.padded:
        if padded.known_by not in _MASKED:
            continue
        texts = (padded.array, with_others(padded.array, padded.padding))
        try:
            plain, other = (outputs_with(start, padded, text) for text in texts)
        except TrainingError:  # with other tokens
            continue
        for loss in observed.losses:
            scores = plain.get(loss.number)
            rows = None if scores is None else moved(scores, other[loss.number])
            if rows is not None and (rows & _rows_of_texts(padded, len(rows))).any():
                return PADDING.at(_text_of_masked(padded), loss.place)
    return None


def _rows_of_texts(padded: Padded, count: int) -> Array:
    """Return which rows of outputs certainly belong to texts: to tokens, or to padded samples."""
    visible, padding = ~padded.padding, padded.padding
    within = visible[:, :-1] & visible[:, 1:]
    for places in (visible, within):
        if count == places.size:  # samples or places come first
            return places.ravel() & places.T.ravel()
    return np.asarray(padding.any(1)) if count == len(padding) else np.zeros(count, bool)


def _text_of_masked(padded: Padded) -> str:
    return (
        f"{padded.padding.sum()} of the {padded.padding.size} tokens are padding "
        f"({_MASKED[padded.known_by]}), and the outputs for the other tokens depend on them all "
        "the same: with other tokens there, the loss is given other outputs. Give the mask to each "
        "layer that mixes places, and to each mean"
    )


def _unmasked(call: PaddedCall) -> str:
    return (
        f"{call.module} is given rows with padding on the {call.side} ({PADDING_TOKEN} of its "
        f"configuration), and no attention_mask: without the padding a row has other outputs, by "
        f"{call.distance:.2g} of the largest. Give it the mask that the tokenizer returns."
    )


def _text(call: PaddedCall) -> str:
    return (
        f"{call.module} gives a row without its padding on the {call.side} other outputs than with "
        f"it: they differ by {call.distance:.2g} of the largest ({call.known_by} says what is "
        "padding)"
    )


def _with_others_hidden(start: TrainingStart) -> Measurement:
    """Compare a run with other tokens where masks hide them with the run as it is.

    It cannot be judged where padding is found by its token, or where a label stands next to it.
    """
    why = start.baseline.nothing_hidden
    try:
        if not why:
            found, _, why = start.with_others_hidden()
    except TrainingError as error:  # of tokens that it counts, say
        return Measurement.cannot_judge(f"with other hidden tokens, {error}")
    if why:
        return Measurement.not_applicable(why)
    measured = compare_sides(
        start, lambda _: (found, start.result), "other hidden tokens", "the run as it is"
    )
    if measured.violation is None:
        return measured
    _, seen, _ = start.with_others_hidden(look=True)
    for text, right in seen.items():
        if right:
            return Measurement.cannot_judge(text, random=measured.random)
    rows = start.begin(noise=True).capability(Rows)
    if rows is not None and any(call.predicts_first for call in rows.padded()):
        return Measurement.cannot_judge(BY_FIRST_LABELS, random=measured.random)
    message = "; ".join((measured.violation.message, *seen))
    return replace(measured, violation=replace(measured.violation, message=message))


INVARIANT = TrainingInvariant(
    name="training/padding",
    statement="what an attention mask hides changes nothing, and neither does padding",
    reason="hidden tokens take part in no sum, and no loss is computed of them",
    witness="a hidden token, another one there, and a state that moved",
    cause="the attention mask, or the positions, do not leave padding out",
    cure="Pass the attention mask to each layer, and count positions by it.",
    targets="PyTorch and JAX trainings on tokens",
    failure="reads entries that a mask hides",
    notes=(PADDING, UNMASKED),
    needs=(Padding,),
    measure=padding,
    compared="response",
    copies=8,
)
