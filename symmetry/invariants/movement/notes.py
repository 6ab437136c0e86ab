"""Notes on what does not train as it may be meant: usually a mistake, and sometimes a method."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import partial
from itertools import combinations
from typing import Any

import numpy as np

from symmetry.base.errors import TrainingError
from symmetry.base.randomness.random import Random
from symmetry.invariants.movement.gradients import RunGradients, gradients_without
from symmetry.law.note import Note, NoteKind, Proof
from symmetry.observe.source_line import NOWHERE, SourceLine
from symmetry.training.capabilities.flowing import FLAT, Cut, Flow, Flowing, Undoing
from symmetry.training.capabilities.step_events import StepEvents
from symmetry.training.run import Run, needed
from symmetry.training.start import TrainingStart
from symmetry.units import compare
from symmetry.units.state import Array, largest
from symmetry.units.words import count

TARGET = NoteKind(
    "loss/target",
    meaning="The target of a loss requires a gradient, and depends on the parameters that the "
    "output depends on, so it moves towards the output, too. If it is a label, detach() it.",
    why="It stays a note: losses of two views of one sample, and residual gradients, do so on "
    "purpose.",
)
TERM = NoteKind(
    "loss/term",
    meaning="A term that is added to the loss is cut off from the model, as by .item() or "
    "detach(), and trains nothing. Add the tensor itself.",
    proof="It fails the check if the term is added as a number, the loss does not depend on it in "
    "another way, and the gradient is another one with the term itself. A detach() may say that "
    "only the value is wanted.",
)
REPEATED = NoteKind(
    "model/repeated",
    meaning="A list of layers holds one module several times, as [layer] * 3 does: the places "
    "share their parameters. Make a new module for each place.",
)
VIEWS = NoteKind(
    "model/views",
    meaning="A view gives the sizes of a tensor in another order. It does not exchange axes, but "
    "cuts the numbers into rows anew, so that entries of different rows are mixed. Use permute() "
    "or transpose().",
)
CHECKPOINTING = NoteKind(
    "training/checkpointing",
    meaning="No input of a checkpointed block requires a gradient, so nothing in it receives one. "
    "Call checkpoint(..., use_reentrant=False).",
)
CUT = NoteKind(
    "training/cut",
    meaning="The loss depends on a parameter that an optimiser holds, but an operation cuts its "
    "gradient off, so it stays as it is. If it is frozen on purpose, leave it out of the "
    "optimiser.",
    proof="It fails the check if a number, or a copy of numbers, cuts it off, and its gradient is "
    "not zero with the tensor itself. A detach() or a block without gradients may freeze it on "
    "purpose.",
)
TYING = NoteKind(
    "training/tying",
    meaning="Two matrices start with the same numbers and become different, so they are two "
    "parameters. To tie them, assign the parameter itself, not a copy of its data.",
)
KINDS = (TARGET, TERM, REPEATED, VIEWS, CHECKPOINTING, CUT, TYING)

_STREAM = 140  # of the seed
_FAR = 0.01  # times a parameter's largest entry: what it is moved by
_FELT = 1e-6  # of the loss, relative: rounding changes it by less
_REENTRANT = "None of the inputs have requires_grad=True"  # what torch.utils.checkpoint warns of


def notes_on(
    start: TrainingStart,
    seen: RunGradients,
    begun: Mapping[str, Array],
    end: Mapping[str, Array],
    held: frozenset[str],
) -> Iterator[Note | Proof]:
    """Yield the notes on a run that has taken its steps, some of them with their proofs."""
    still = frozenset(
        name
        for name in held & start.baseline.trained & seen.rates.keys()
        if name not in seen.first and compare.identical(begun[name], end[name])
    )
    yield from _cut(start, still - seen.zero, seen.steps)
    yield from _flat(start, still & seen.zero, seen.steps)
    yield from _untied(begun, end, seen)
    if flow := _flow(start, start.baseline.trained):
        yield from _terms(flow)
        yield from _targets(flow)
    yield from start.with_run(_of_model, noise=True)
    yield from _checkpoints(start.baseline.facts.warnings)


def cut_of(start: TrainingStart, names: frozenset[str], steps: int) -> Cut | None:
    """Return the operation that cuts the gradient of these parameters off, if it can be seen.

    In a GAN other losses leave them out on purpose: the last loss before the first update of their
    own optimiser is theirs.
    """
    run = start.begin(noise=True)
    flowing, found = run.capability(Flowing), list[Cut]()
    if flowing is None or start.baseline.compiles:
        return None
    with suppress(TrainingError), flowing.followed(names) as followed:

        def look(optimizer: Any) -> None:
            if not names.isdisjoint(optimizer.rates()):
                found.extend(followed.flow.cuts[-1:])

        with needed(run, StepEvents).listening(before_update=look):
            for _ in range(steps):
                if not found:
                    run.step()
    run.close()
    return found[0] if found else None


def _flow(start: TrainingStart, names: frozenset[str]) -> Flow | None:
    """Return how the first loss depends on parameters; compiled code shows nothing."""
    if start.baseline.compiles:
        return None

    def flow(run: Run) -> Flow | None:
        flowing = run.capability(Flowing)
        if flowing is None:
            return None
        try:
            with flowing.followed(names) as followed:
                run.step()
        except TrainingError:  # what stands between functions is not for every training
            return None
        finally:
            run.close()
        return followed.flow

    return start.with_run(flow, noise=True)


def _cut(start: TrainingStart, idle: frozenset[str], steps: int) -> Iterator[Note | Proof]:
    """Note parameters that change the loss, are held, and never receive a gradient.

    A detach() or a block without gradients may freeze them on purpose. A number or a copy of the
    numbers is no way to say so.
    """
    if not (idle and matter(start, idle)):
        return
    cut = cut_of(start, idle, steps)
    never = "never receives a gradient" if cut else f"receives no gradient in {steps} steps"
    note = _unreached(idle, f"it {never}", cut)
    if cut is None or not cut.numbers:
        yield note
        return
    first = min(idle).removeprefix("model.")
    text = f"with the tensor in place of {cut.operation} the gradient of {first} is not zero"
    yield Proof(note, text, lambda start: _is_reached(start, cut, idle))


def _is_reached(start: TrainingStart, cut: Cut, idle: frozenset[str]) -> bool:
    """Return whether parameters get a gradient without the operation that cuts it off."""
    found = gradients_without(start, cut)
    return any(largest(found.get(name, np.zeros(1))) > 0 for name in idle)


def _flat(start: TrainingStart, zero: frozenset[str], steps: int) -> Iterator[Note]:
    """Note parameters that only receive zeros, through an operation like sign() or round()."""
    cut = cut_of(start, zero, steps) if zero else None
    if cut is not None and cut.cure == FLAT:
        yield _unreached(zero, "all its gradients are zero", cut)


def _unreached(names: frozenset[str], receives: str, cut: Cut | None) -> Note:
    first = min(names).removeprefix("model.")
    more = f" and {count(len(names) - 1, 'other parameter')}" if len(names) > 1 else ""
    by = f", since {cut.operation}{_at(cut.place)} cuts the gradient off" if cut else ""
    text = (
        f"an optimiser holds {first}{more}, and the loss depends on it, but {receives}{by}: it "
        "stays as it is. If it is frozen on purpose, leave it out of the optimiser."
    )
    return CUT.at(text, cut.place if cut else NOWHERE)


def matter(start: TrainingStart, names: frozenset[str]) -> bool:
    """Return whether the first loss is another one if these parameters move a little."""
    random, changed = Random(start.seed, _STREAM), dict[str, Array]()
    for name in sorted(names):
        array = start.state[name]
        shift = random.uniform(array.shape, -_FAR, _FAR) * (largest(array) or 1.0)
        changed[name] = (array + shift).astype(array.dtype)
    one, other = (start.with_run(_first_loss, state, noise=True) for state in ({}, changed))
    return abs(one - other) > _FELT * (abs(one) + abs(other))


def _first_loss(run: Run) -> float:
    run.step()
    run.close()
    return run.loss or 0.0


def _untied(
    begun: Mapping[str, Array], end: Mapping[str, Array], seen: RunGradients
) -> Iterator[Note]:
    """Note two matrices that start with the same bits, and go apart.

    Layers that were copied differ by their number alone: they are not meant to be one.
    """
    own = (name for name in seen.first if name in begun and name.startswith("model."))
    trained = [name for name in own if begun[name].ndim > 1 and _varies(begun[name])]
    for one, other in combinations(trained, 2):
        if _bare(one) == _bare(other) or begun[one].shape != begun[other].shape:
            continue
        if compare.identical(begun[one], begun[other]) and not compare.identical(
            end[one], end[other]
        ):
            a, b = (name.removeprefix("model.") for name in (one, other))
            text = (
                f"{a} and {b} start with the same numbers and become different: they are two "
                f"parameters. To tie them, assign the parameter itself, not a copy of its data."
            )
            yield TYING.at(text)
            return


def _varies(array: Array) -> bool:
    return bool((array != array.flat[0]).any())


def _bare(name: str) -> str:
    return re.sub(r"\d+", "", name.partition(".")[2])


def _terms(flow: Flow) -> Iterator[Note | Proof]:
    for cut in flow.terms[:1]:
        passes = "create_graph" in cut.operation
        cure = "Pass it." if passes else "Add the tensor itself."
        text = (
            f"{cut.operation}{_at(cut.place)} cuts a term of the loss off from the model: it is "
            f"added to the loss and trains nothing. {cure}"
        )
        note = TERM.at(text, cut.place)
        if not cut.numbers:  # a detach() may say that only the value is wanted
            yield note
            return
        proof = "with the term itself the first gradient is another one"
        yield Proof(note, proof, partial(_trains, cut=cut))


def _trains(start: TrainingStart, cut: Cut) -> bool:
    """Return whether a term changes the gradient once it is not cut off.

    Where the loss also depends on the term's tensor in another way, only its value may be meant to
    be another one, as in ``x + (y - x).detach()``.
    """
    run = start.begin(noise=True)
    with needed(run, Undoing).cutting(cut) as found:
        run.step()
    run.close()
    if not found.times or found.is_used:
        return False
    one, other = gradients_without(start, None), gradients_without(start, cut)
    return any(
        largest(other[name] - one.get(name, np.zeros(1))) > _FELT * largest(other[name])
        for name in other
    )


def _targets(flow: Flow) -> Iterator[Note]:
    for target in flow.targets[:1]:
        text = (
            f"the target of {target.function}{_at(target.place)} requires a gradient, and depends "
            "on the parameters that the output depends on: the target moves towards the output, "
            "too. If it is a label, detach() it."
        )
        yield TARGET.at(text, target.place)


def _of_model(run: Run) -> list[Note]:
    """Return the notes on the modules of a run, and on the views of its first step."""
    if (flowing := run.capability(Flowing)) is None:
        return []
    return [*_repeated(flowing.repeated_modules), *_views(run, flowing)]


def _repeated(paths: tuple[str, ...]) -> Iterator[Note]:
    if paths:
        text = (
            f"{paths[0]} is the same module as an earlier one of its list: they share their "
            "parameters. Make a new module for each place, as [nn.Linear(8, 8) for _ in range(3)] "
            "does and [nn.Linear(8, 8)] * 3 does not."
        )
        yield REPEATED.at(text)


def _views(run: Run, flowing: Flowing) -> Iterator[Note]:
    """Note the first view of the first step that puts sizes in another order."""
    with suppress(TrainingError), flowing.permuting_views() as seen:
        run.step()
    run.close()
    for before, after, place in seen[:1]:
        text = (
            f"a view{_at(place)} turns the shape {before} into {after}: it does not exchange axes, "
            "but cuts the numbers into rows anew, so that entries of different rows are mixed. Use "
            "permute() or transpose()."
        )
        yield VIEWS.at(text, place)


def _checkpoints(warnings: tuple[str, ...]) -> Iterator[Note]:
    if any(_REENTRANT in text for text in warnings):
        text = (
            "no input of a checkpointed block requires a gradient, so nothing in it receives one: "
            "call checkpoint(..., use_reentrant=False)."
        )
        yield CHECKPOINTING.at(text)


def _at(place: SourceLine) -> str:
    return f" ({place})" if place.file else ""
