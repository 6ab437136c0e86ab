"""``loss/influence``: what a model computes for an update acts on the update.

Example: the ratio of a policy to itself, where both sides are detached.

    ratio = (new.detach() - new.detach()).exp()
    loss = -(ratio * advantages).mean()           moves with the policy, and has no gradient

    ratio = (new - new.detach()).exp()            its gradient is the one of ``new``

The first updates are recorded, forward and backward. A value that a model computes, and that is cut
from its gradient by ``detach``, ``no_grad`` or ``stop_gradient``, is replaced by other numbers: if
the loss moves, and no gradient is computed from the value or from its relatives, the optimiser
never notices it. Such a value is meant to be a weight, a target or a reference, or it has lost its
gradient by mistake. Let it have a gradient, or multiply something by it that has one. A term of the
loss that is a constant for all that is trained is only a note. So is what a function is given, or a
loader gives, and nothing reads: a divergence, or a mask of padding. If the loss function itself
names it, it is a violation.

In JAX the equations of the jitted step are judged, and those of the functions that compute its
arguments from its state. A loop is one operation: nothing is said of what lies within.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from symmetry.invariants.loop.judgement import Judgement
from symmetry.invariants.loss.traced import Repeated, update_invariant
from symmetry.law.invariant import Statement
from symmetry.law.note import Excuse, NoteKind
from symmetry.observe.source_line import NOWHERE, SourceLine
from symmetry.training.influence import other_numbers, spread
from symmetry.training.updates import SHAPES, Updates, UserCall

CONSTANT = NoteKind(
    "loss/constant",
    meaning="A term of the loss moves with a result of a model, and no gradient does: for the "
    "optimiser it is a constant. Let it have a gradient, or leave it out.",
    unless=("loss/term",),
)
UNREAD = NoteKind(
    "loss/unread",
    meaning="A value that a model computes for an update, or a mask that a loader gives, is used "
    "for nothing that trains. Use it, or do not compute it.",
)
RELATIVE = Excuse(
    "a relative acts",
    "another function of the same outputs moves a gradient, as p does beside log p",
)
NEUTRAL = Excuse(
    "a value minus itself",
    "x - x.detach() adds the gradient of x and no value: that is its purpose",
)
IDLE = Excuse("a coefficient of 0", "the loss does not move with it: its coefficient is 0 so far")
SHARED = Excuse(
    "a common signature",
    "other functions have the same parameters, and each uses those that it needs",
)
EXCUSES = (RELATIVE, NEUTRAL, IDLE, SHARED)
_ELEMENTWISE = frozenset(
    ["mul", "div", "where", "clamp", "add", "sub", "exp", "pow", "sigmoid", "softmax", "_softmax"]
)
_FUNCTIONS = ("forward", "__call__")


def influence(updates: Updates) -> Judgement:
    """Judge what models compute without gradients for the losses of updates."""
    judgement = Judgement()
    known = [u for u in range(len(updates.updates)) if updates.is_known(u)]
    if not known:
        judgement.applies = False
        judgement.why = "not all that its gradients are computed from is on the trace"
        return judgement
    _judge_cuts(updates, known, judgement)
    _judge_calls(updates, known, judgement)
    _note_masks(updates, known, judgement)
    _note_results(updates, known, judgement)
    return judgement


INVARIANT = update_invariant(
    Statement(
        name="loss/influence",
        statement="a result of a model that moves the loss moves a gradient, too",
        reason="the optimiser follows gradients: what moves none is a constant for it",
        witness="an update with all that it is computed from on the trace",
        cause="a value is cut from its gradient, or is handed on and never used",
        cure="Use it without detach(), no_grad() or stop_gradient(), or leave it out.",
        notes=(CONSTANT, UNREAD),
        excuses=EXCUSES,
    ),
    influence,
)


def _judge_cuts(updates: Updates, known: list[int], judgement: Judgement) -> None:
    """Judge values that a model computes, and that are cut from its gradient."""
    seen: Repeated[SourceLine] = Repeated()
    constant: set[SourceLine] = set()
    for u in known:
        acting = updates.into_gradients(u)
        cuts = [(k, value, updates.roots(value)) for k, value in _cuts(updates, u)]
        for k, value, roots in cuts:
            at = updates.at(k)
            acts = value in acting
            related = any(other in acting for _, other, theirs in cuts if theirs & roots)
            neutral = _is_neutral(updates, u, value)
            if not acts and (related or neutral):
                judgement.spare(RELATIVE if related else NEUTRAL, at)
            moves = None if acts or related or neutral else _moves_loss(updates, u, k, value)
            if moves is False:
                judgement.spare(IDLE, at)
            shows = bool(moves)
            if shows and not _is_mixed(updates, u, k, value):
                constant.add(at)
            seen.see(at, u, shows=shows)
    always = [at for at in seen if seen.always(at)]
    for at in always:
        if at in constant and constant.issuperset(always):
            judgement.note(
                CONSTANT,
                "the value of this line moves the loss and no gradient: for the optimiser it is a "
                "constant. Let it have a gradient, or leave it out of the loss.",
                at,
            )
        elif at not in constant:
            judgement.accuse(
                "a model computes this, and it is cut from its gradient: other numbers in its "
                "place move the loss, and no gradient is computed from them. Use it without "
                f"{updates.cutting}, or let it weigh something that has a gradient.",
                at,
            )


def _cuts(updates: Updates, update: int) -> Iterator[tuple[int, int]]:
    """Yield operations of a forward whose results end a gradient and go into the loss."""
    into = updates.into_loss(update)
    nodes = updates.updates[update].nodes
    for k in updates.forward(update):
        cut = updates.base(k) == "detach"
        if updates.doings[k].gradient and not cut:
            continue
        for value in updates.trace.nodes[k].outputs:
            if value not in into or value not in updates.differentiable:
                continue
            if updates.is_weight(value) or value in updates.carrying:
                continue
            users = [j for j in updates.trace.users.get(value, ()) if j in nodes]
            if any(
                (cut or updates.doings[j].gradient) and not updates.doings[j].backward
                for j in users
            ):
                yield k, value


def _moves_loss(updates: Updates, update: int, k: int, value: int) -> bool | None:
    """Return whether the loss moves with a value; None if that is not known."""
    mine = updates.updates[update]
    nodes = range(k + 1, updates.backward_of(update))
    new = {value: other_numbers(updates.array(value))}
    moved = spread(updates.trace, new, nodes, until=mine.losses)
    return moved.any_of(mine.losses)


def _is_neutral(updates: Updates, update: int, value: int) -> bool:
    """Return whether a value is only subtracted from the one that it was cut from."""
    live, mine = updates.live(update), updates.array(value)
    for k in updates.trace.users.get(value, ()):
        if updates.base(k) in ("sub", "rsub", "add"):
            for other in updates.trace.nodes[k].inputs:
                if other in live and np.array_equal(updates.array(other), mine, equal_nan=True):
                    return True
    return False


def _is_mixed(updates: Updates, update: int, k: int, value: int) -> bool:
    """Return whether a value is more than a term by itself, which was never to have a gradient.

    It comes from what is trained, or meets something with a gradient entry by entry. Python must
    not have read anything of it before the backward: that could steer what no trace shows.
    """
    if updates.array(value).size < 2:
        return False
    behind = updates.backward_of(update)
    moved = updates.trace.downstream({value})
    losses = updates.trace.downstream({*updates.updates[update].losses})
    if updates.is_read(moved - losses, before=behind):
        return False
    if not updates.trace.upstream({value}).isdisjoint(updates.updates[update].trained):
        return True
    live = updates.live(update)
    for j in range(k + 1, behind):
        node = updates.trace.nodes[j]
        large = [i for i in node.inputs if updates.array(i).size > 1]
        if not moved.isdisjoint(large) and any(i in live and i not in moved for i in large):
            return True
    return False


def _judge_calls(updates: Updates, known: list[int], judgement: Judgement) -> None:
    """Judge functions that are given what a model computes, or a mask, and do not use it."""
    of_losses: dict[tuple[SourceLine, str], bool] = {}
    seen: Repeated[tuple[SourceLine, str]] = Repeated()
    calls: dict[tuple[SourceLine, str], UserCall] = {}
    for u in known:
        useful = updates.into_gradients(u) | updates.into_loss(u)
        ends = updates.live(u) | updates.updates[u].losses
        for call in updates.calls:
            if call.update != u or call.results.isdisjoint(useful):
                continue
            for name, value in call.arguments:
                if not _is_meant(updates, u, value):
                    continue
                key = call.at, name
                unused = value not in useful and not _reaches(updates, value, call.results)
                seen.see(key, u, shows=unused)
                of_losses[key] = not call.results.isdisjoint(ends)
                calls[key] = call
    for key in filter(seen.always, seen):
        at, name = key
        call = calls[key]
        text = (
            f"{call.function}() is given {name}, and neither the result nor any gradient is "
            "computed from it. Use it, or leave it out."
        )
        own = of_losses[key] and not (call.is_method or call.function in _FUNCTIONS)
        if own and updates.signatures.count(call.signature) > 1:
            judgement.spare(SHARED, at)
        elif own:
            judgement.accuse(text, at)
        else:
            judgement.note(UNREAD, text, at)


def _is_meant(updates: Updates, update: int, value: int) -> bool:
    """Return whether a value is one that a model computes without gradients, or a batch's mask."""
    k = updates.trace.maker.get(value)
    if updates.array(value).size < 2:
        return False
    if value in updates.from_weights:
        return k is not None and not updates.doings[k].gradient and value not in updates.weights
    mine = {entry.value for entry in updates.entries if entry.update == update}
    return updates.behind(value) in mine and is_mask(updates, value)


