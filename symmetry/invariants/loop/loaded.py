"""``loop/loaded``: a state that is loaded into a model has the names of the model's tensors.

Example: ``model.load_state_dict(state, strict=False)``, where the names in the file begin with
``module.``, since it was written by ``DataParallel``. No name agrees, nothing is loaded, and the
random weights are trained. Remove the prefix, and look at the missing names that are returned.

It is reported if more names lead to a tensor of the same shape once a prefix is removed or added
than without that, and if nothing else is loaded into this model before it is trained.

A model that is saved behind an update is loaded from its files as well, and called with the batch
of the script's last call, in evaluation mode: it has to compute the same. Example: weights that the
configuration ties, and that are two parameters. Likewise a model whose adapters are merged.
"""

from __future__ import annotations

import math

from symmetry.invariants.loop.judgement import Judgement, loop_invariant
from symmetry.law.invariant import Statement
from symmetry.law.note import NoteKind
from symmetry.training.events import Epochs, Restored, SameFunction, Updated

FILES = NoteKind(
    "loop/files",
    meaning="A model that is loaded from the files of another one computes something else: tensors "
    "are missing in the files, or attributes that the configuration does not have. Save them as "
    "well, or set them again behind loading.",
)
INITIALISED = NoteKind(
    "loop/initialised",
    meaning="Loading has left weights as they were initialised, no optimiser trains them, and the "
    "outputs depend on them. Look at the missing names that load_state_dict returns with "
    "strict=False, and at the warning of from_pretrained.",
)
# Distances of outputs, relative to the largest: sums in another order move them by less than 1e-5,
# and weights of 16 bits that are rounded once more by less than 0.02.
_APART, _ROUNDINGS = 1e-3, 10
_SEVERAL = 2  # tensors that fit but for a prefix: one may be another one of its name


def loaded(epochs: Epochs) -> Judgement:
    """Judge the last state that was loaded into each model before the first update, and behind it.

    Behind it a model is loaded to be tested: it has to get none of its tensors.
    """
    judgement = Judgement()
    last: dict[tuple[int, bool], Restored] = {}
    late = False
    for event in epochs.events:
        late |= isinstance(event, Updated)
        if isinstance(event, Restored) and event.model is not None:
            last[event.model, late] = event
    early = [event for (_, behind), event in last.items() if not behind]
    tested = [e for (_, behind), e in last.items() if behind and len(e.elsewhere) == e.tensors]
    judgement.applies = bool(early or tested or epochs.identities)
    judgement.why = "" if judgement.applies else "it loads no state before it trains"
    for event in (*early, *tested):
        if len(event.elsewhere) >= max(_SEVERAL, event.matched + 1):
            judgement.accuse(_text(event), event.at)
    for each in epochs.identities:
        if each.distance > max(_APART, _ROUNDINGS * each.eps):
            _judge(each, judgement)
    for left in epochs.initialised:
        more = f" and {len(left.names) - 1} more" if len(left.names) > 1 else ""
        judgement.note(
            INITIALISED,
            f"the state that is loaded here lacks {left.names[0]}{more}, no optimiser trains it, "
            "and the outputs depend on it: it keeps the numbers that it was initialised with.",
            left.at,
        )
    return judgement


INVARIANT = loop_invariant(
    Statement(
        name="loop/loaded",
        statement="a state that is loaded has the names of the model's tensors, and a model that "
        "is saved or merged computes the same as before",
        reason="with strict=False names that do not agree are left out, and nothing is raised",
        witness="a state that is loaded before the first update, or a model saved behind it",
        cause="the names of the file are not those of the model, and strict=False hides it",
        cure="Rename the keys, and leave out strict=False.",
        notes=(FILES, INITIALISED),
    ),
    loaded,
)


def _judge(same: SameFunction, judgement: Judgement) -> None:
    apart = "its outputs have other shapes, or are not finite"
    if math.isfinite(same.distance):
        apart = f"its outputs differ by {same.distance:.2g} of the largest one"
    if same.kind == "merged":
        judgement.accuse(
            f"the merged model does not compute what {same.model} did: {apart}. A merge that "
            "changes a weight which is used elsewhere, too, as a tied one, changes that as well.",
            same.at,
        )
    elif same.missing or same.other:
        why = f"no file has {same.missing[0]}" if same.missing else f"{same.other} is not the same"
        more = f", nor {len(same.missing) - 1} more tensors" if len(same.missing) > 1 else ""
        judgement.note(
            FILES,
            f"from_pretrained makes another model of the files that are saved here: {apart}, and "
            f"{why}{more}. Save that as well, or set it again behind loading.",
            same.at,
        )
    else:
        judgement.accuse(
            f"from_pretrained makes another model of the files that are saved here: {apart}, and "
            f"no name is missing. Either {same.model} initialises weights once more that were "
            "loaded, or the files lack a parameter that the configuration takes for another one.",
            same.at,
        )


def _text(event: Restored) -> str:
    given, own = event.elsewhere[0]
    return (
        f"load_state_dict loads {event.matched} of {event.tensors} tensors: {len(event.elsewhere)} "
        f"have the names of the model's but for a prefix, as {given} for {own}, so that their "
        "weights are left out. Rename them before."
    )
