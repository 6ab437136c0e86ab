"""``loop/evaluation`` for a function: its ``evaluate`` leaves the training as it was.

A run without it shows what the next steps do. If ``evaluate`` steps a scheduler or restores a
state, the next steps are meant to be others: these are not judged.
"""

from __future__ import annotations

from collections import Counter

from symmetry.invariants.loop.evaluation import evaluation, in_training_mode
from symmetry.invariants.loop.judgement import Judgement
from symmetry.invariants.loop.modes import modes
from symmetry.observe.source_line import SourceLine
from symmetry.training.events import (
    Backward,
    Called,
    Epochs,
    Evaluated,
    LoopEvent,
    Restored,
    Scheduled,
    Switched,
    Updated,
)
from symmetry.units.words import in_short

_MODE = "the mode of "


def evaluations(epochs: Epochs) -> Judgement:
    """Judge the evaluations of a script, or of a function."""
    return disturbance(epochs) if epochs.is_function else evaluation(epochs)


def disturbance(epochs: Epochs) -> Judgement:
    """Judge whether the steps behind each evaluation are the same as without it."""
    judgement, left_in_evaluation = Judgement(), bool(modes(epochs).accusations)
    for done in (event for event in epochs.events if isinstance(event, Evaluated)):
        inside = epochs.events[done.first : epochs.events.index(done)]
        _judge_calls(epochs, inside, judgement)
        if any(isinstance(event, Scheduled | Restored) for event in inside):
            judgement.why = f"{done.at} steps a scheduler or restores a state"
        elif epochs.disturbed and done.changed and not left_in_evaluation:
            judgement.accuse(_text(epochs, done), _line(inside, done))
            break
    return judgement


def _judge_calls(epochs: Epochs, inside: tuple[LoopEvent, ...], judgement: Judgement) -> None:
    """Accuse calls of trained models with active dropouts or statistics, one for each input."""
    calls = [e for e in inside if isinstance(e, Called) and epochs.models[e.model].is_trained]
    often = Counter((call.model, call.digest) for call in calls)
    for call in calls:
        if not (call.dropouts or call.statistics):
            continue
        if often[call.model, call.digest] > 1:
            judgement.why = f"{call.at} calls the model several times for a batch"
        elif call.is_used:
            judgement.accuse(in_training_mode(epochs, call), call.at)


def _text(epochs: Epochs, done: Evaluated) -> str:
    cure = "Evaluate under torch.no_grad(), or a copy of the model"
    if _changes_modes_alone(done):
        cure = "Call train() at its end"
    return (
        f"evaluate() changes the training: with it {epochs.disturbed} has other numbers in a later "
        f"step. It has changed {in_short(done.changed)}. {cure}."
    )


def _line(inside: tuple[LoopEvent, ...], done: Evaluated) -> SourceLine:
    """Return the line that changes something: an update, a backward or a switch; else evaluate."""
    for kind in (Switched,) if _changes_modes_alone(done) else (Updated, Backward):
        for event in inside:
            if isinstance(event, kind):
                return event.at
    return done.at


def _changes_modes_alone(done: Evaluated) -> bool:
    return all(name.startswith(_MODE) for name in done.changed)
