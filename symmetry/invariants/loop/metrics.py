"""``loop/metrics``: a metric belongs to the data, not to the batches that it is computed in.

Example: a mean of the losses of batches, the last of which is smaller.

    for x, y in loader:
        total += loss(model(x), y).item()
    return total / len(loader)                  3 samples weigh as much as 8

    for x, y in loader:
        total += loss(model(x), y).item() * len(y)
    return total / len(loader.dataset)

The script's own evaluation is called again, before its next update, with other batches: each sample
twice, and others together. A number that it returns or prints is a mean of samples if it stays as
it is where samples are exchanged between batches of one size, and where whole batches come twice.
If such a mean moves where each sample comes twice, the last, smaller batch has a wrong weight: a
violation, or a note if that is less than 1 % of all weights. A number that moves where samples are
exchanged between batches, and stays where each batch has each of its samples twice, is a function
of batches, averaged over them, such as a mean of perplexities: a note. Compute it once, of all
samples. A line that saves behind an evaluation that is left early, before the first update, and
behind later ones, has a note, too. A loader in order is looked at, under ``no_grad`` or in
evaluation mode, in PyTorch on Linux.
"""

from __future__ import annotations

from symmetry.invariants.loop.judgement import Judgement, loop_invariant
from symmetry.law.invariant import Statement
from symmetry.law.note import Excuse, NoteKind
from symmetry.training.events import Epochs, Metric, Saved

BY_BATCH = NoteKind(
    "loop/by-batch",
    meaning="A number of an evaluation depends on which samples share a batch, as a mean of "
    "batches' perplexities or F1 scores does. Compute it once, of all samples.",
)
LAST = NoteKind(
    "loop/last-batch",
    meaning="An evaluation averages means of many batches, and the last is smaller: its "
    "samples weigh more, which matters little. Weigh each batch by its number of samples.",
)
BEST = NoteKind(
    "loop/best",
    meaning="A line saves behind an evaluation that is left early, as a check before the training "
    "is, and behind later ones: a best score compares other amounts of data. Forget the first one.",
)
TOGETHER = Excuse(
    "samples together",
    "a number also moves where samples come in another order, or twice in their batch, as noise by "
    "their places, and contrasts between them, do",
)
SUM = Excuse("a sum", "a number grows with the number of samples, or of batches")
_LEFT = (
    "this line saves behind an evaluation that is left before its end, before the training begins, "
    "and behind later ones: a best score compares other amounts of data. Forget the first score."
)
_LITTLE = 0.01  # of a mean's weights: an evaluation of more than about a hundred batches


def metrics(epochs: Epochs) -> Judgement:
    """Judge numbers of evaluations whose batches were cut anew, and saves behind evaluations."""
    judgement = Judgement()
    judgement.applies = any(metric.effect != "left" for metric in epochs.metrics)
    judgement.why = "" if judgement.applies else "no number of an evaluation by a loader is known"
    for metric in epochs.metrics:
        if metric.effect == "weights" and metric.excess > _LITTLE:
            judgement.accuse(_weights(metric), metric.at)
        elif metric.effect == "weights":
            judgement.note(LAST, _weights(metric), metric.at)
        elif metric.effect == "batches":
            judgement.note(BY_BATCH, _batches(metric), metric.at)
        elif metric.effect == "left":
            if any(e.update and e.at == metric.at for e in epochs.of(Saved)):
                judgement.note(BEST, _LEFT, metric.at)
        elif metric.effect != "stays":
            judgement.spare(TOGETHER if metric.effect == "together" else SUM, metric.at)
    return judgement


def _weights(metric: Metric) -> str:
    return (
        f"the mean that {metric.name} is {metric.before:.5g} for {metric.samples} samples in "
        f"batches of {metric.size}, and {metric.after:.5g} if each of them comes twice: the last, "
        "smaller batch has a wrong weight. Weigh each batch by its number of samples."
    )


def _batches(metric: Metric) -> str:
    return (
        f"the number that {metric.name} is {metric.before:.5g} for {metric.samples} samples in "
        f"batches of {metric.size}, and {metric.after:.5g} for the same ones in other batches of "
        f"{metric.size}. Compute it once, of all samples, unless it is meant by batch."
    )


INVARIANT = loop_invariant(
    Statement(
        name="loop/metrics",
        statement="a metric belongs to the data, not to the batches that it is computed in",
        reason="how an evaluation cuts its samples into batches is free",
        witness="a number that an evaluation over a loader in order returns or prints",
        cause="means of batches are averaged, and the last batch is smaller",
        cure="Weigh each batch by its number of samples.",
        notes=(BY_BATCH, LAST, BEST),
        excuses=(TOGETHER, SUM),
    ),
    metrics,
)
