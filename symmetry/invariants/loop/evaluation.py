"""``loop/evaluation``: a model is in evaluation mode where it is evaluated, and stays as it is.

Example: a validation loop without ``model.eval()``.

In training mode dropouts make a score random, and BatchNorm learns from the validation samples.
Calls of a model on the batches of a loader that leads to no backward have to be in evaluation mode,
and must not change the model. Call ``model.eval()`` before, and ``model.train()`` behind the
validation. The same holds for a copy that follows a trained model, as an average of its weights.
"""

from __future__ import annotations

from collections import Counter

from symmetry.invariants.loop.judgement import Judgement, loop_invariant
from symmetry.invariants.loop.modes import modes
from symmetry.law.invariant import Statement
from symmetry.law.note import NoteKind
from symmetry.observe.source_line import SourceLine
from symmetry.training.events import (
    Backward,
    Called,
    Epochs,
    Evaluated,
    Loader,
    LoopEvent,
    Restored,
    Scheduled,
    Switched,
    Updated,
)
from symmetry.units.words import count, in_short

OVERLAP = NoteKind(
    "loop/overlap",
    meaning="A loader for evaluation holds training samples. A score on them says nothing about "
    "new data. Split the data set without overlap.",
)
STATISTICS = NoteKind(
    "loop/statistics",
    meaning="A score is taken in training mode while a model is trained, and its running "
    "statistics learn from the samples once more. Call eval() before it, and train() behind it, or "
    "take the outputs that the loss has.",
)
OWN_BATCH = NoteKind(
    "loop/batch-statistics",
    meaning="An evaluation normalises samples by the statistics of their own batch, and drops the "
    "new running statistics that it computes: a score depends on which samples share a batch. "
    "Evaluate with the running statistics.",
)
AUGMENTED = NoteKind(
    "loop/augmented",
    meaning="The samples of a loader for evaluation are drawn anew each time, as by a random crop "
    "or flip: two evaluations of one model differ. Augment only training samples.",
)
_MODE = "the mode of "
_SOME = 32  # samples of an evaluation whose contents are looked for among those of a training
_SHARE = 0.5  # of them are found: small data has some equal samples by chance


def evaluations(epochs: Epochs) -> Judgement:
    """Judge the evaluations of a script, or of a function."""
    return disturbance(epochs) if epochs.is_function else evaluation(epochs)


INVARIANT = loop_invariant(
    Statement(
        name="loop/evaluation",
        statement="a trained model is evaluated in evaluation mode, and stays as it is",
        reason="dropouts make the result random, and what evaluation data teach is no test",
        witness="a loader whose batches lead to no backward, or evaluate of a function",
        cause="eval() is missing before an evaluation",
        cure="Call eval() before, and train() after the evaluation.",
        notes=(OVERLAP, STATISTICS, OWN_BATCH, AUGMENTED),
    ),
    evaluations,
    of_functions=True,
)


def evaluation(epochs: Epochs) -> Judgement:
    """Judge calls of trained models, and averages, with batches of loaders without a backward.

    Several calls with one batch may be a sample of the model's uncertainty, a result that is thrown
    away an adaption of the statistics: these are not judged.
    """
    judgement, training = Judgement(), epochs.training_loaders
    calls = [
        event
        for event in epochs.events
        if isinstance(event, Called)
        if event.loader is not None and event.loader not in training
        if epochs.models[event.model].is_trained or epochs.models[event.model].follows
    ]
    judgement.applies = bool(calls)
    judgement.why = "" if calls else "no batch of a loader is used for evaluation alone"
    often = Counter((call.model, call.batch) for call in calls)
    for call in calls:
        if call.unread:
            judgement.note(OWN_BATCH, _by_its_batch(epochs, call), call.at)
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
    _judge_scores(epochs, judgement)
    _note_overlap(epochs, judgement)
    return judgement


