"""``loop/copies``: what is restored or saved is a copy, and not another name for the model.

``model.state_dict()`` returns the model's own tensors. The updates that follow change them as well,
so that ``best = model.state_dict()`` holds the last weights, and loading it restores nothing.
"""

from __future__ import annotations

import ast
from collections.abc import Collection
from contextlib import suppress
from functools import partial
from pathlib import Path

from symmetry.invariants.loop.best_model import kept_by_name
from symmetry.invariants.loop.judgement import Judgement, loop_invariant
from symmetry.law.invariant import Statement
from symmetry.law.note import NoteKind
from symmetry.observe.source_line import SourceLine
from symmetry.training.events import Called, Copy, Epochs, Restored, Saved, Updated
from symmetry.training.start import TrainingStart

CHECKPOINT = NoteKind(
    "loop/checkpoint",
    meaning="A checkpoint has an epoch or a step and the model, but not the state of the "
    "optimiser, so a run that goes on from it begins with an empty one. Save "
    "optimizer.state_dict() as well.",
    proof="It fails the check if the script itself counts on from a number of a loaded checkpoint.",
)
AVERAGE = NoteKind(
    "loop/average",
    meaning="An average of weights takes almost all of the new weights at each update, so it is "
    "almost the model itself. The decay and 1 - decay may be exchanged.",
)
AVERAGE_BUFFERS = NoteKind(
    "loop/average-buffers",
    meaning="The weights of an averaged model follow the model, but its buffers never change, and "
    "it is evaluated with them. Copy the buffers as well.",
)
UNTRAINED = NoteKind(
    "loop/untrained",
    meaning="All that a script saves is as it was before the first update, as the base of an "
    "adapter is: nothing that was trained is in its files. Save the adapter, or what merging it "
    "returns.",
)
BEST = NoteKind(
    "loop/best-model",
    meaning="The model is kept with its best score as another name for it, so each update that "
    "follows changes it as well, and the last weights are used in place of the best ones. Take "
    "copy.deepcopy(model).",
)
_CURE = "Take copy.deepcopy(model.state_dict())."
_SEVERAL = 2  # tensors that one line copies, so that it copies a model
_WARM = 2  # updates until an average takes little of the new weights
_AVERAGED = 3  # updates at which the weights are looked at
_MOST = 0.9  # of the new weights, in an average


def copies(epochs: Epochs) -> Judgement:
    """Judge the states that are loaded, copied and saved."""
    judgement = Judgement()
    _note_best(epochs, judgement)
    judgement.applies = bool(epochs.of(Restored, Saved) or judgement.notes)
    judgement.why = "" if judgement.applies else "it restores and saves no state"
    for event in epochs.events:
        if isinstance(event, Restored):
            _judge_restored(event, judgement)
        elif isinstance(event, Saved) and event.taken is not None:
            since = "an update has" if event.updates == 1 else f"{event.updates} updates have"
            judgement.accuse(
                f"the state that is saved at {event.at} was taken here, and {since} changed its "
                "tensors since: they are the model's own, so that the last weights are saved. "
                f"{_CURE}",
                event.taken,
            )
    _note_position(epochs, judgement)
    _note_untrained(epochs, judgement)
    for copy in epochs.copies:
        _note_copy(copy, judgement)
    return judgement


INVARIANT = loop_invariant(
    Statement(
        name="loop/copies",
        statement="states that are restored or saved are copies of the model's",
        reason="what shares the model's memory changes with each update",
        witness="a state that is restored or saved",
        cause="state_dict() returns the model's own tensors, and no copy",
        cure="Take copy.deepcopy(model.state_dict()).",
        notes=(CHECKPOINT, AVERAGE, AVERAGE_BUFFERS, UNTRAINED, BEST),
    ),
    copies,
)


def _judge_restored(event: Restored, judgement: Judgement) -> None:
    if event.model is not None and event.own and event.taken is not None:
        # The last one taken may be the best one, in so short a run.
        repeated = event.takes > 1 and event.own == event.tensors
        if event.updates or event.loads or repeated:
            judgement.accuse(
                f"load_state_dict ({event.at}) restores nothing: {event.own} of {event.tensors} "
                "tensors are the model's own, and each update or load since state_dict() returned "
                f"them has changed them as well. {_CURE}",
                event.taken,
            )
    elif event.model is None and event.updates and event.own == event.tensors >= _SEVERAL:
        judgement.accuse(
            f"each of the {event.tensors} tensors that are copied here is copied into itself: what "
            "is copied shares its memory. Make the copy with copy.deepcopy or clone().",
            event.at,
        )