def _reaches(updates: Updates, value: int, results: frozenset[int]) -> bool:
    return value in results or not updates.trace.downstream({value}).isdisjoint(results)


def is_mask(updates: Updates, value: int) -> bool:
    """Return whether a value has two axes or more, and only the numbers 0 and 1, and both."""
    array = updates.array(value)
    if array.ndim < 2 or array.dtype.kind not in "bif" or array.size < 2:
        return False
    return bool(np.isin(array, (0, 1)).all()) and bool(array.any()) and not bool(array.all())


def _note_masks(updates: Updates, known: list[int], judgement: Judgement) -> None:
    """Note masks of a batch that nothing reads."""
    seen: Repeated[str] = Repeated()
    for u in known:
        mine = [entry for entry in updates.entries if entry.update == u]
        for entry in mine:
            shape = updates.array(entry.value).shape
            others = (updates.array(o.value) for o in mine if o.value != entry.value)
            beside = any(other.shape[: len(shape)] == shape for other in others)
            if is_mask(updates, entry.value) and beside:
                seen.see(entry.name, u, shows=not _is_used(updates, entry.value))
    for name in filter(seen.always, seen):
        judgement.note(
            UNREAD,
            f"the batch has a mask, entry {name}, that nothing reads. Leave out its places, or "
            "do not load it.",
            NOWHERE,
        )


