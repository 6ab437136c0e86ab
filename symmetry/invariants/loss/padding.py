"""``loss/padding``: no loss counts the outputs at padding.

Example: rows are filled up with 0, which is padding_idx of the embedding, and so are their labels.

    tokens     5 9 2 7    labels   3 1 4 2
               8 4 0 0             2 2 0 0     counted: the loss has no ignore_index

The loss then teaches to answer padding with 0. That is soon learned, so the loss looks better than
it is, and it divides what the other tokens teach by the number of all places.

A place is padding if the attention mask of the call hides it, if pad_sequence or a tokenizer has
filled the row up with it, or if it holds the padding_idx of an embedding at the end of a row; the
first of these is left out, since it may end the text. In JAX it is also padding if the step masks
it before the loss, as with ``tokens != 0``, or if the lengths of the texts in its batch leave it
out; and, for a note, if its number only fills the ends of rows. Labels
belong to these places if they are the tokens themselves, or the next ones; or else if in a run with
other tokens at padding the outputs move that the loss compares with the labels there, or if all
outputs at padding are the same, and no others are. The last
padding before a text, in a row that is filled up on the left, may have the first token as its
label: it says how texts begin.

Padding that is predicted may be a mark that the text ends. So it is a note and no violation if the
tokens are the labels and no mask hides the padding, unless another token ends these texts.

It is a note, too, if the loss only counts the first padding behind such an end: then its mask was
not shifted with the labels. The mask says which tokens are to be predicted, so it is
``mask[:, 1:]`` for the labels ``tokens[:, 1:]``.

The note ``loss/ending`` says that the reverse has gone wrong: the token that ends each text is not
counted either. Often it is the padding as well, and labels of this number are ignored.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from symmetry.base.errors import TrainingError
from symmetry.invariants.invariant import PROMOTED, TrainingInvariant
from symmetry.invariants.loss.outputs import moved, outputs_with, with_others
from symmetry.invariants.loss.shift import Shift, shifts
from symmetry.law.measurement import Measurement, Violation
from symmetry.law.note import Note, NoteKind
from symmetry.training.capabilities.observing import Rehearsing
from symmetry.training.losses import LossCall, LossProbe, Observed, Padded
from symmetry.training.run import needed
from symmetry.training.start import TrainingStart
from symmetry.units.state import Array

# Texts end with 2, and are filled up with 2, so that what ignores the label 2 ignores both.
#
#     tokens     5 9 7 2    labels   9  7  .  .
#                8 2 2 2             .  .  .  .     no loss teaches to write a 2
ENDING = NoteKind(
    "loss/ending",
    meaning="The token that ends each text is never a label, since padding has the same number and "
    "is ignored. The model never learns to end a text. Pad with another token, or hide padding by "
    "the attention mask instead of its number.",
)
_FEWEST = 3  # texts: two may have the same end by chance


def unlearned_endings(observed: Observed) -> Iterator[Note]:
    """Yield a note for each loss of the next token that counts no end of a text."""
    for shift in shifts(observed.losses, observed.tokens):
        for padded in observed.padded:
            if padded.known_by == "number" or not np.array_equal(padded.array, shift.text):
                continue  # of a number it is not known whether the first one ends the text
            end = _end(padded)
            if shift.places > 0 and end is not None and not _is_learned(shift, padded, end):
                number = padded.array[padded.padding][0]
                yield ENDING.at(_ending_text(end, number), shift.loss.place)
                return


def _end(padded: Padded) -> int | None:
    """Return the token that ends all texts that are filled up: others may have been cut."""
    filled = padded.padding.any(1)
    shown = ~padded.padding[filled]
    if len(shown) < _FEWEST or np.unique(shown.sum(1)).size < 2:
        return None
    lasts = padded.array[filled][np.arange(len(shown)), _last(shown)]
    return int(lasts[0]) if (lasts == lasts[0]).all() else None


def _last(shown: Array) -> Array:
    """Return the last place of each text."""
    last: Array = shown.shape[1] - 1 - shown[:, ::-1].argmax(1)
    return last


def _is_learned(shift: Shift, padded: Padded, end: int) -> bool:
    """Return whether any label that counts is the end of a text, or may be."""
    labels = shift.loss.arguments["target"].labels
    assert labels is not None
    places = _last(~padded.padding) - shift.places
    inside = (places >= 0) & (places < shift.counts.shape[1])
    counted = labels.reshape(shift.counts.shape)[shift.counts]
    return bool((counted == end).any()) or inside.sum() < _FEWEST


def _ending_text(end: int, padding: int) -> str:
    same = (
        ", since texts are filled up with it as well, and labels of this number are ignored. "
        "Ignore the labels that the attention mask hides, or fill up with another token"
        if end == padding
        else ". Let the last token of each text count"
    )
    return (
        f"each text ends with the token {end}, and no loss has it for a label that counts: the "
        f"model never learns to end a text{same}"
    )


PADDING = NoteKind("loss/padding")
_CLASS_LOSSES = ("cross_entropy", "nll_loss")
_IGNORED = -100
_LABELLED = (
    f"Give padding the label {_IGNORED}, name its label as ignore_index, or leave its places out "
    "by the mask"
)
_LATE = (
    "the loss counts the first padding behind each text, which has a mark of its end already, and "
    "no other padding: its mask is not shifted with the labels. Take mask[:, 1:] for the labels "
    "tokens[:, 1:]"
)
_CURE = "Multiply the loss of each place by the mask"
_HOW = {
    "mask": "the attention mask hides them",
    "step": "the model masks them",
    "lengths": "the lengths of the texts leave them out",
    "filled": "they fill the rows up to one length",
    "number": "padding_idx",
    "ends": "their number only fills the ends of rows",
}


@dataclass(frozen=True, eq=False)
class Suspect:
    """A loss that has a label for each place of a text, also for padding."""

    # The loss, and the text.
    loss: LossCall
    padded: Padded
    labels: Array  # one for each place, (batch, places)
    transposed: bool  # whether the loss is given the places first, and then the batch

    @property
    def places(self) -> Array:
        """Which places are padding whose label counts, (batch, places)."""
        ignored = self.loss.options.get("ignore_index", _IGNORED)
        counts = (self.labels != ignored) & (self.labels >= 0)
        padding = self.padded.padding
        before_text = padding[:, :-1] & ~padding[:, 1:]
        judged = padding & ~np.pad(before_text, ((0, 0), (0, 1)))
        places: Array = judged[:, : self.labels.shape[1]] & counts
        return places

    @property
    def behind(self) -> Array:
        """Which places are the last of a text, (batch, places): the next one is padding."""
        padding = self.padded.padding
        last = np.pad(~padding[:, :-1] & padding[:, 1:], ((0, 0), (0, 1)))
        found: Array = last[:, : self.labels.shape[1]]
        return found

    def count(self, counted: Array, places: Array) -> bool:
        """Return whether the rows of the loss that count have all of some places among them."""
        return bool(counted[(places.T if self.transposed else places).ravel()].all())

    @property
    def is_masked(self) -> bool:
        """Whether the model is given a mask that hides the padding, or makes one."""
        return self.padded.known_by in ("mask", "step", "lengths")

    @property
    def is_certain(self) -> bool:
        """Whether padding that the loss counts is a fault, and no mark that the text ends."""
        if self.is_masked or self.padded.known_by == "ends":
            return self.is_masked
        return self.ends or not self.is_text

    @property
    def is_text(self) -> bool:
        """Whether the labels are the tokens at their places, or the next ones."""
        return self._are_tokens(0) or self.are_next

    @property
    def are_next(self) -> bool:
        """Whether the labels are the tokens behind their places."""
        return self._are_tokens(1)

    def _are_tokens(self, ahead: int) -> bool:
        tokens = self.padded.array[:, ahead : self.labels.shape[1] + ahead]
        mine = self.labels[:, : tokens.shape[1]]
        visible = ~self.padded.padding[:, : mine.shape[1]] & (mine >= 0)
        return bool((mine == tokens)[visible].all())

    @property
    def ends(self) -> bool:
        """Whether the texts that are filled up end with one token, and hold it nowhere else."""
        tokens, padding = self.padded.array, self.padded.padding
        number = tokens[padding][0]
        texts = [row[row != number].tolist() for row in tokens[padding.any(1)]]
        lasts = {text[-1] for text in texts if text}
        return len(lasts) == 1 and not any(lasts & {*text[:-1]} for text in texts)


def padding(start: TrainingStart) -> Measurement:
    """Judge the losses of the first step that have a label for each place of a text."""
    observed = start.baseline.observed
    if observed is None or not observed.padded:
        return Measurement.not_applicable("no tokens of it are known as padding")
    losses = [call for call in observed.losses if call.function in _CLASS_LOSSES and not call.step]
    suspects = [s for call in losses for text in observed.padded for s in _suspects(call, text)]
    try:
        counted = [(s, _counted(start, s)) for s in suspects if _belong(start, s)]
    except TrainingError as error:
        return Measurement.cannot_judge(f"with other tokens, {error}")
    found = [s for s, rows in counted if any(s.count(each, s.places) for each in rows)]
    late = [s for s, rows in counted if s not in found and _is_late(s, rows)]
    for suspect in found:
        if suspect.is_certain:
            array = f"{suspect.loss.function}.target"
            violation = Violation.at(_padding_text(suspect), suspect.loss.place, array=array)
            return Measurement.violated(violation)
    notes = (
        *(PADDING.at(_padding_text(each), each.loss.place) for each in found),
        *(PADDING.at(_LATE, each.loss.place) for each in late),
        *unlearned_endings(observed),
    )
    return Measurement(counted=bool(losses), notes=tuple(dict.fromkeys(notes)))


INVARIANT = TrainingInvariant(
    name="loss/padding",
    statement="no loss counts the outputs at padding (float64)",
    reason="padding only makes rows equally long: it means nothing",
    witness="padding at the ends of rows, and a loss of classes",
    cause="labels at padding are not ignored",
    cure="Set the labels of padding to -100, or pass ignore_index.",
    targets="PyTorch and JAX trainings on tokens",
    notes=(PADDING, ENDING),
    needs=(LossProbe, Rehearsing),
    measure=padding,
    dtypes=PROMOTED,
    runs=3,
)


def _suspects(call: LossCall, padded: Padded) -> Iterator[Suspect]:
    """Yield how the labels of a loss may lie at the places of a text, with one label at padding."""
    scores, target = call.arguments.get("input"), call.arguments.get("target")
    if scores is None or not scores.trained or target is None or target.labels is None:
        return
    batch, length = padded.array.shape
    if target.labels.size not in (batch * length, batch * (length - 1)):
        return
    for transposed in (False, True):
        flat = target.labels.ravel()
        labels = flat.reshape(-1, batch).T if transposed else flat.reshape(batch, -1)
        suspect = Suspect(call, padded, labels, transposed)
        if np.unique(labels[suspect.places]).size == 1:
            yield suspect


def _belong(start: TrainingStart, suspect: Suspect) -> bool:
    """Return whether the outputs that are compared with labels at padding are made of it."""
    if suspect.is_text:
        return True
    text, padding = suspect.padded.array, suspect.padded.padding
    texts = (text, with_others(text, padding))
    plain, other = (
        outputs_with(start, suspect.padded, each).get(suspect.loss.number) for each in texts
    )
    if plain is None or other is None or len(plain) != suspect.labels.size:
        return False
    rows = moved(plain, other)
    if rows is None:
        return False
    return suspect.count(rows, suspect.places) or _are_constant(plain, suspect)


def _are_constant(outputs: Array, suspect: Suspect) -> bool:
    """Return whether outputs are one vector at all padding, as behind pad_packed_sequence."""
    padding = suspect.padded.padding[:, : suspect.labels.shape[1]]
    at = (padding.T if suspect.transposed else padding).ravel()
    vectors = outputs.reshape(len(at), -1)
    same = (vectors == vectors[at][0]).all(1)
    return bool(at.sum() > 1 and same[at].all() and not same[~at].any())


def _counted(start: TrainingStart, suspect: Suspect) -> list[Array]:
    """Return to which outputs the loss passes gradients on, for each time that it is computed."""
    run = start.begin(noise=False)
    with needed(run, LossProbe).counted(suspect.loss) as found:
        run.step()
    run.close()
    return found


def _is_late(suspect: Suspect, counted: list[Array]) -> bool:
    """Return whether the loss counts the first padding behind texts that have a mark of the end."""
    behind = suspect.behind
    return (
        suspect.are_next
        and suspect.ends
        and bool(behind.any())
        and any(suspect.count(rows, behind) for rows in counted)
    )


def _padding_text(suspect: Suspect) -> str:
    padding, label = suspect.padded.padding, suspect.labels[suspect.places][0]
    how = _HOW[suspect.padded.known_by]
    text = (
        f"{padding.sum()} of the {padding.size} tokens are padding ({how}), and the loss counts "
        f"the outputs there, with the label {label}: it teaches to predict padding, and that "
        f"counts as much as the texts. {_LABELLED if suspect.loss.ignores else _CURE}"
    )
    if suspect.is_text and not suspect.is_masked:
        text += ". If it also ends the text, let only the first one count"
    return text
