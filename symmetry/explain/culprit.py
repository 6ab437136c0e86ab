"""What is known of the operation that broke the symmetry: a run that records it, and its replay."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from numpy.typing import NDArray

from symmetry.explain import facts
from symmetry.explain.detect import GIVEN, Detector, Foreign, Step, Suspect
from symmetry.explain.draft import Material, as_index
from symmetry.explain.explanation import Culprit, Named, Operand, Weight
from symmetry.explain.layout import Firsts, alike
from symmetry.explain.lineage import Parting, ancestors, parting
from symmetry.explain.script import Draft, Script, write
from symmetry.explain.snapshot import Piece, Snapshot

Array = NDArray[Any]

_MASKS = ("bernoulli", "dropout")


def named(step: Step) -> Named:
    """Return the name and the place of an operation."""
    return Named(step.name, str(step.place), step.place.source, step.place.during)


def describe(
    record: Callable[[frozenset[int]], Detector],
    steps: list[Step],
    suspect: Suspect,
    firsts: Firsts,
    *,
    weight: Weight,
    earlier: int,
) -> Culprit:
    """Record a suspect with its operands, do it again alone, and write a script that shows it.

    Parameters
    ----------
    record
        Runs the step, with everything but the suspect mended, and keeps snapshots of operations.
    steps, suspect
        As an earlier run found them.
    firsts
        Of every hidden unit, the first one that starts like it.
    weight
        How much of the break depends on this operation.
    earlier
        Number of iterations before those that ``record`` runs.
    """
    pairs = [] if suspect.pair is None else ancestors(steps, suspect.pair)
    wanted = {suspect.index, *(index for pair in pairs for index in pair)}
    recorder = record(frozenset(wanted))
    snapshots = recorder.snapshots
    suspect = next(found for found in recorder.suspects if found.index == suspect.index)
    parted = parting(recorder.steps, pairs, snapshots)
    snapshot = snapshots[suspect.index]
    result = _judged(suspect, snapshot.results, snapshot.after)
    step = recorder.steps[suspect.index if parted is None else parted.odd]
    culprit = Culprit(
        operation=named(step),
        iteration=earlier + step.iteration,
        cause=_cause(suspect, snapshot),
        operands=_operands(snapshot, firsts),
        result=facts.operand(result, suspect.layout, firsts),
        asymmetry=facts.asymmetry(result, suspect.layout, firsts),
        remarks=tuple(_remarks(recorder, suspect)),
        weight=weight,
        replayed="",
        reproduced=False,
    )
    if parted is None:
        return _replay(culprit, snapshot, suspect, firsts)
    return _replay_parted(culprit, recorder, suspect, parted, firsts)


def _judged(suspect: Suspect, results: list[Array], owners: dict[int, Array]) -> Array:
    """Return the array in which the units differ."""
    target = suspect.target
    return results[target.position] if target.side == "result" else owners[target.position]


def _operands(snapshot: Snapshot, firsts: Firsts) -> tuple[Operand, ...]:
    arrays, _ = snapshot.arrays()
    return tuple(
        facts.operand(
            array,
            layout,
            firsts,
            dtype=dtype,
            written=position in snapshot.written,
            overwritten=position in snapshot.written and snapshot.overwritten,
        )
        for position, (array, layout, dtype) in enumerate(
            zip(arrays, snapshot.layouts, snapshot.operation.dtypes, strict=True)
        )
    )


def _cause(suspect: Suspect, snapshot: Snapshot) -> str:
    """Say what the operation did to the units."""
    if suspect.kind == "random":
        if any(word in snapshot.name for word in _MASKS):
            return "it draws a random mask: random numbers that differ between the hidden units"
        return "it draws random numbers that differ between the hidden units: noise, or a mask"
    if suspect.kind == "operand":
        listed = " and ".join(str(foreign.position + 1) for foreign in suspect.foreign)
        many = len(suspect.foreign) > 1
        return (
            "it brings values that are the same for all like hidden units together with "
            f"operand{'s' * many} {listed}, which differ{'' if many else 's'} between them"
        )
    if suspect.kind == "write":
        return f"it writes into {_units(suspect)} of an array whose hidden units were the same"
    return "its operands are the same for like hidden units, its result is not"


def _units(suspect: Suspect) -> str:
    touched = suspect.touched
    if touched is None:
        return "a part"
    if not touched:
        return "entries that belong to no unit"
    if len(touched) == 1:
        return f"unit {min(touched)} alone"
    return f"{len(touched)} of the {suspect.layout.axes[0].count} hidden units"


def _remarks(detector: Detector, suspect: Suspect) -> Iterator[str]:
    """Say where an operand comes from that is part of the story."""
    step = detector.steps[suspect.index]
    for foreign in suspect.foreign:
        yield f"operand {foreign.position + 1} {_origin(detector, step, foreign)}"
    if suspect.kind == "write":
        for position, maker in enumerate(step.makers):
            if position not in step.written and maker is not None and maker != GIVEN:
                yield f"what it writes was made by {_at(detector.steps[maker])}"


def _origin(detector: Detector, step: Step, foreign: Foreign) -> str:
    if foreign.origin == "unseen":
        return (
            "comes from code that is not observed: it differs between the units when an observed "
            "operation first meets it"
        )
    if foreign.origin == "part":
        return "is a part of a symmetric array that holds something else than one entry a unit"
    maker = step.makers[foreign.position]
    return "was made by " + ("?" if maker is None else _at(detector.steps[maker]))


def _at(step: Step) -> str:
    return f"{step.name} ({step.place})" if step.place.file else step.name


def _replay(culprit: Culprit, snapshot: Snapshot, suspect: Suspect, firsts: Firsts) -> Culprit:
    """Do the operation alone, on the same operands, and write the script."""
    again = _judged(suspect, *snapshot.replay())
    result = _judged(suspect, snapshot.results, snapshot.after)
    reproduced = not alike(again, suspect.layout, firsts)
    script = _script(snapshot, suspect)
    return replace(
        culprit,
        replayed=_in_words(result, again, reproduced=reproduced),
        reproduced=reproduced,
        script=None if script is None else script.text,
        script_shows=None if script is None else script.shows,
        without_script="" if script else _why_none(snapshot),
    )


def _replay_parted(
    culprit: Culprit, detector: Detector, suspect: Suspect, parted: Parting, firsts: Firsts
) -> Culprit:
    """Tell the story of two units that were made apart, and do both operations alone."""
    odd, usual = suspect.units
    other = detector.steps[parted.usual]
    joined = detector.steps[suspect.index]
    snapshots = [detector.snapshots[index] for index in (parted.odd, parted.usual)]
    same = all(
        facts.identical(again, recorded)
        for snapshot in snapshots
        for again, recorded in zip(snapshot.replay()[0], snapshot.results, strict=True)
    )
    if parted.kind == "alike":
        cause = (
            f"two calls of it get the same numbers for unit {odd} and for unit {usual} and return "
            "different ones"
        )
    else:
        cause = f"unit {odd} comes out of it, unit {usual} out of {_at(other)}"
    return replace(
        culprit,
        cause=cause,
        operands=_operands(snapshots[0], firsts),
        remarks=(f"the units are brought together by {_at(joined)}",),
        replayed="both calls return the same bits again" if same else "they return other bits",
        reproduced=same,
        without_script="it would take the calls of both units",
    )


def _in_words(result: Array, again: Array, *, reproduced: bool) -> str:
    if not reproduced:
        return "done alone on the same operands it is symmetric"
    if facts.identical(result, again):
        return "done alone on the same operands it returns the same bits"
    return "done alone on the same operands it is asymmetric again, with other numbers"


def _why_none(snapshot: Snapshot) -> str:
    if snapshot.operation.module == "jax":
        return "scripts are written for PyTorch and NumPy only"
    return "no operands short enough to print show it"


def _script(snapshot: Snapshot, suspect: Suspect) -> Script | None:
    """Write a script, if there is a way to write the operation down."""
    if snapshot.operation.module == "jax" or len(suspect.layout.axes) != 1:
        return None
    axis = suspect.layout.axes[0]
    if axis.outer != 1 or axis.inner != 1:
        return None
    foreign = {foreign.position for foreign in suspect.foreign}
    variables: list[Material] = []
    operands: list[tuple[int, str]] = []
    roots: dict[int, tuple[int, Piece]] = {}
    arrays, owners = snapshot.arrays()
    for position, piece in enumerate(snapshot.operands):
        if piece.block not in roots:
            root, values, layout = _root(snapshot, suspect, piece.block, arrays, owners)
            roots[piece.block] = len(variables), root
            variables.append(
                Material(
                    values,
                    root,
                    layout,
                    position not in foreign,
                    snapshot.operation.dtypes[position],
                    snapshot.overwritten and root == piece and position in snapshot.written,
                    len(variables) % 4,
                )
            )
        number, root = roots[piece.block]
        index = as_index(root, piece)
        if index is None:
            return None
        operands.append((number, index))
    judged = suspect.target.side == "memory"
    written = snapshot.operands[suspect.target.position].block if judged else -1
    return write(
        Draft(
            snapshot.operation,
            variables,
            operands,
            suspect.target.position,
            roots[written][0] if judged else None,
            len(snapshot.results) > 1,
            suspect.layout,
            _comment(snapshot, suspect),
            snapshot.random,
        )
    )


def _root(
    snapshot: Snapshot,
    suspect: Suspect,
    block: int,
    arrays: list[Array],
    owners: dict[int, Array],
) -> tuple[Piece, Array, Any]:
    """Return the array of a block that all its other arrays are cut out of."""
    for position, owner in snapshot.owners.items():
        if owner.block == block:
            layout = suspect.layout if position == suspect.target.position else None
            return owner, owners[position], layout
    largest = max(
        (p for p, piece in enumerate(snapshot.operands) if piece.block == block),
        key=lambda p: arrays[p].size,
    )
    return snapshot.operands[largest], arrays[largest], snapshot.layouts[largest]


def _comment(snapshot: Snapshot, suspect: Suspect) -> str:
    if suspect.kind == "random":
        return f"{snapshot.name} draws different numbers for different hidden units."
    if suspect.kind == "operand":
        return f"{snapshot.name} makes equal hidden units different: one operand is not the same."
    if suspect.kind == "write":
        return f"{snapshot.name} changes only some of the equal hidden units."
    return (
        f"{snapshot.name}: all hidden units get the same numbers, and not all get the same result."
    )
