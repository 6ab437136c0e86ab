"""``loop/turns``: each sample has its turn.

Example: a sampler permutes a prefix of the data, so that the tail is drawn in no epoch.

    whole = len(data) // batch_size * batch_size
    yield from torch.randperm(whole)                    the last samples never train anything
    yield from torch.randperm(len(data))[:whole]        others are left out in each epoch

The sampler of a training loader is run many times: the samples that no pass draws are named. Rows
at fixed places of each batch that nothing but a slice takes train nothing either, and entries of
one long text behind the last whole slice are never read, though they would fill another one.
Samplers that hold a list of what they take, or weights, are told so. A loader in a fixed order that
drops its last batch is a note.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from symmetry.invariants.loop.judgement import Judgement, judged, loop_invariant
from symmetry.law.invariant import Statement
from symmetry.law.measurement import Measurement
from symmetry.law.note import Excuse, NoteKind
from symmetry.observe.source_line import NOWHERE, SourceLine
from symmetry.training.events import Epochs, Loader, Turns
from symmetry.training.influence import spread
from symmetry.training.start import TrainingStart
from symmetry.training.updates import SHAPES, Updates
from symmetry.units.words import count

DROPPED = NoteKind(
    "loop/dropped",
    meaning="A training loader in a fixed order drops its last batch, or its sampler draws none of "
    "one end of the data, so that the same samples train nothing in all epochs. Shuffle, or draw "
    "from all samples.",
)
MASKED = Excuse("rows without a term", "the loss gives the rows a weight of 0, or no label")
HELD_OUT = Excuse("rows for something else", "the rows are used, and not for the loss")
REST = Excuse("a rest", "equal pieces of each batch are taken, and the rest is smaller than one")
_ROWS = 64  # of a batch: more are tried in blocks
_SHOWN = 3
_CUTS = frozenset(("slice", "select", "narrow", "split", "split_with_sizes", "chunk"))


def turns(epochs: Epochs) -> Judgement:
    """Judge the samplers of training loaders, and slices that a loop reads."""
    judgement = Judgement()
    mine = [x for x in epochs.loaders if x.number in epochs.training_loaders and x.turns]
    judgement.applies = bool(mine or epochs.slices)
    judgement.why = "" if judgement.applies else "no sampler of its own draws training samples"
    for loader in mine:
        others = [x for x in epochs.loaders if x.data_set == loader.data_set and x is not loader]
        _judge_sampler(loader, others, judgement)
    for read in epochs.slices:
        if read.length - read.end >= read.size - 1:
            judgement.accuse(
                f"slices of {read.size} entries are read in order, and then again from the "
                f"beginning: the last {read.length - read.end} of {read.length} entries are never "
                "read. Go on until no whole slice is left.",
                read.at,
            )
    return judgement


def _judge_sampler(loader: Loader, others: list[Loader], judgement: Judgement) -> None:
    found = loader.turns
    if found is None or not found.never:
        return
    if any(other.turns is None or other.turns.never != found.never for other in others):
        return  # a loader of another epoch, or of an evaluation, may draw them
    shown = ", ".join(map(str, found.never[:_SHOWN])) + ", ..." * (len(found.never) > _SHOWN)
    text = f"{count(len(found.never), 'sample')} of {found.samples} are drawn in no epoch: {shown}"
    if found.dropped:
        judgement.note(
            DROPPED,
            f"{text}. The loader drops its last batch, and its order is the same in each epoch. "
            "Shuffle, or keep the last batch.",
            loader.at,
        )
    elif len(found.never) >= found.size and _is_end(found):
        judgement.note(
            DROPPED,
            f"{text}. They are all at one end of the data: let the sampler draw from all of them, "
            "unless they are kept for something else.",
            loader.at,
        )
    else:
        judgement.accuse(f"{text}. Let the sampler draw from all of them.", loader.at)


def _is_end(turns: Turns) -> bool:
    """Return whether the samples that are never drawn are one end of the data."""
    first, last = turns.never[0], turns.never[-1]
    return last - first + 1 == len(turns.never) and (first == 0 or last == turns.samples - 1)


def rows(updates: Updates) -> Judgement:
    """Judge rows of batches that train nothing, at the same places of each."""
    judgement, places = Judgement(), list[tuple[int, frozenset[int], SourceLine]]()
    for u in range(len(updates.updates)):
        if not updates.is_known(u):
            return judgement
        found = _idle_rows(updates, u, judgement)
        if found is None or not found[1]:
            return judgement
        places.append(found)
    first = places[0] if places else (0, frozenset[int](), NOWHERE)
    idle, number, at = first[1], first[0], first[2]
    if len(places) > 1 and idle and all(each[:2] == first[:2] for each in places):
        judgement.accuse(
            f"rows {min(idle)} to {max(idle)} of each batch of {number} train nothing: slices take "
            "other rows, and no gradient moves with these. Let the slices cover the batch.",
            at,
        )
    return judgement


def _idle_rows(
    updates: Updates, update: int, judgement: Judgement
) -> tuple[int, frozenset[int], SourceLine] | None:
    """Return how many rows a batch has, those that nothing but slices takes, and a slice's line."""
    mine = (entry.value for entry in updates.entries if entry.update == update)
    value = next((v for v in mine if _is_table(updates, v)), None)
    if value is None:
        return None
    array, gradients = updates.array(value), updates.updates[update].gradients
    if len(array) > _ROWS or not _is_cut(updates, value, update):
        return None
    random, idle, at = np.random.default_rng(0), set[int](), NOWHERE
    for row in range(len(array)):
        other = array.copy()
        other[row] += random.standard_normal(other[row].shape).astype(other.dtype)
        nodes = updates.updates[update].nodes
        moved = spread(updates.trace, {value: other}, nodes, until=gradients)
        moves = moved.any_of(gradients)
        if moves is None:
            return None
        if moves:
            continue
        stops = [k for v in moved.arrays for k in updates.trace.users.get(v, ()) if k in nodes]
        ends = [k for k in stops if moved.arrays.keys().isdisjoint(updates.trace.nodes[k].outputs)]
        into = updates.into_loss(update) | updates.into_gradients(update)
        used = [v for v in moved.first if updates.made_by(v) not in SHAPES and v not in into]
        if used or any(v in updates.read for v in moved.arrays if v != value):
            judgement.spare(HELD_OUT, NOWHERE)
        elif not ends or any(updates.base(k) not in _CUTS for k in ends):
            judgement.spare(MASKED, NOWHERE)
        elif _is_rest(updates, value, ends):
            judgement.spare(REST, updates.at(ends[0]))
        else:
            idle.add(row)
            at = updates.at(ends[0])
    return len(array), frozenset(idle), at


