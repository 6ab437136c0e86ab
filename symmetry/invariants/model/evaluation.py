"""``model/evaluation``: nothing drops out, and no running statistics move, in evaluation mode."""

from collections.abc import Iterator

from symmetry.invariants.invariant import PROMOTED, TrainingInvariant
from symmetry.law.measurement import Measurement, Violation
from symmetry.law.note import Note, NoteKind
from symmetry.training.run import needed
from symmetry.training.start import TrainingStart
from symmetry.training.trial import Evaluation, EvaluationCall, Trial
from symmetry.units.words import count

EVALUATION_MODE = NoteKind(
    "model/evaluation-mode",
    meaning="A model trains in evaluation mode, so that its dropouts and running statistics are "
    "off. Call model.train() before training.",
    unless=("loop/eval-mode",),
)
KEPT_DROPOUT = NoteKind(
    "model/kept-dropout",
    meaning="Dropout is active in evaluation mode, because the call says so. If that is not meant, "
    "as it is for Monte Carlo dropout, pass training=self.training.",
)
DRAWS = NoteKind(
    "model/draws",
    meaning="A model in evaluation mode gives other outputs each time. If that is not meant, draw "
    "random numbers only if self.training. A code of an autoencoder, whose scale the model "
    "computes, has no note, nor has one number that makes a choice, as teacher forcing does, nor "
    "a loss that draws its noise.",
)
_AGAIN = "two calls after model.eval() give different outputs"
_NOT_REACHED = (
    "is not one of the model's modules, so eval() does not reach it: make it in __init__, and hold "
    "it in an attribute or an nn.ModuleList"
)
# The mistake, by what acts and why; the cure follows.
_WRONG = {
    ("dropout", "function"): f"dropout is active in evaluation mode ({_AGAIN}): this call does "
    "not say training=self.training, and True is the default",
    ("dropout", "module"): f"dropout is active in evaluation mode ({_AGAIN}): this layer "
    f"{_NOT_REACHED}",
    ("attention", "function"): f"attention drops out in evaluation mode ({_AGAIN}): pass "
    "dropout_p=self.p if self.training else 0.0",
    ("attention", "module"): f"attention drops out in evaluation mode ({_AGAIN}): this layer "
    f"{_NOT_REACHED}",
    ("statistics", "function"): "running statistics are written in evaluation mode: this call of "
    "batch_norm says training=True; pass training=self.training",
    ("statistics", "module"): "running statistics are written in evaluation mode: this layer "
    f"{_NOT_REACHED}",
}


def evaluation(start: TrainingStart) -> Measurement:
    """Repeat the calls of a step in evaluation mode, and look for layers that still act."""
    found = start.with_run(lambda run: needed(run, Trial).in_evaluation(), noise=True)
    if not found.calls:
        return Measurement.not_applicable(Trial.absent)
    violation = next(filter(None, map(_violation, found.calls)), None)
    if violation is not None:
        return Measurement.violated(violation)
    raised = next((f"{c.module} raises {c.raised}" for c in found.calls if c.raised), "")
    if raised:
        return Measurement.cannot_judge(f"in evaluation mode {raised}")
    note = "" if found.acts else "neither dropout nor running statistics are active in training"
    notes = tuple(_notes(found))
    return Measurement(counted=found.acts, note=note, applies=found.acts, notes=notes)


INVARIANT = TrainingInvariant(
    name="model/evaluation",
    statement="after model.eval() the model drops nothing out and writes no running statistics",
    reason="in evaluation the outputs of a sample depend only on that sample",
    witness="dropout or running statistics that are active in training",
    cause="a dropout or a normalisation does not follow the mode of its module",
    cure="Pass training=self.training, or use a module of torch.nn.",
    targets="PyTorch trainings",
    notes=(EVALUATION_MODE, KEPT_DROPOUT, DRAWS),
    needs=(Trial,),
    measure=evaluation,
    dtypes=PROMOTED,
    runs=1,
)


def _violation(call: EvaluationCall) -> Violation | None:
    """Return the fault of a call; dropout has to change its outputs."""
    for active in call.active:
        text = _WRONG.get((active.kind, active.cause))
        if text and (call.differs or active.kind == "statistics"):
            return Violation.at(text, active.place)
    return None


def _notes(found: Evaluation) -> Iterator[Note]:
    if found.off:
        layers = count(found.off, "layer")
        text = (
            f"it trains in evaluation mode: {layers} with dropout or running statistics "
            f"{'is' if found.off == 1 else 'are'} off; call model.train() before training"
        )
        yield EVALUATION_MODE.at(text, found.calls[0].place)
    for call in found.calls:
        named = [active for active in call.active if active.cause == "named"]
        if call.differs and named:
            text = (
                "dropout is active in evaluation mode, because the call says so: if that is not "
                "meant (Monte Carlo dropout), pass training=self.training"
            )
            yield KEPT_DROPOUT.at(text, named[0].place)
        elif call.differs and call.draws:
            text = (
                f"{call.module} gives other outputs each time in evaluation mode: it draws random "
                "numbers; if that is not meant, draw only if self.training"
            )
            yield DRAWS.at(text, call.draws[0])