def _is_used(updates: Updates, value: int) -> bool:
    """Return whether anything takes a value, but for operations that only show it."""
    if value in updates.read:
        return True
    for k in updates.trace.users.get(value, ()):
        outputs = updates.trace.nodes[k].outputs
        if updates.base(k) not in SHAPES or any(_is_used(updates, o) for o in outputs):
            return True
    return False


def _note_results(updates: Updates, known: list[int], judgement: Judgement) -> None:
    """Note numbers that the user's lines compute of a model's outputs, and that nothing takes."""
    seen: Repeated[SourceLine] = Repeated()
    for u in known:
        useful = updates.into_gradients(u) | updates.into_loss(u)
        for k in updates.forward(u):
            node = updates.trace.nodes[k]
            if updates.base(k) not in _ELEMENTWISE or node.operation.endswith("_"):
                continue
            value = node.outputs[0]
            doing = updates.doings[k]
            mine = doing.gradient and doing.direct and updates.array(value).size > 1
            if mine and updates.array(value).dtype.kind == "f" and value in updates.from_weights:
                used = value in useful or _is_used(updates, value)
                seen.see(node.place, u, shows=not used)
    for at in filter(seen.always, seen):
        judgement.note(
            UNREAD,
            "numbers are computed here from a model's outputs, and nothing takes them. Use them, "
            "or leave them out.",
            at,
        )
