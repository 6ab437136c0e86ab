"""``loss/next-token``: no output sees the token that it is to predict, or any later one.

Example: the mask is missing, and the step is ``cross_entropy(model(text[:, :-1]), text[:, 1:])``.

    text       4 7 1 9 3 8
    labels     7 1 9 3 8        found in the text one place later: labels are next tokens
    changed    4 7 1|5 2 6      other tokens of the batch, from the middle on
    outputs    o o o|x x x      sound: only outputs at changed places move
    outputs    o x o|x x x      violated: an output moves that comes before, so it reads ahead

A label that is the token at its own place is copied, not predicted: *labels are not shifted*. That
is meant in a model that reads both ways, but hardly ever in one that reads backwards alone. Labels
that only occur two places later were shifted twice, by the model and by the step.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from symmetry.base.errors import TrainingError
from symmetry.invariants.invariant import PROMOTED, TrainingInvariant
from symmetry.invariants.loss.outputs import moved, with_others
from symmetry.invariants.loss.shift import Shift, shifts
from symmetry.law.measurement import Measurement, Violation
from symmetry.law.note import NoteKind
from symmetry.observe.source_line import SourceLine
from symmetry.training.capabilities.observing import Rehearsing
from symmetry.training.losses import LeakSearch, LossProbe, Moved, Tokens
from symmetry.training.run import Run, needed
from symmetry.training.start import TrainingStart
from symmetry.units.compare import unequal
from symmetry.units.state import Array

_Positions = Mapping[int, Array]
_AWAKE = 0.02  # the size of numbers in place of zeros, as language models begin with


def first_leak(start: TrainingStart, shift: Shift, text: Array, cut: int) -> Moved | None:
    """Return the first module whose output moves before a place, where none of its inputs does.

    ``text`` is another one from this place on. None if all that can be seen are the outputs.
    """
    texts, axis = (shift.given(shift.text), shift.given(text)), 0 if shift.transposed else 1
    search = start.begin(_awake(start), noise=False).capability(LeakSearch)
    if search is not None:
        return search.leak(shift.loss, texts, cut, axis)
    plain, changed = (_calls(start, tokens) for tokens in texts)
    for (module, given, made), (_, other_given, other_made) in zip(plain, changed, strict=False):
        if _moves(made, other_made, cut, axis) and not _moves(given, other_given, cut, axis):
            return module
    return None


def _awake(start: TrainingStart) -> dict[str, Array]:
    """Return other numbers for trained arrays of zeros.

    Where a residual branch ends with weights of zero, no output depends on what the branch reads
    before the first update.
    """
    zeros = sorted(name for name in start.baseline.trained if not start.state[name].any())
    random = np.random.default_rng(0)
    return {
        name: np.asarray(_AWAKE * random.standard_normal(a.shape), a.dtype)
        for name in zeros
        if (a := start.state[name]).dtype.kind == "f"
    }


def _calls(start: TrainingStart, tokens: Tokens) -> list[tuple[Moved, Any, Any]]:
    run = start.begin(_awake(start), noise=False)
    with needed(run, LossProbe).positions(tokens) as found:
        try:
            needed(run, Rehearsing).rehearse(1, 0)
        except TrainingError:
            return []
    run.close()
    return found


def _moves(plain: _Positions, other: _Positions, cut: int, axis: int) -> bool:
    """Return whether anything differs before a place."""
    for number, array in plain.items():
        if number in other and other[number].shape == array.shape:
            a, b = (each.take(range(cut), axis) for each in (array, other[number]))
            if unequal(a, b).any():
                return True
    return False


NEXT_TOKEN = NoteKind("loss/next-token")


@dataclass(frozen=True)
class Reading:
    """The tokens that the outputs of a loss depend on, around one place of the text."""

    cut: int
    # The first place whose output depends on tokens from ``cut`` on, though it is to predict none
    # after that one; None if there is no such place.
    ahead: int | None
    moves: bool  # whether any output depends on them
    # Whether the output that is to predict the token behind ``cut`` depends on them: it has then
    # seen the last token before that one, and the first rows of the loss may just be left out.
    follows: bool = False
    # Whether the output at ``cut`` depends on its own token; whether outputs from there on depend
    # on tokens before it. They are only looked at where the labels are not shifted.
    own: bool = False
    behind: bool = False


def next_token(start: TrainingStart) -> Measurement:
    """Judge the losses of the first step whose labels are tokens of a module call."""
    observed = start.baseline.observed
    if observed is None or not observed.tokens:
        return Measurement.not_applicable(
            "no module is called with whole numbers of shape (batch, tokens)"
        )
    found = shifts(observed.losses, observed.tokens)
    if not found:
        return Measurement.not_applicable("no labels of a loss are the tokens of a module call")
    read: list[tuple[Shift, list[Reading]]] = []
    for shift in found:
        try:
            readings = list(_readings(start, shift))
        except TrainingError as error:
            return Measurement.cannot_judge(f"with other tokens, {error}")
        for reading in readings:
            if (text := _wrong(shift, reading)) is not None:
                if reading.ahead is not None and _meet(start, shift, reading.cut):
                    return Measurement.cannot_judge(_MIXED)
                place, text = _where(start, shift, reading, text)
                violation = Violation.at(text, place, array=f"{shift.loss.function}.input")
                return Measurement.violated(violation)
        if any(reading.moves for reading in readings):
            read.append((shift, readings))  # else the argument only holds labels
    if not read:
        return Measurement.not_applicable("no output depends on the tokens that are labels, too")
    nearest, readings = min(read, key=lambda each: each[0].places)
    if nearest.places > 1 and not any(reading.follows for reading in readings):
        text = _TWICE.format(places=nearest.places)
        array = f"{nearest.loss.function}.target"
        return Measurement.violated(Violation.at(text, nearest.loss.place, array=array))
    copied = [s for s, readings in read if s.places == 0 and any(map(_both_ways, readings))]
    decoded = any(not any(map(_both_ways, readings)) for _, readings in read)
    notes = () if decoded else (NEXT_TOKEN.at(_COPIED, shift.loss.place) for shift in copied)
    return Measurement(counted=True, notes=tuple(dict.fromkeys(notes)))


INVARIANT = TrainingInvariant(
    name="loss/next-token",
    statement="no output sees the token that it is to predict, or a later one (float64)",
    reason="with other tokens there it could not have changed",
    witness="labels of a loss that are the tokens of a module call, some places later",
    cause="the causal mask is missing, or labels are not shifted by one token",
    cure="Mask later tokens, and compare the output at t with the token at t + 1.",
    targets="PyTorch and JAX trainings on tokens",
    notes=(NEXT_TOKEN,),
    needs=(LossProbe, Rehearsing),
    cheap=True,
    measure=next_token,
    dtypes=PROMOTED,
    runs=3,
)


def _both_ways(reading: Reading) -> bool:
    """Return whether an output depends on later tokens.

    Where the labels are read by a decoder as well, which reads backwards, to say again what an
    encoder has read is a task.
    """
    return reading.moves and reading.ahead is not None


def _wrong(shift: Shift, reading: Reading) -> str | None:
    """Describe the fault in the tokens that outputs depend on; None without a fault."""
    if shift.places >= 1 and reading.ahead is not None:
        return (
            f"the labels are the next tokens, but the output at place {reading.ahead} changes with "
            f"the tokens from place {reading.cut} on: it depends on the token that it is to predict"
        )
    if shift.places == 0 and reading.ahead is None and reading.own and reading.behind:
        return (
            "the label of each position is its own input token, which the model has read: shift "
            "the labels by one. Compare logits[:, :-1] with tokens[:, 1:]"
        )
    return None


_MIXED = "the outputs of a text depend on the other texts of its batch, as with batch normalisation"
_COPIED = (
    "the labels are the tokens that the model is given, at their own places, and it reads both "
    "ways: nothing has to be predicted. Mask the tokens that it has to predict, or shift the labels"
)
_TWICE = (
    "the labels lie {places} places later than the tokens that outputs have seen, so the next one "
    "is never learned: they were shifted twice. Many models shift labels themselves: give them "
    "labels that are not shifted"
)


def _where(
    start: TrainingStart, shift: Shift, reading: Reading, text: str
) -> tuple[SourceLine, str]:
    """Return the line to blame, and the text with the module that reads ahead, if one is known."""
    if reading.ahead is None:
        return shift.loss.place, text
    found = first_leak(start, shift, _changed(shift, reading.cut), reading.cut)
    if found is None or not found.place.file:
        cure = "Give its attention a causal mask, or shift the labels"
        return shift.loss.place, f"{text}. {cure}"
    name = f"{found.module} ({found.kind})" if found.module else found.kind
    return found.place, f"{text}. The first to mix them is {name}: {_cure(found.kind)}"


def _cure(kind: str) -> str:
    """Say how a module of this class is kept from reading ahead."""
    if "Conv" in kind:
        return "pad its input on the left alone"
    if any(name in kind for name in ("GRU", "LSTM", "RNN")):
        return "let it read in one direction"
    if kind == "MultiheadAttention":
        return "give it a causal mask"
    return (
        "give it a causal mask; if it has one, let its softmax run over the keys, and split heads "
        "by transpose(), not by view() alone"
    )


def _readings(start: TrainingStart, shift: Shift) -> Iterator[Reading]:
    """Yield the tokens that outputs depend on, for two places to cut the text at."""
    plain = _outputs(start, shift, shift.text)
    length = shift.text.shape[1]
    for cut in dict.fromkeys((length // 2 | 1, length // 3 | 1)):  # odd: no block begins there
        if plain is None or cut < 1:
            return
        moved = _moved(start, shift, plain, _changed(shift, cut))
        if moved is None:
            return
        # The token to be predicted there lies at the cut or before it.
        until = cut - max(shift.places, 1) + 1
        before = np.flatnonzero((moved & shift.counts)[:, :until].any(0))
        ahead = int(before[0]) if len(before) else None
        behind_cut = moved[:, max(cut + 1 - shift.places, 0) :][:, :1]
        reading = Reading(cut, ahead, bool(moved.any()), follows=bool(behind_cut.any()))
        if shift.places == 0 and reading.moves and ahead is None and cut < moved.shape[1]:
            one = _moved(start, shift, plain, _changed(shift, cut, cut + 1))
            past = _moved(start, shift, plain, _changed(shift, 0, cut))
            own = one is not None and bool((one & shift.counts)[:, cut].any())
            behind = past is not None and bool(past[:, cut:].any())
            reading = replace(reading, own=own, behind=behind)
        yield reading


def _moved(start: TrainingStart, shift: Shift, plain: Array, text: Array) -> Array | None:
    """Return which outputs another text moves, (batch, labels)."""
    other = _outputs(start, shift, text)
    return None if other is None else moved(plain, other)


def _meet(start: TrainingStart, shift: Shift, cut: int) -> bool:
    """Return whether other tokens of one text move the outputs of other texts."""
    text = shift.text.copy()
    text[0] = _changed(shift, cut)[0]
    plain = _outputs(start, shift, shift.text)
    others = None if plain is None else _moved(start, shift, plain, text)
    return others is not None and bool(others[1:].any())


def _changed(shift: Shift, begin: int, end: int | None = None) -> Array:
    """Return the text with other tokens of the batch from one place to another."""
    places = np.zeros(shift.text.shape, bool)
    places[:, begin:end] = True
    return with_others(shift.text, places, shift.words)


def _outputs(start: TrainingStart, shift: Shift, text: Array) -> Array | None:
    """Return the input of the loss when another text is passed to the module."""

    def scores(run: Run) -> Array | None:
        with needed(run, LossProbe).outputs(shift.given(text)) as found:
            needed(run, Rehearsing).rehearse(1, 0)
        run.close()
        return found.get(shift.loss.number)

    found = start.with_run(scores, _awake(start), noise=False)
    return None if found is None else shift.rows(found)