def _is_cut(updates: Updates, value: int, update: int) -> bool:
    """Return whether a slice is taken of a value, or of what is computed with it."""
    values = {value}
    for k in updates.updates[update].nodes:
        node = updates.trace.nodes[k]
        if not values.isdisjoint(node.inputs):
            if updates.base(k) in _CUTS:
                return True
            values.update(node.outputs)
    return False


def _is_table(updates: Updates, value: int) -> bool:
    array = updates.array(value)
    return array.dtype.kind == "f" and array.ndim > 1 and len(array) > 1


def _is_rest(updates: Updates, value: int, ends: list[int]) -> bool:
    """Return whether a batch is cut into equal pieces, of which the rest would be smaller."""
    sizes = [len(updates.array(updates.trace.nodes[k].outputs[0])) for k in ends]
    rest = len(updates.array(value)) - (sum(sizes) if len(sizes) > 1 else sizes[0])
    return len({*sizes}) == 1 and 0 <= rest < (sizes[0] if len(sizes) > 1 else sizes[0] / 2)


_LOOP = loop_invariant(
    Statement(
        name="loop/turns",
        statement="each sample of a training has its turn",
        reason="a sample that no epoch draws, and a row that no gradient moves with, train nothing",
        witness="a sampler, or slices of batches or of a long tensor",
        cause="the sampler, or a slice, leaves the same samples out in each epoch",
        cure="Let the sampler draw from all samples, and let slices cover the batch.",
        notes=(DROPPED,),
        excuses=(MASKED, HELD_OUT, REST),
    ),
    turns,
)


def measure(start: TrainingStart) -> Measurement:
    """Judge samplers and slices in the run over epochs, and rows on the trace of updates."""
    found = _LOOP.measure(start)
    updates = start.target.updates(start.seed)
    if found.violation is not None or updates is None:
        return found
    judgement = rows(updates)
    if not judgement.accusations:
        return found
    epochs = start.target.epochs(start.seed)
    assert epochs is not None
    return judged(lambda _: judgement, epochs)


INVARIANT = replace(_LOOP, measure=measure)
