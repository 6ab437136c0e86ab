"""``model/samples``: in evaluation mode the outputs of a sample do not depend on the others."""

from collections.abc import Iterator, Sequence

from symmetry.invariants.composed import replaced
from symmetry.invariants.invariant import PROMOTED, TrainingInvariant
from symmetry.law.measurement import MIXING_SOFTMAX, Measurement, Violation
from symmetry.law.note import Note, NoteKind
from symmetry.training.run import needed
from symmetry.training.start import TrainingStart
from symmetry.training.trial import Mixer, SampleCall, Sampling

MIXED_SAMPLES = NoteKind(
    "model/mixed-samples",
    meaning="In evaluation mode the outputs of a sample depend on the others of its batch. If that "
    "is not meant, an operation runs over the axis of the samples: name the other axis.",
    why="It stays a note: attention between samples, graphs and statistics of a batch do so on "
    "purpose.",
)


def samples(start: TrainingStart) -> Measurement:
    """Replace one sample of a batch, and see in evaluation mode which outputs change."""
    count = start.baseline.samples
    if count is None or count < 2:
        return Measurement.not_applicable(Sampling.absent)
    trial = needed(start.begin(noise=True), Sampling)
    changed = {}
    for sample in dict.fromkeys((count // 2, 0)):
        other = start.begin(order=replaced(count, sample), noise=True)
        changed[sample] = needed(other, Sampling).module_inputs()
    calls = trial.with_samples(changed, count)
    mixers = [call.mixer for call in calls if call.mixer is not None]
    doubt = start.baseline.doubt
    if doubt and (doubt.about == "item" or not all(map(_are_scores, mixers))) and mixers:
        return Measurement.cannot_judge(doubt.why)
    for call in calls:
        if call.mixer is not None and (text := _wrong(call.mixer, call.mode)):
            mechanism = MIXING_SOFTMAX if call.mixer.kind == "softmax" else ""
            found = Violation.at(text, call.mixer.place, mechanism=mechanism)
            return Measurement.violated(found)
    why_not = next((f"cannot judge: {call.why_not}" for call in calls if call.why_not), "")
    counted = any(call.alone for call in calls)
    note = "" if counted else why_not or "no module of its model is given one sample"
    return Measurement(counted, note=note, notes=tuple(_notes(calls)))


INVARIANT = TrainingInvariant(
    name="model/samples",
    statement="in evaluation the outputs for one sample do not depend on other samples",
    reason="a model is evaluated on one sample at a time, or on any batch",
    witness="two samples that differ, and outputs with an axis of the samples",
    cause="an operation runs over the axis of the samples",
    cure="Give the operation another axis, or make the layer with batch_first=True.",
    targets="PyTorch and JAX trainings",
    notes=(MIXED_SAMPLES,),
    needs=(Sampling,),
    cheap=True,
    measure=samples,
    dtypes=PROMOTED,
    runs=3,
)


def _are_scores(mixer: Mixer) -> bool:
    """Return whether the outputs themselves are normalised over the samples, as over classes.

    Where it is doubtful whether rows are samples or, for example, steps of time, other operations
    may rightly take them together.
    """
    return mixer.kind == "softmax" and mixer.is_last


def _wrong(mixer: Mixer, mode: str) -> str:
    """Describe the fault of the operation that mixes samples; nothing if it may be meant."""
    depend = f"{mode}the outputs of a sample depend on the others"
    shape, axis = mixer.shape, mixer.axis
    if mixer.kind == "layout":
        cure = f"batch_first={mixer.samples == 0}"
        return (
            f"{depend}: {mixer.operation} takes axis {axis} of its input {shape} for the samples, "
            f"which lie in axis {mixer.samples}; make it with {cure}"
        )
    if mixer.kind == "softmax":
        return (
            f"{depend}: this softmax runs over axis {axis} of {shape}, the axis of the "
            "samples; give it the axis of the classes, the last one"
        )
    if mixer.kind == "product":
        return (
            f"{depend}: this {mixer.operation} with a parameter sums over axis {axis} of {shape}, "
            "the axis of the samples; map over that axis, with in_axes of vmap, or transpose"
        )
    if mixer.kind == "view":
        return (
            f"{depend}: to view it as {shape} puts entries of different samples into one row; keep "
            "the axis of the samples, and permute axes that have to change places"
        )
    return ""


def _notes(calls: Sequence[SampleCall]) -> Iterator[Note]:
    """Yield a note for each line that mixes samples and may be meant to."""
    mixed = ((call.mixer, call.mode) for call in calls if call.mixer is not None)
    for mixer, mode in dict.fromkeys(mixed):
        text = (
            f"{mode}the outputs of a sample depend on the others: first by {mixer.operation}; if "
            "that is not meant, it runs over the axis of the samples"
        )
        yield MIXED_SAMPLES.at(text, mixer.place)