def _judge_scores(epochs: Epochs, judgement: Judgement) -> None:
    """Judge scores on data of no loader, and on training data, by the running statistics.

    They are taken between updates of a model that is trained in training mode.
    """
    calls = [(n, e) for n, e in enumerate(epochs.events) if isinstance(e, Called)]
    often = Counter((c.model, c.digest, c.update) for _, c in calls if not c.gradient)
    updates = [number for number, event in enumerate(epochs.events) if isinstance(event, Updated)]
    for score in epochs.scores:
        call = epochs.events[score.call]
        assert isinstance(call, Called)
        between = any(
            n < score.call and e.model == call.model and e.gradient and e.statistics
            for n, e in calls
        )
        judged = call.loader is not None and call.loader not in epochs.training_loaders
        learns = call.statistics and call.is_used and epochs.models[call.model].is_trained
        alone = often[call.model, call.digest, call.update] == 1
        if judged or not (between and learns and alone) or score.call > max(updates):
            continue
        if score.of_other_data:
            judgement.applies = True
            judgement.accuse(in_training_mode(epochs, call), call.at)
        else:
            judgement.note(STATISTICS, _once_more(epochs, call), call.at)


def _once_more(epochs: Epochs, call: Called) -> str:
    return (
        f"{epochs.models[call.model].name} gives a score in training mode, so that running "
        f"statistics of {count(len(call.statistics), 'module')} learn from these samples, too. "
        "Call eval() before it and train() behind it, or take the outputs that the loss has."
    )


def _by_its_batch(epochs: Epochs, call: Called) -> str:
    name, line = epochs.models[call.model].name, call.unread[0]
    return (
        f"{name} is evaluated with the statistics of each batch, not with the running ones: {line} "
        "computes new running statistics, and nothing is given them. Evaluate with the running "
        "statistics."
    )


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
    cure = epochs.words.quietly
    if epochs.models[call.model].follows:
        cure = "Call eval() where this copy of a trained model is made."
    return f"{name} is evaluated in training mode: {' and '.join(effects)}. {cure}"


def _note_overlap(epochs: Epochs, judgement: Judgement) -> None:
    """Note samples that a model is trained and evaluated on."""
    training = epochs.training_loaders
    used = {c.loader for c in epochs.events if isinstance(c, Called) and c.batch is not None}
    trains = [loader for loader in epochs.loaders if loader.number in training]
    evaluates = [x for x in epochs.loaders if x.number in used and x.number not in training]
    for one in evaluates:
        if one.varies:
            judgement.note(
                AUGMENTED,
                f"the samples of the loader made at {one.at} are drawn anew each time, and it only "
                "evaluates: two evaluations of one model differ. Augment only training samples.",
                one.at,
            )
        for other in trains:
            if _is_of_another_model(epochs, one.number, other.number):
                continue
            if common := _common(one, other):
                judgement.note(
                    OVERLAP,
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
    """Say how many samples two loaders share; nothing if they share no sample.

    Those of the same data are compared by their indices, others by their contents.
    """
    if one.source != other.source:
        first, others = one.contents[:_SOME], frozenset(other.contents)
        shared = sum(digest in others for digest in first)
        distinct = len({*first}) > _SHARE * len(first)
        found = distinct and shared > _SHARE * len(first)
        return f"{shared} of the first {len(first)} samples" if found else ""
    if one.indices is None or other.indices is None:
        return "all samples" if one.indices is None and other.indices is None else "some samples"
    shared = len(one.indices & other.indices)
    return f"{shared} of {len(one.indices)} samples" if shared else ""


def disturbance(epochs: Epochs) -> Judgement:
    """Judge whether the steps behind each evaluation of a function are the same as without it.

    A run without it shows what they do. If ``evaluate`` steps a scheduler or restores a state, the
    next steps are meant to be others: these are not judged.
    """
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
    cure = f"Evaluate under {epochs.words.no_gradients}, or a copy of the model"
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
