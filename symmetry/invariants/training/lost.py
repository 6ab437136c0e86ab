"""``training/lost``: parameters of 16 bits keep their updates.

Example: a model in bfloat16 is trained with a learning rate of 1e-5.

    model = Model().to(torch.bfloat16)               a weight of 0.1 moves in steps of 0.0005, so
    optimizer = AdamW(model.parameters(), lr=1e-5)   that nearly all of its updates are rounded away

Keep the parameters in float32, and compute in 16 bits with ``torch.autocast``; or keep copies in
float32, or round stochastically.

Each update is made once more on copies in float32. It is accused if less than a tenth of their
movement is kept, and more than nine tenths of the entries do not move. If a part is lost, that is a
note. Nothing is accused as long as the learning rate rises.
"""

from __future__ import annotations

from symmetry.invariants.invariant import WRITTEN, TrainingInvariant
from symmetry.invariants.loop.judgement import Judgement, judged
from symmetry.law.measurement import Measurement
from symmetry.law.note import NoteKind
from symmetry.training.events import Epochs, Rounded, RoundedTensor, Updated
from symmetry.training.start import TrainingStart
from symmetry.units.words import count

LOST = NoteKind("training/lost")
_NONE = "no optimiser holds parameters of 16 bits"
_COARSE = 1e-4  # the eps of numbers of 16 bits is larger
_CURE = "Keep the parameters in float32, and only compute in 16 bits."
_UPDATES = 3  # that have to be seen
_FEW = f"fewer than {_UPDATES} updates of 16 bits are seen"
_LITTLE, _STILL = 0.1, 0.9  # kept of the movement, and entries that do not move: it is accused
_PART = 0.5  # kept of the movement: it is noted
_NOTHING = 0.02  # kept of a tensor's movement: it stays where it is


def measure(start: TrainingStart) -> Measurement:
    """Judge a run of a script over whole epochs, or of a function over more steps."""
    is_coarse = any(eps > _COARSE for eps in start.baseline.precision.values())
    seen = start.target.sequential or is_coarse
    epochs = start.target.events(start.seed) if seen else None
    return Measurement.not_applicable(_NONE) if epochs is None else judged(lost, epochs)


INVARIANT = TrainingInvariant(
    name="training/lost",
    statement="parameters of 16 bits keep their updates",
    reason="an update that is rounded away trains nothing",
    witness="an update of a parameter of 16 bits",
    cause="updates are smaller than 16 bits can hold beside the parameter",
    cure="Keep the parameters in float32, and compute in 16 bits by autocast.",
    targets="PyTorch trainings",
    failure="loses its updates",
    notes=(LOST,),
    measure=measure,
    dtypes=WRITTEN,
    runs=1,
)


def lost(epochs: Epochs) -> Judgement:
    """Judge the updates of parameters of 16 bits."""
    judgement = Judgement(applies=bool(epochs.rounded), why="" if epochs.rounded else _NONE)
    for optimizer in epochs.rounded:
        judgement.why = judgement.why or optimizer.why
        tensors = [each for each in optimizer.tensors if each.updates >= _UPDATES]
        if tensors:
            _judge(optimizer, tensors, epochs, judgement)
        elif optimizer.tensors:
            judgement.why = judgement.why or _FEW
    return judgement


def _judge(
    optimizer: Rounded, tensors: list[RoundedTensor], epochs: Epochs, judgement: Judgement
) -> None:
    updates = [
        event
        for event in epochs.events
        if isinstance(event, Updated) and event.optimizer == optimizer.optimizer
    ]
    numbers = sum(each.numbers for each in tensors)
    kept = sum(each.kept * each.numbers for each in tensors) / numbers
    still = sum(each.still * each.numbers for each in tensors) / numbers
    nothing = [each for each in tensors if each.kept < _NOTHING]
    at, dtype = updates[0].at, tensors[0].dtype
    if kept < _LITTLE and still > _STILL and 2 * numbers > optimizer.numbers:
        if _rises(updates):
            judgement.why = "the learning rate rises, and is still too small for 16 bits"
            return
        judgement.accuse(
            f"{kept:.0%} of the updates of parameters in {dtype} is kept, and {still:.0%} of their "
            f"entries do not move: the rest is rounded away. {_CURE}",
            at,
        )
    elif kept < _PART:
        judgement.note(
            LOST,
            f"{kept:.0%} of the updates of parameters in {dtype} is kept: the rest is rounded "
            f"away. {_CURE}",
            at,
        )
    elif nothing:
        named = next((each.name for each in nothing if each.name), "")
        example = f" (the first is {named})" if named else ""
        judgement.note(
            LOST,
            f"no update moves {len(nothing)} of {count(len(tensors), 'parameter')} in {dtype}"
            f"{example}: it is rounded away. Keep them in float32.",
            at,
        )


def _rises(updates: list[Updated]) -> bool:
    """Return whether a rate is higher at the end than in the beginning."""
    return any(
        last > first for first, last in zip(updates[0].rates, updates[-1].rates, strict=False)
    )
