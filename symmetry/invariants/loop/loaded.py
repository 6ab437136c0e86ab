"""``loop/loaded``: a state that is loaded into a model has the names of the model's tensors.

Example: ``model.load_state_dict(state, strict=False)``, where the names in the file begin with
``module.``, since it was written by ``DataParallel``. No name agrees, nothing is loaded, and the
random weights are trained. Remove the prefix, and look at the missing names that are returned.

It is reported if more names lead to a tensor of the same shape once a prefix is removed or added
than without that, and if nothing else is loaded into this model before it is trained.
"""

from __future__ import annotations

from symmetry.invariants.loop.judgement import Judgement, loop_invariant
from symmetry.law.invariant import Statement
from symmetry.training.events import Epochs, Restored, Updated

_SEVERAL = 2  # tensors that fit but for a prefix: one may be another one of its name


def loaded(epochs: Epochs) -> Judgement:
    """Judge the last state that was loaded into each model before the first update."""
    judgement = Judgement()
    last: dict[int, Restored] = {}
    for event in epochs.events:
        if isinstance(event, Updated):
            break
        if isinstance(event, Restored) and event.model is not None:
            last[event.model] = event
    judgement.applies = bool(last)
    judgement.why = "" if last else "it loads no state before it trains"
    for event in last.values():
        if len(event.elsewhere) >= max(_SEVERAL, event.matched + 1):
            judgement.accuse(_text(event), event.at)
    return judgement


INVARIANT = loop_invariant(
    Statement(
        name="loop/loaded",
        statement="a state that is loaded into a model has the names of the model's tensors",
        reason="with strict=False names that do not agree are left out, and nothing is raised",
        witness="a state that is loaded before the first update",
    ),
    loaded,
)


def _text(event: Restored) -> str:
    given, own = event.elsewhere[0]
    return (
        f"load_state_dict loads {event.matched} of {event.tensors} tensors: {len(event.elsewhere)} "
        f"have the names of the model's but for a prefix, as {given} for {own}, so that their "
        "weights are left out. Rename them before."
    )
