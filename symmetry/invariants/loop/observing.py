"""``loop/observing``: an evaluation, a save or a generation leaves a model as it found it.

Example: hooks that quantise for an evaluation, and that nothing removes.

    def evaluate_int8():
        for m in model:
            m.register_forward_hook(quantised)       they stay, and the training is quantised, too
        return accuracy(model)

    handles = [m.register_forward_hook(quantised) for m in model]
    ...
    for handle in handles:
        handle.remove()

A function observes if it calls a model without gradients, or saves, and makes no update. If it
leaves hooks that change outputs again and again, or puts a layer into training mode that was in
evaluation mode, and that is so at the next update, it is a violation. So are weights that are
others for an evaluation, are written again behind it, and are not as they were before. Parameters
that it freezes or unfreezes are a note: some evaluations unfreeze on purpose. Put back everything
that a function changes, in a ``finally``.
"""

from __future__ import annotations

from symmetry.invariants.loop.judgement import Judgement, loop_invariant
from symmetry.law.invariant import Statement
from symmetry.law.note import Excuse, NoteKind
from symmetry.training.events import Called, Epochs, Left, Restored, Saved

FLAGS = NoteKind(
    "loop/left-frozen",
    meaning="A function that evaluates or saves freezes or unfreezes parameters, and they are so "
    "at the next update. Put requires_grad back as it was.",
)


ONCE = Excuse("a hook once", "it is left once: a calibration may begin to quantise for good")
_AGAIN = 2  # observations that each leave a hook


def observing(epochs: Epochs) -> Judgement:
    """Judge what observations leave behind."""
    judgement = Judgement()
    judgement.applies = any(
        isinstance(e, Saved) or (isinstance(e, Called) and not e.gradient) for e in epochs.events
    )
    judgement.why = "" if judgement.applies else "it neither evaluates nor saves"
    # A backup that is the model itself restores nothing: loop/copies judges that.
    own = any(isinstance(event, Restored) and event.own for event in epochs.events)
    for left in epochs.left:
        if left.kind == "weights" and own:
            continue
        if left.kind == "requires_grad":
            judgement.note(FLAGS, _text(left), left.at)
        elif left.kind == "hook" and len(left.rounds) < _AGAIN:
            judgement.spare(ONCE, left.at)  # one function may begin to quantise, for good
        else:
            judgement.accuse(_text(left), left.at)
    return judgement


INVARIANT = loop_invariant(
    Statement(
        name="loop/observing",
        statement="an evaluation, a save or a generation leaves a model as it found it",
        reason="a training must not depend on whether it is watched",
        witness="a call without gradients, or a save, between updates",
        cause="a function that observes changes the model, and does not put it back",
        cure="Put back everything that the function changes, in a finally.",
        notes=(FLAGS,),
        excuses=(ONCE,),
    ),
    observing,
)


def _text(left: Left) -> str:
    if left.kind == "weights":
        return (
            "the weights are others for this call than behind the update before; they are written "
            "again behind it, and are not as they were. Keep a copy, and put it back."
        )
    if left.kind == "hook":
        return (
            f"{left.function}() observes, and leaves a hook on {left.name} that changes outputs: "
            "it acts in the training, too. Remove it."
        )
    if left.kind == "mode":
        return (
            f"{left.function}() observes, and leaves {left.name} in training mode, which was in "
            "evaluation mode at the update before. Put each module back into its own mode."
        )
    return (
        f"{left.function}() observes, and leaves {left.name} with another requires_grad than at "
        "the update before. Put it back, unless that is its purpose."
    )
