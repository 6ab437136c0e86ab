"""What is known of the operation that broke the symmetry: a run that records it, and its replay."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from numpy.typing import NDArray

from symmetry.culprit import facts, story
from symmetry.culprit.detect import Detector
from symmetry.culprit.explanation import Culprit, Operand, Weight
from symmetry.culprit.layout import Firsts, alike
from symmetry.culprit.lineage import Parting, ancestors, parting
from symmetry.culprit.reproduce import script, script_of_two
from symmetry.culprit.script import Script
from symmetry.culprit.snapshot import Snapshot
from symmetry.culprit.suspect import Step, Suspect

Array = NDArray[Any]


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
        operation=story.named(step),
        iteration=earlier + step.iteration,
        cause=story.cause(suspect, snapshot.name),
        operands=_operands(snapshot, firsts),
        result=facts.operand(result, suspect.layout, firsts),
        asymmetry=suspect.asymmetry,
        remarks=tuple(story.remarks(recorder.steps, suspect)),
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


def _replay(culprit: Culprit, snapshot: Snapshot, suspect: Suspect, firsts: Firsts) -> Culprit:
    """Do the operation alone, on the same operands, and write the script."""
    again = _judged(suspect, *snapshot.replay())
    result = _judged(suspect, snapshot.results, snapshot.after)
    reproduced = not alike(again, suspect.layout, firsts)
    return replace(
        culprit,
        replayed=_in_words(result, again, reproduced=reproduced),
        reproduced=reproduced,
        **_written(script(snapshot, suspect, story.comment(suspect, snapshot.name)), snapshot),
    )


def _written(found: Script | None, snapshot: Snapshot) -> dict[str, Any]:
    """Return what a culprit has to say of its script."""
    if found is not None:
        return {"script": found.text, "script_shows": found.shows}
    if snapshot.operation.module == "jax":
        return {"without_script": "scripts are written for PyTorch and NumPy only"}
    return {"without_script": "no operands short enough to print show it"}


def _replay_parted(
    culprit: Culprit, detector: Detector, suspect: Suspect, parted: Parting, firsts: Firsts
) -> Culprit:
    """Tell the story of two units that were made apart, and do both operations alone."""
    steps = detector.steps
    odd, usual = (detector.snapshots[index] for index in (parted.odd, parted.usual))
    same = all(
        facts.identical(again, recorded)
        for snapshot in (odd, usual)
        for again, recorded in zip(snapshot.replay()[0], snapshot.results, strict=True)
    )
    return replace(
        culprit,
        cause=story.parting_cause(parted, steps, suspect.units),
        operands=_operands(odd, firsts),
        remarks=(f"the units are brought together by {story.at(steps[suspect.index])}",),
        replayed="both calls return the same bits again" if same else "they return other bits",
        reproduced=same,
        **_written(script_of_two(odd, usual, story.parting_comment(parted, steps)), odd),
    )


def _in_words(result: Array, again: Array, *, reproduced: bool) -> str:
    if not reproduced:
        return "done alone on the same operands it is symmetric"
    if facts.identical(result, again):
        return "done alone on the same operands it returns the same bits"
    return "done alone on the same operands it is asymmetric again, with other numbers"
