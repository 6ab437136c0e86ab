"""``training/devices``: all devices hold the same copy of a replicated array.

Example: two devices take halves of a batch, and no ``psum`` adds up their gradients. Each updates
its copy by its own half. The array says that it is replicated, but two devices hold other numbers:
to print it, or to save it, takes those of the first one. Numbers that differ only by rounding are
no mistake: devices that pass sums around in a ring may round them differently.

Copies may also lie along the first axis of all parameters, as ``pmap`` and ``vmap`` with a name for
the axis have them. They may drift apart on purpose, as ensembles do: so that is a note.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from symmetry.invariants.invariant import WRITTEN, TrainingInvariant
from symmetry.law.measurement import Measurement, Violation
from symmetry.law.note import Note, NoteKind
from symmetry.training.capabilities.platform import Copied
from symmetry.training.run import needed
from symmetry.training.start import TrainingStart
from symmetry.units.compare import identical
from symmetry.units.state import Array, difference

COPIES = NoteKind(
    "training/copies",
    meaning="Devices that hold a replicated array hold other numbers after an update, since their "
    "gradients are not added up. Average them with jax.lax.pmean.",
)


def devices(start: TrainingStart) -> Measurement:
    """Compare the copies of parameters after each step."""
    run = start.begin(noise=True)
    copied = needed(run, Copied)
    begun, several = copied.along_axis(), False
    for step in range(1, len(start.result) + 1):
        run.step()
        for name, (first, *others) in copied.on_devices().items():
            several = True
            gap = max(difference(first, other) for other in others)
            if gap > 0 and gap > start.limit * start.responses()[step - 1].get(name, 0.0):
                text = _TEXT.format(
                    name=name, step=step, count=1 + len(others), averaging=copied.averaging
                )
                found = Violation.at(text, copied.gradient_place, step, name)
                return Measurement.violated(found)
    notes = tuple(_drifted(begun, copied))
    if several:
        return Measurement(counted=True, notes=notes)
    note = "no array of its state has copies on several devices that could differ"
    return Measurement(counted=False, applies=bool(notes), note=note, notes=notes)


INVARIANT = TrainingInvariant(
    name="training/devices",
    statement="after every step all devices hold the same replicated arrays, up to rounding",
    reason="an array is one array, wherever it lies: what differs is read from any device",
    witness="an array on several devices",
    cause="gradients are not averaged over the devices",
    cure="Average them with lax.pmean before the update.",
    targets="JAX trainings",
    notes=(COPIES,),
    needs=(Copied,),
    measure=devices,
    dtypes=WRITTEN,
    runs=1,
)


def _drifted(begun: Mapping[str, Array], copied: Copied) -> Iterator[Note]:
    """Yield a note if parameters begin as copies along their first axis, and drift apart."""
    copies = all(_is_copied(array) for array in begun.values())
    # Rows of zeros or ones are equal in any model.
    random = any(array[0].size > 1 and array[0].min() < array[0].max() for array in begun.values())
    end = copied.along_axis()
    apart = [name for name in begun if name in end and not _is_copied(end[name])]
    if copies and random and apart:
        text = _NOTE.format(count=len(begun[apart[0]]), name=apart[0], averaging=copied.averaging)
        yield COPIES.at(text, copied.gradient_place)


def _is_copied(array: Array) -> bool:
    return all(identical(array[0], row) for row in array[1:])


_TEXT = (
    "after step {step} the {count} devices that hold {name} hold other numbers, though it is "
    "replicated: their gradients are not added up. Average them with {averaging} over the axis "
    "of the devices before the update, and leave check_vma on, which finds this"
)
_NOTE = (
    "all parameters begin as {count} equal copies along their first axis, and {name} drifts apart: "
    "each copy is updated by its own gradient. If they are one model on several parts of a batch, "
    "average the gradients with {averaging}"
)
