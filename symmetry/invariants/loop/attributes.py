"""``loop/attributes``: attributes that are set on parameters, modules and optimisers are there.

Python lets any attribute be set: ``p.require_grad = False`` freezes nothing. It is reported if its
object has no attribute of that name but one of almost the same spelling, and that one still has
another value at the next update.
"""

from __future__ import annotations

from symmetry.invariants.loop.judgement import Judgement, loop_invariant
from symmetry.law.invariant import Statement
from symmetry.training.events import Epochs, Misspelt


def attributes(epochs: Epochs) -> Judgement:
    """Judge the attributes that were set."""
    judgement = Judgement(applies=epochs.sees_attributes)
    judgement.why = "" if epochs.sees_attributes else "attributes that are set are not seen"
    for event in epochs.events:
        if isinstance(event, Misspelt):
            judgement.accuse(_text(event), event.at)
    return judgement


INVARIANT = loop_invariant(
    Statement(
        name="loop/attributes",
        statement="attributes that are set on parameters, modules and optimisers are there",
        reason="Python lets any attribute be set, and PyTorch does not read it",
        witness="an update",
        cause="the name of the attribute is misspelt, or belongs to another object",
        cure="Set the attribute that is there.",
    ),
    attributes,
)


def _text(event: Misspelt) -> str:
    owner = event.owner[0].upper() + event.owner[1:]
    if event.owner.startswith("an optimiser"):
        return (
            f"{owner} has no attribute {event.name}: setting it changes nothing, and its groups "
            f"still have {event.actual}. Set it in each group of optimizer.param_groups."
        )
    if event.name == event.meant:
        return (
            f"{owner} has no attribute {event.name}: setting it changes nothing, and its "
            f"parameters still have {event.actual}. Call requires_grad_({event.value})."
        )
    return (
        f"{owner} has no attribute {event.name}: setting it changes nothing, and {event.meant} is "
        f"still {event.actual}. Set {event.meant}."
    )
