"""``loop/evaluation``: a model is in evaluation mode where it is evaluated.

A loader whose batches never lead to a backward evaluates. If a trained model is called with one of
its batches, dropouts make the result random, and running statistics learn from what the model is
evaluated on. Several calls with one batch may be a sample of the model's uncertainty, a result that
is thrown away an adaption of the statistics: these are not judged.
"""

from __future__ import annotations

from collections import Counter

from symmetry.invariants.loop.judgement import Judgement
from symmetry.training.events import Called, Epochs, Loader
from symmetry.units.words import count


def evaluation(epochs: Epochs) -> Judgement:
    """Judge the calls of trained models with batches of loaders that evaluate."""
    judgement, training = Judgement(), epochs.training_loaders
    calls = [
        event
        for event in epochs.events
        if isinstance(event, Called)
        if event.loader is not None and event.loader not in training
        if epochs.models[event.model].is_trained
    ]
    judgement.applies = bool(calls)
    judgement.why = "" if calls else "no batch of a loader is used for evaluation alone"
    often = Counter((call.model, call.batch) for call in calls)
    for call in calls:
        if not (call.dropouts or call.statistics):
            continue
        if call.batch is None:
            judgement.why = f"{call.at} calls the model with nothing of the batch"
        elif often[call.model, call.batch] > 1:
            judgement.why = f"{call.at} calls the model several times for a batch"
        elif not call.is_used:
            judgement.why = f"{call.at} throws the result away, as an adaption of statistics does"
        else:
            judgement.accuse(in_training_mode(epochs, call), call.at)
    _note_overlap(epochs, judgement)
    return judgement


def in_training_mode(epochs: Epochs, call: Called) -> str:
    """Return the accusation of a call that evaluates in training mode."""
    effects = []
    if call.dropouts:
        many = len(call.dropouts)
        effects.append(f"{count(many, 'dropout')} {'is' if many == 1 else 'are'} active")
    if call.statistics:
        many = len(call.statistics)
        effects.append(f"the running statistics of {count(many, 'module')} learn from it")
    name = epochs.models[call.model].name
    return (
        f"{name} is evaluated in training mode: {' and '.join(effects)}. "
        "Call eval() before, and train() after the evaluation."
    )


def _note_overlap(epochs: Epochs, judgement: Judgement) -> None:
    """Note samples that a model is trained and evaluated on."""
    training = epochs.training_loaders
    used = {c.loader for c in epochs.events if isinstance(c, Called) and c.batch is not None}
    trains = [loader for loader in epochs.loaders if loader.number in training]
    evaluates = [x for x in epochs.loaders if x.number in used and x.number not in training]
    for one in evaluates:
        for other in trains:
            if _is_of_another_model(epochs, one.number, other.number):
                continue
            if one.source == other.source and (common := _common(one, other)):
                judgement.note(
                    "loop/overlap",
                    f"{common} of the loader made at {one.at} are training samples, too (the "
                    f"loader made at {other.at}). A score on them says nothing about "
                    "new data.",
                    one.at,
                )


def _is_of_another_model(epochs: Epochs, evaluates: int, trains: int) -> bool:
    """Return whether a loader evaluates trained models, and another loader trains none of them.

    In a cross-validation each model is evaluated on samples that others are trained on.
    """
    calls = [c for c in epochs.events if isinstance(c, Called) and c.batch is not None]
    models = [{c.model for c in calls if c.loader == n} for n in (evaluates, trains)]
    known = all(models) and all(epochs.models[model].is_trained for model in models[0])
    return known and models[0].isdisjoint(models[1])


def _common(one: Loader, other: Loader) -> str:
    """Say how many samples two loaders of the same data share; nothing if they share no sample."""
    if one.indices is None or other.indices is None:
        return "all samples" if one.indices is None and other.indices is None else "some samples"
    shared = len(one.indices & other.indices)
    return f"{shared} of {len(one.indices)} samples" if shared else ""
