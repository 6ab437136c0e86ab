"""The note ``loss/ending``: the token that ends each text is never a label.

Example: texts end with 2, and are filled up with 2, so that what ignores the label 2 ignores both.

    tokens     5 9 7 2    labels   9  7  .  .
               8 2 2 2             .  .  .  .     no loss teaches to write a 2
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from symmetry.invariants.loss.shift import Shift, shifts
from symmetry.law.note import Note, NoteKind
from symmetry.training.losses import Observed, Padded
from symmetry.units.state import Array

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
                yield ENDING.at(_text(end, number), shift.loss.place)
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


def _text(end: int, padding: int) -> str:
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
