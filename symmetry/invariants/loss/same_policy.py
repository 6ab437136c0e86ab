"""``loss/same-policy``: one policy gives the same tokens one log-probability.

Example: old log-probabilities at the temperature of the sampling, new ones at 1.

    old = (policy(ids) / 0.7).log_softmax(-1)...     without gradients
    new = policy(ids).log_softmax(-1)...
    ratio = (new - old).exp()                        is not 1 before the first update

The two sides of a difference are followed back to the log-softmaxes that their tokens are chosen
from. Where both have the same tokens, and bit for bit the same weights above them, they have to be
the same numbers, up to the rounding of 16 bits: the same temperature, the same places, the same
masks of logits. And where the same tokens are judged again in a further update, with other weights,
the difference must not be 0 everywhere: the old side is computed anew, so that the ratio is always
1 and nothing is clipped. Compute it once, before the first update.

In JAX the equations of the jitted step are judged, and those of the functions that compute its
arguments from its state. A loop is one operation: nothing is said of what lies within.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from symmetry.invariants.loop.judgement import Judgement
from symmetry.invariants.loss.traced import update_invariant
from symmetry.law.invariant import Statement
from symmetry.law.note import Excuse
from symmetry.observe.source_line import SourceLine
from symmetry.training.updates import SHAPES, Updates
from symmetry.units.state import Array

NOISE = Excuse(
    "noise on one side", "one side draws numbers that the other does not, as dropout does"
)
OTHERS = Excuse("other inputs", "the sides are computed from other data: an augmented copy, say")
STATISTICS = Excuse(
    "statistics of the batch", "one side normalises by its batch, and the other may not"
)
ROUNDED = Excuse("16 bits", "one side is computed or kept in 16 bits, and they differ by that")
BEHAVIOUR = Excuse(
    "importance weights",
    "the difference is never clipped, and both sides are one model's: the old side may be the "
    "distribution that drew the tokens, on purpose",
)
FIXED = Excuse(
    "fixed tokens", "its own detached value stands for the old one, on tokens of the data"
)
EXCUSES = (NOISE, OTHERS, STATISTICS, ROUNDED, BEHAVIOUR, FIXED)
_NEAR = 2.0**-7  # of the largest log-probability, or of 1: the rounding of bfloat16, twice
_ROUNDING = 0.25  # the same where one side is in 16 bits all along: logits of 50 are off by 0.2
_SUM = 0.05  # by which probabilities in 16 bits may add up to something other than 1
_CHOOSING = frozenset(("gather", "index", "nll_loss_forward", "take_along_dim"))
_PARTS = SHAPES | {"index", "index_select", "split", "unbind"}
_PASSING = SHAPES | {"mul", "sum", "div", "mean", "neg"}
_CLIPPING = frozenset(("clamp", "clamp_min", "clamp_max", "minimum", "maximum", "clip"))
_NORMALISING = frozenset(("native_batch_norm", "cudnn_batch_norm", "batch_norm"))
_DEEP = 16  # operations between a difference and the choice of its tokens


@dataclass(frozen=True)
class _Side:
    """One side of a difference of log-probabilities."""

    value: int
    chosen: int  # the operation that chooses the tokens
    tokens: bytes  # chosen, in the places of the value
    above: frozenset[int]  # all that it is computed from
    weights: frozenset[bytes]  # the parameters among these
    parameters: frozenset[int]


def same_policy(updates: Updates) -> Judgement:
    """Judge differences of the log-probabilities of tokens."""
    judgement, applies = Judgement(), False
    tokens: dict[SourceLine, tuple[bytes, frozenset[bytes]]] = {}
    for u in range(len(updates.updates)):
        for k in updates.forward(u):
            sides = _sides(updates, k)
            if sides is None or updates.trace.nodes[k].outputs[0] not in updates.into_loss(u):
                continue
            new, old = sides
            applies = True
            here = new.tokens, new.weights
            _judge_equality(updates, k, new, old, judgement)
            _judge_progress(updates, k, new, old, tokens.get(updates.at(k)), here, judgement)
            tokens[updates.at(k)] = here
    judgement.applies = applies
    judgement.why = "" if applies else "no loss takes a difference of log-probabilities of tokens"
    return judgement


INVARIANT = update_invariant(
    Statement(
        name="loss/same-policy",
        statement="log-probabilities of the same tokens by the same weights are the same",
        reason="they are one function of the weights: only updates make a ratio other than 1",
        witness="a loss that takes a difference of log-probabilities of tokens",
        cause="both sides are computed in different ways, or the old one is computed anew",
        cure="Compute both in the same way, and the old one once.",
        excuses=EXCUSES,
    ),
    same_policy,
)


def _sides(updates: Updates, k: int) -> tuple[_Side, _Side] | None:
    """Return the side with gradients and the other one, if an operation subtracts such."""
    node = updates.trace.nodes[k]
    if updates.base(k) not in ("sub", "rsub") or len(node.inputs) != 2:
        return None
    one, other = (_side(updates, value) for value in node.inputs)
    if one is None or other is None:
        return None
    if updates.array(one.value).shape != updates.array(other.value).shape:
        return None
    live = updates.live(updates.doings[k].update)
    if (one.value in live) == (other.value in live):
        return None
    return (one, other) if one.value in live else (other, one)


def _side(updates: Updates, value: int) -> _Side | None:
    """Follow a value back to the choice of tokens that it is made of, if it is."""
    found, normalised, path = value, False, list[int]()
    while (k := updates.trace.maker.get(found)) is not None and len(path) < _DEEP:
        base, inputs = updates.base(k), updates.trace.nodes[k].inputs
        if base in _CHOOSING and not (base == "index" and not _chooses_last(updates, k)):
            if not (normalised or _is_logarithm(updates, inputs[0])):
                return None
            return _Side(
                value,
                k,
                _tokens(updates, k, path),
                above := frozenset(updates.trace.upstream({value})),
                frozenset(updates.array(p).tobytes() for p in above & updates.weights),
                above & updates.weights,
            )
        path.append(k)
        if base == "sub" and len(inputs) == 2 and _is_log_sum(updates, inputs[1]):
            normalised = True
        elif base not in _PASSING | {"index"} or not inputs:
            return None
        found = inputs[0]
    return None


def _is_log_sum(updates: Updates, value: int) -> bool:
    """Return whether a value is the log of a sum of exponentials, that normalises logits."""
    return updates.made_by(updates.behind(value, SHAPES | {"stack", "cat"})) in ("logsumexp", "log")


def _tokens(updates: Updates, k: int, path: list[int]) -> bytes:
    """Return the tokens that an operation chooses, in the places that views give them later."""
    node = updates.trace.nodes[k]
    chosen = [updates.array(i) for i in node.inputs[1:] if updates.array(i).dtype.kind in "iu"]
    if not chosen:
        return b""
    shape = updates.array(node.outputs[0]).shape
    now = chosen[-1].astype(np.int64)
    if now.size == np.prod(shape, dtype=int):
        now = now.reshape(shape)
    for j in reversed(path):
        if updates.base(j) in ("neg", "mul", "div", "sub"):
            continue
        results = updates.trace.perform(j, {0: now})
        if updates.base(j) not in SHAPES | {"index"} or not results:
            break
        now = results[0]
    return now.tobytes()


def _chooses_last(updates: Updates, k: int) -> bool:
    """Return whether an operation takes one entry of each row, and not whole rows."""
    node = updates.trace.nodes[k]
    return updates.array(node.outputs[0]).ndim < updates.array(node.inputs[0]).ndim


def _is_logarithm(updates: Updates, value: int) -> bool:
    """Return whether a value holds logarithms of probabilities that add up to 1."""
    array = updates.array(value)
    if array.dtype.kind != "f" or not array.ndim:
        return False
    with np.errstate(all="ignore"):
        sums = np.exp(array.astype(np.float64)).sum(-1)
    return bool(np.isfinite(sums).all()) and bool((np.abs(sums - 1) < _SUM).all())


def _inputs(updates: Updates, side: _Side) -> frozenset[bytes]:
    """Return the data that a model is given for a side: the whole tensors, if it gets parts.

    Arrays from outside that are no parameters are among them, as the statistics of a layer.
    """
    outside = side.above - updates.trace.maker.keys() - updates.weights
    found = {value for value in outside if updates.array(value).size > 1}
    for k in {updates.trace.maker[v] for v in side.above if v in updates.trace.maker}:
        inputs = updates.trace.nodes[k].inputs
        if any(map(updates.is_weight, inputs)):
            found |= {updates.behind(i, _PARTS) for i in inputs if i not in updates.from_weights}
    data = (v for v in found if not _is_constant(updates, v))
    return frozenset(updates.array(value).tobytes() for value in data)


def _is_constant(updates: Updates, value: int) -> bool:
    """Return whether a value is computed from no data, as positions are."""
    return updates.trace.upstream({value}) <= updates.trace.maker.keys()


def _judge_equality(updates: Updates, k: int, new: _Side, old: _Side, judgement: Judgement) -> None:
    """Judge a difference of two sides with the same tokens and the same weights."""
    if new.chosen == old.chosen or new.weights != old.weights or not new.weights:
        return
    if not new.tokens or new.tokens != old.tokens:
        return
    a, b, at = updates.array(new.value), updates.array(old.value), updates.at(k)
    difference = float(np.abs(a.astype(np.float64) - b).max(initial=0.0))
    size = max(1.0, float(np.abs(a).max(initial=0.0)))
    if not difference > _NEAR * size:
        return
    apart = new.above ^ old.above
    made = {updates.made_by(value) for value in apart}
    if any(
        updates.doings[k].backward for k in map(updates.trace.maker.get, apart) if k is not None
    ):
        return  # one side has the weights of a later update, or of one within
    if not apart.isdisjoint(updates.draws):
        judgement.spare(NOISE, at)
    elif _inputs(updates, new) != _inputs(updates, old):
        judgement.spare(OTHERS, at)
    elif not made.isdisjoint(_NORMALISING):
        judgement.spare(STATISTICS, at)
    elif "_to_copy" in made and difference < _ROUNDING * size:
        judgement.spare(ROUNDED, at)
    elif not _is_clipped(updates, k) and new.parameters & old.parameters:
        judgement.spare(BEHAVIOUR, at)
    else:
        judgement.accuse(
            "log-probabilities of the same tokens by the same weights differ by up to "
            f"{difference:.2g} before any update{_named(updates, new, old)}. Compute both in the "
            "same way: one temperature, one choice of places, one mask of logits.",
            at,
        )


def _judge_progress(
    updates: Updates,
    k: int,
    new: _Side,
    old: _Side,
    before: tuple[bytes, frozenset[bytes]] | None,
    here: tuple[bytes, frozenset[bytes]],
    judgement: Judgement,
) -> None:
    """Judge a difference in a further update on the same tokens: other weights, and it is 0."""
    if before is None or before[0] != here[0] or not here[0] or before[1] == here[1]:
        return
    if not np.array_equal(updates.array(new.value), updates.array(old.value)):
        return
    if not new.parameters & old.parameters:
        return  # a reference that follows the policy
    at = updates.at(k)
    if new.chosen == old.chosen:  # its own detached value
        drawn = updates.draws.keys() & new.above
        if not (drawn and _is_clipped(updates, k)):
            judgement.spare(FIXED, at)
            return
    judgement.accuse(
        "the same tokens are judged in a further update, and both log-probabilities are equal "
        "everywhere: the old ones are computed anew by the present weights, so that the ratio is "
        "always 1. Compute them once, before the first update.",
        at,
    )


def _is_clipped(updates: Updates, k: int) -> bool:
    """Return whether a difference is clipped on its way to the loss, as PPO clips its ratio."""
    behind = updates.trace.downstream({*updates.trace.nodes[k].outputs})
    update = updates.doings[k].update
    for j in updates.forward(update):
        node = updates.trace.nodes[j]
        if j > k and updates.base(j) in _CLIPPING and not behind.isdisjoint(node.inputs):
            return True
    return False


def _named(updates: Updates, new: _Side, old: _Side) -> str:
    """Return the factor between both sides' logits, if one explains the difference; in words."""
    one, other = _logits(updates, new), _logits(updates, old)
    if one is None or other is None or one.shape != other.shape:
        return ""
    # Log-probabilities differ from logits by a number a row: differences within rows are compared.
    a, b = (x - x.mean(-1, keepdims=True) for x in (one, other))
    factor = float((a * b).sum() / max(float((a * a).sum()), 1e-300))
    if factor <= 0 or np.abs(b - factor * a).max() > 1e-3 * np.abs(b).max():
        return ""
    if abs(factor - 1) < 1e-3:
        return ""
    side, by = ("old", 1 / factor) if factor > 1 else ("new", factor)
    return f": all logits of the {side} ones are divided by {by:.3g}"


def _logits(updates: Updates, side: _Side) -> Array | None:
    source = updates.trace.nodes[side.chosen].inputs[0]
    array: Array = updates.array(source).astype(np.float64)
    return array if np.isfinite(array).all() else None
