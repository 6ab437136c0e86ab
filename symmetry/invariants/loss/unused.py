"""``loss/unused``: a result that is computed with a gradient is used.

Example: a term is scaled by a function of one's own, whose result is dropped.

    Scaled.apply(weights, penalty)              the penalty reaches no gradient
    weights = Scaled.apply(weights, penalty)    it does

A script that drops the result of its own ``autograd.Function`` at each of its calls is accused:
such a function is written for its backward, which never runs. A number with a gradient that nothing
reads, adds or differentiates is a note: it may be a term that is missing in the sum, or one that is
switched off.
"""

from __future__ import annotations

from symmetry.invariants.loop.judgement import Judgement, loop_invariant
from symmetry.law.invariant import Statement
from symmetry.law.note import NoteKind
from symmetry.training.events import Backward, Epochs
from symmetry.units.words import count

UNUSED = NoteKind("loss/unused")
_AGAIN = 3  # updates between which nothing uses the results of a line


def unused(epochs: Epochs) -> Judgement:
    """Judge the results that have a gradient, and that nothing uses."""
    judgement = Judgement()
    judgement.applies = epochs.unused is not None and bool(epochs.of(Backward))
    if not judgement.applies:
        unseen = f"the uses of results are not seen in {epochs.words.framework}"
        judgement.why = unseen if epochs.unused is None else "it calls no backward()"
        return judgement
    for line in epochs.unused or ():
        if line.updates < _AGAIN:
            continue
        if line.function:
            judgement.accuse(
                f"the result of {line.function} is dropped at each of its {line.times} calls, so "
                "that its backward never runs, and the gradient that it makes is lost. Compute the "
                "loss from its result.",
                line.at,
            )
        else:
            judgement.note(
                UNUSED,
                f"a number with a gradient is computed here {count(line.times, 'time')}, and "
                "nothing reads it, adds it to a loss or differentiates it. If it is a term of the "
                "loss, add it; otherwise leave it out.",
                line.at,
            )
    return judgement


INVARIANT = loop_invariant(
    Statement(
        name="loss/unused",
        statement="results that are computed with a gradient are used",
        reason="a term that reaches no backward trains nothing",
        witness="a backward",
        cause="a term of the loss is computed, and not added",
        cure="Add the result to the loss, or leave it out.",
        notes=(UNUSED,),
    ),
    unused,
    of_functions=True,
)
