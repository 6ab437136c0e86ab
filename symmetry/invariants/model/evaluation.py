"""``model/evaluation``: nothing drops out, and no running statistics move, in evaluation mode."""

from collections.abc import Iterator

from symmetry.law.measurement import Measurement, Violation
from symmetry.law.note import Note
from symmetry.training.start import TrainingStart
from symmetry.training.trial import Active, Evaluation, EvaluationCall, Trial
from symmetry.units.words import count

_AGAIN = "two calls after model.eval() give different outputs"
_NOT_REACHED = (
    "is not one of the model's modules, so eval() does not reach it: make it in __init__, and hold "
    "it in an attribute or an nn.ModuleList"
)
# What is wrong, by what acts and why; the cure follows.
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
    run = start.begin(noise=True)
    trial = run.capability(Trial)
    found = Evaluation() if trial is None else trial.in_evaluation()
    if not found.calls:
        note = "no module of its model is called before the first loss"
        return Measurement(counted=False, note=note, applies=False)
    violation = next(filter(None, map(_violation, found.calls)), None)
    if violation is not None:
        return Measurement.violated(violation)
    raised = next((f"{c.module} raises {c.raised}" for c in found.calls if c.raised), "")
    if raised:
        return Measurement(counted=False, note=f"cannot judge: in evaluation mode {raised}")
    note = "" if found.acts else "neither dropout nor running statistics are active in training"
    notes = tuple(_notes(found))
    return Measurement(counted=found.acts, note=note, applies=found.acts, notes=notes)


def _violation(call: EvaluationCall) -> Violation | None:
    """Return the fault of a call; dropout has to change its outputs."""
    for active in call.active:
        text = _WRONG.get((active.kind, active.cause))
        if text and (call.differs or active.kind == "statistics"):
            file, line = active.place.reference
            return Violation(text, 1, "", file=file, line=line)
    return None


def _notes(found: Evaluation) -> Iterator[Note]:
    if found.off:
        layers = count(found.off, "layer")
        text = (
            f"it trains in evaluation mode: {layers} with dropout or running statistics "
            f"{'is' if found.off == 1 else 'are'} off; call model.train() before training"
        )
        yield _note("model/evaluation-mode", text, found.calls[0])
    for call in found.calls:
        named = [active for active in call.active if active.cause == "named"]
        if call.differs and named:
            text = (
                "dropout is active in evaluation mode, because the call says so: if that is not "
                "meant (Monte Carlo dropout), pass training=self.training"
            )
            yield _note("model/kept-dropout", text, named[0])
        elif call.differs:
            text = (
                f"{call.module} gives other outputs each time in evaluation mode: it draws random "
                "numbers; if that is not meant, draw only if self.training"
            )
            place = next(iter(call.draws), call.place)
            yield Note("model/draws", text, *place.reference)


def _note(name: str, text: str, of: Active | EvaluationCall) -> Note:
    return Note(name, text, *of.place.reference)