def _note_position(epochs: Epochs, judgement: Judgement) -> None:
    """Note checkpoints to go on from, which lack the state of an optimiser."""
    saves = [event for event in epochs.events if isinstance(event, Saved)]
    if any(event.optimizer for event in saves):
        return
    stateful = next((each.kind for each in epochs.optimizers if each.has_state), None)
    for event in saves:
        if event.position and event.model and stateful:
            judgement.note(
                CHECKPOINT,
                f"the checkpoint has a position ({', '.join(event.keys)}) and the model, but "
                f"not the state of {stateful}: a run that goes on from it begins with an empty "
                "one. Save optimizer.state_dict() as well.",
                event.at,
                proof="the script itself goes on from the position that it loads",
                holds=partial(_goes_on, event=event),
            )


def _goes_on(_: TrainingStart, event: Saved) -> bool:
    return goes_on(event.at.file, event.keys)


def goes_on(file: str, keys: Collection[str]) -> bool:
    """Return whether a script counts its epochs or steps from a number of a loaded checkpoint.

    Example: ``first = checkpoint["epoch"] + 1`` and ``for epoch in range(first, epochs)``.
    """
    try:
        tree = ast.parse(Path(file).read_text(encoding="utf-8"))
    except (OSError, ValueError, SyntaxError):
        return False
    counters = {
        ast.unparse(target)
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and _reads(node.value, keys)
        for target in node.targets
        if isinstance(target, ast.Name | ast.Attribute)
    }
    counts = (
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("range", "itertools.count")
    )
    return any(
        _reads(argument, keys) or counters & {ast.unparse(n) for n in ast.walk(argument)}
        for call in counts
        for argument in call.args[:1]
        if len(call.args) > 1 or ast.unparse(call.func) != "range"
    )


def _reads(value: ast.AST, keys: Collection[str]) -> bool:
    """Return whether an expression reads the position of a checkpoint: ``saved["epoch"]``."""
    read = (node.slice for node in ast.walk(value) if isinstance(node, ast.Subscript))
    names = {each.value for each in read if isinstance(each, ast.Constant)}
    return not names.isdisjoint(keys)


def _note_best(epochs: Epochs, judgement: Judgement) -> None:
    """Note where the best model is another name for the model."""
    models = {model.variable for model in epochs.models if model.is_trained and model.variable}
    for file in sorted({event.at.file for event in epochs.of(Called, Updated) if event.at.file}):
        with suppress(OSError, ValueError, SyntaxError):
            for kept in kept_by_name(Path(file).read_text(encoding="utf-8"), models):
                judgement.note(
                    BEST,
                    f"{kept.name} is another name for {kept.model}, and no copy of it: each "
                    "update that follows changes it as well, so that the last weights are used in "
                    f"place of the best ones. Take copy.deepcopy({kept.model}).",
                    SourceLine(file, kept.line),
                )


def _note_untrained(epochs: Epochs, judgement: Judgement) -> None:
    """Note scripts that only save the numbers that training began with."""
    saves = [event for event in epochs.events if isinstance(event, Saved) and event.update]
    if saves and all(event.untrained for event in saves):
        judgement.note(
            UNTRAINED,
            f"each of the {saves[0].untrained} tensors that are saved here is as it was before the "
            "first update, though training has moved others, and nothing else is saved. Is the "
            "result of a merge dropped?",
            saves[0].at,
        )


def _note_copy(copy: Copy, judgement: Judgement) -> None:
    """Note averages of weights that average nothing, or leave buffers behind."""
    late = copy.weights[_WARM:]
    if len(late) >= _AVERAGED and all(_MOST < weight < 1 - 1e-9 for weight in late):
        judgement.note(
            AVERAGE,
            f"this average of {copy.of} takes {min(late):.3g} of the new weights at each update: "
            "it is almost the model itself. If this is not meant, exchange the decay and "
            "1 - decay.",
            copy.at,
        )
    if copy.stale and copy.is_evaluated and copy.weights:
        judgement.note(
            AVERAGE_BUFFERS,
            f"the weights of {copy.name} follow {copy.of}, but its buffers never change "
            f"({copy.stale[0]}), and it is evaluated with them. Copy the buffers as well.",
            copy.at,
        )
