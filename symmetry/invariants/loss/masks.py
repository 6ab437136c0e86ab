"""``loss/masks``: what is masked out of a sum is masked out of its number, too.

Example: truncated answers leave the numerator, and not the denominator.

    keep = mask * (~truncated)[:, None]
    loss = (per_token * keep).sum() / mask.sum()     truncated answers make the others count less
    loss = (per_token * keep).sum() / keep.sum()

Sums of a product with a mask are followed to what divides them. If that counts another mask, of
which the one in the sum is a part, it is a violation: the weight of what is left depends on what
was left out. Numbers of 0 and 1 that nothing shows to be a mask, as a comparison, integers or a
name do, may be rewards, and are spared. A product with a mask that is averaged over all places is
a note: padding makes real places count less, unless the number of places is a constant on purpose.
So is a sum of it that is divided by a length of the tensor, and a mean over all places of a batch
whose mask hides some.

In JAX the equations of the jitted step are judged, and those of the functions that compute its
arguments from its state. A loop is one operation: nothing is said of what lies within.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from symmetry.invariants.loop.judgement import Judgement
from symmetry.invariants.loss.influence import is_mask
from symmetry.invariants.loss.traced import Repeated, update_invariant
from symmetry.law.invariant import Statement
from symmetry.law.note import Excuse, NoteKind
from symmetry.observe.source_line import SourceLine
from symmetry.training.updates import SHAPES, Updates
from symmetry.units.state import Array

MEAN = NoteKind(
    "loss/masked-mean",
    meaning="A product with a mask is averaged over all places, also those that it hides: the more "
    "padding a batch has, the less its real places count. Divide the sum by the sum of the mask.",
)
_PRODUCT = (
    "a product with a mask is averaged over all places, also those that it hides: padding makes "
    "real places count less. Divide the sum by the sum of the mask."
)
_ALL = (
    "a value of a model is averaged over all places of the batch, also those that its mask hides: "
    "padding counts in the loss. Sum the places that it keeps, and divide by the sum of the mask."
)
PARTS = Excuse("parts of one mask", "several sums share the number, and their masks make it up")
CHANCE = Excuse("a mask by chance", "random numbers thin the mask out, as a dropout of tokens does")
MODEL = Excuse("a mask of a model", "a model chooses what counts, as hard examples are chosen")
WEIGHT = Excuse(
    "a weight", "real numbers that no comparison makes, and no name calls a mask, may be rewards"
)
BOTH = Excuse("both sides count", "what a table of labels hides has a product in the loss, too")
EXCUSES = (PARTS, CHANCE, MODEL, WEIGHT, BOTH)
_LENGTH = re.compile(r"shape|size\(|len\(")  # a constant on purpose has another name
_SUMS = SHAPES | {"sum", "neg"}
_COUNTS = SHAPES | {"sum", "clamp", "clamp_min", "mul", "add", "maximum"}


@dataclass(frozen=True)
class _Quotient:
    """A sum over a mask that is divided by the number of another one."""

    above: tuple[int, ...]  # masks of one size, which hide what any of them hides
    below: int
    update: int


def masks(updates: Updates) -> Judgement:
    """Judge sums and means of products with masks."""
    judgement = Judgement(applies=False, why="no loss has a product with a mask of 0 and 1")
    quotients: dict[SourceLine, list[_Quotient]] = {}
    seen: Repeated[tuple[SourceLine, str]] = Repeated()
    for u in range(len(updates.updates)):
        into, paddings = updates.into_loss(u), [*_paddings(updates, u)]
        for k in updates.forward(u):
            node = updates.trace.nodes[k]
            if into.isdisjoint(node.outputs) or not node.inputs:
                continue
            factors = _masks_in(updates, node.inputs[0])
            factor = next(iter(factors), None)
            if factor is None:
                if any(_is_mean_over(updates, k, padding) for padding in paddings):
                    judgement.applies = True
                    seen.see((node.place, _ALL), u, shows=True)
                continue
            if _is_by_length(updates, k, factor) or _is_over_all(updates, k, factor):
                judgement.applies = True
                of_model, labels = factor in updates.from_weights, _are_labels(updates, u, factor)
                if of_model or labels:
                    judgement.spare(MODEL if of_model else BOTH, node.place)
                seen.see((node.place, _PRODUCT), u, shows=not (of_model or labels))
            elif updates.base(k) == "div" and len(node.inputs) == 2:
                below = _mask_behind(updates, node.inputs[1])
                if below is not None:
                    judgement.applies = True
                    size = updates.array(below).size
                    above = tuple(f for f in factors if updates.array(f).size == size)
                    quotient = _Quotient(above or (factor,), below, u)
                    quotients.setdefault(node.place, []).append(quotient)
    _judge_quotients(updates, quotients, judgement)
    for at, text in filter(seen.always, seen):
        judgement.note(MEAN, text, at)
    judgement.why = "" if judgement.applies else judgement.why
    return judgement


INVARIANT = update_invariant(
    Statement(
        name="loss/masks",
        statement="a sum over a mask is divided by the number of this mask",
        reason="masked entries must not change the weight of the others",
        witness="a product with a mask of 0 and 1 that goes into a loss",
        cause="the number counts another mask than the sum",
        cure="Divide by the sum of the mask that is in the product.",
        notes=(MEAN,),
        excuses=EXCUSES,
    ),
    masks,
)


def _judge_quotients(
    updates: Updates, quotients: dict[SourceLine, list[_Quotient]], judgement: Judgement
) -> None:
    every = [each for found in quotients.values() for each in found]
    for at, found in quotients.items():
        unequal = [each for each in found if _is_part(updates, each)]
        if not unequal or any(_is_other(updates, each) for each in found):
            continue
        if all(_has_partners(updates, each, every) for each in unequal):
            judgement.spare(PARTS, at)
        elif any(not updates.from_weights.isdisjoint(each.above) for each in unequal):
            judgement.spare(MODEL, at)
        elif any(_is_thinned(updates, each) for each in unequal):
            judgement.spare(CHANCE, at)
        elif not all(_is_shown(updates, each) for each in unequal):
            judgement.spare(WEIGHT, at)
        elif len({each.update for each in unequal}) > 1:
            judgement.accuse(
                "a sum over one mask is divided by the number of a larger one: the more "
                "the first leaves out, the less everything else counts. Divide by the sum of the "
                "mask that is in the product.",
                at,
            )


def _flat(updates: Updates, *masks: int) -> Array:
    arrays = [updates.array(mask).astype(bool).ravel() for mask in masks]
    return np.asarray(np.logical_and.reduce(arrays))


def _is_part(updates: Updates, quotient: _Quotient) -> bool:
    """Return whether the mask above is a part of the one below, and not all of it."""
    above, below = _flat(updates, *quotient.above), _flat(updates, quotient.below)
    same = above.size == below.size
    return bool(same and not np.array_equal(above, below) and not (above & ~below).any())


def _is_other(updates: Updates, quotient: _Quotient) -> bool:
    """Return whether the mask above is no part of the one below: the number means other things."""
    above, below = _flat(updates, *quotient.above), _flat(updates, quotient.below)
    return bool(above.size != below.size or (above & ~below).any())


def _has_partners(updates: Updates, quotient: _Quotient, every: list[_Quotient]) -> bool:
    """Return whether sums over other masks are divided by the same number, and make it up."""
    below = _flat(updates, quotient.below)
    union = np.zeros_like(below)
    for other in every:
        if other.update == quotient.update and np.array_equal(_flat(updates, other.below), below):
            above = _flat(updates, *other.above)
            union |= above if above.size == below.size else False
    return bool((union == below).all())


def _is_thinned(updates: Updates, quotient: _Quotient) -> bool:
    """Return whether the mask above is drawn beyond what the one below is drawn by."""
    above, below = _sources(updates, quotient)
    begin = updates.updates[quotient.update].nodes.start
    times = (updates.draws[value] for value in above - below if value in updates.draws)
    return quotient.update > 0 and any(time >= begin for time in times)  # data come before it


def _sources(updates: Updates, quotient: _Quotient) -> tuple[set[int], set[int]]:
    """Return all that the masks of a quotient are computed from."""
    upstream = updates.trace.upstream
    return upstream({*quotient.above}), upstream({quotient.below})


def _is_shown(updates: Updates, quotient: _Quotient) -> bool:
    """Return whether the mask above leaves out by a mask, which is known to be one.

    It is a comparison, it has integers, or a batch or a function has a name for it.
    """
    above, below = _sources(updates, quotient)
    named = {v for call in updates.calls for name, v in call.arguments if _is_name(name)}
    named |= {entry.value for entry in updates.entries if _is_name(entry.name)}
    return any(
        value in named or (updates.array(value).dtype.kind in "biu" and is_mask(updates, value))
        for value in above - below
    )


def _is_name(name: str) -> bool:
    return "mask" in name.lower() or "pad" in name.lower()


def _paddings(updates: Updates, update: int) -> Iterator[int]:
    """Yield the masks of padding that a batch has, by their names, and that the loss uses."""
    named = {call.arguments for call in updates.calls if call.update == update}
    names = {value: name for arguments in named for name, value in arguments}
    for entry in updates.entries:
        name = f"{entry.name} {names.get(entry.value, '')}".lower()
        if entry.update == update and ("mask" in name or "pad" in name):
            used = entry.value in updates.into_loss(update)
            if used and is_mask(updates, entry.value) and _is_padding(updates, entry.value):
                yield entry.value


def _is_padding(updates: Updates, mask: int) -> bool:
    """Return whether the rows of a mask have all that they hide at one end."""
    array = updates.array(mask).astype(np.int8)
    return array.ndim == 2 and bool((np.abs(np.diff(array, axis=1)).sum(1) <= 1).all())


def _is_mean_over(updates: Updates, k: int, mask: int) -> bool:
    """Return whether an operation averages values of a model over all places that a mask has."""
    node = updates.trace.nodes[k]
    value, shape = updates.array(node.inputs[0]), updates.array(mask).shape
    of_model = node.inputs[0] in updates.from_weights and updates.base(k) == "mean"
    whole = value.shape[: len(shape)] == shape
    return (
        of_model and whole and updates.array(node.outputs[0]).size * math.prod(shape) == value.size
    )


def _is_over_all(updates: Updates, k: int, mask: int) -> bool:
    """Return whether an operation averages a product with a mask over the places of the mask."""
    value = updates.array(updates.trace.nodes[k].inputs[0])
    return updates.base(k) == "mean" and value.size >= updates.array(mask).size


def _are_labels(updates: Updates, update: int, mask: int) -> bool:
    """Return whether the loss also has a product with the places that a mask hides."""
    hidden = 1 - updates.array(mask).astype(np.int8)
    return any(
        np.array_equal(updates.array(i), hidden)
        for k in updates.forward(update)
        if updates.base(k) == "mul"
        and not updates.into_loss(update).isdisjoint(updates.trace.nodes[k].outputs)
        for i in updates.trace.nodes[k].inputs
    )


def _is_by_length(updates: Updates, k: int, mask: int) -> bool:
    """Return whether an operation divides a sum over a mask by a length, as its line says."""
    node = updates.trace.nodes[k]
    divides = updates.base(k) == "div" and len(node.inputs) == 1
    lengths = node.integers.intersection(updates.array(mask).shape)
    return divides and bool(lengths and _LENGTH.search(node.place.source))


def _masks_in(updates: Updates, value: int) -> list[int]:
    """Return the masks that a value is a product with, or a sum of such: the last one first."""
    found = list[int]()
    while (k := updates.trace.maker.get(value := updates.behind(value, _SUMS))) is not None:
        inputs = updates.trace.nodes[k].inputs
        if updates.base(k) not in ("mul", "div") or not inputs:
            break
        if len(inputs) > 1:
            factors = inputs if updates.base(k) == "mul" else ()
            masks = {i: mask for i in factors if _hides(updates, mask := updates.behind(i))}
            found += masks.values()
            inputs = tuple(i for i in inputs if i not in masks)
            if not masks or not inputs:
                break
        value = inputs[0]  # a number of Python's scales it, or masks do
    return found


def _hides(updates: Updates, value: int) -> bool:
    """Return whether a value is a mask, and no table of labels, which has one 1 in each row."""
    return is_mask(updates, value) and bool((updates.array(value).sum(-1) != 1).any())


def _mask_behind(updates: Updates, value: int) -> int | None:
    """Return the mask that a number counts."""
    while not is_mask(updates, value):
        k = updates.trace.maker.get(value)
        if k is None or updates.base(k) not in _COUNTS or not updates.trace.nodes[k].inputs:
            return None
        value = updates.trace.nodes[k].inputs[0]
    return updates.behind(value)
