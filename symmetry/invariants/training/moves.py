"""``training/moves``: every parameter with a gradient moves, and something has one.

Example: ``model.fc = nn.Linear(16, 5)`` after ``SGD(model.parameters())``. The optimiser holds the
old head, and the new one stays as it starts. Make the optimiser of the final model.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple

from symmetry.invariants.invariant import WRITTEN, TrainingInvariant
from symmetry.invariants.movement import notes, undeclared
from symmetry.invariants.movement.gradients import (
    RunGradients,
    gradients_observed,
    responses_of,
)
from symmetry.invariants.movement.notes import cut_of, notes_on
from symmetry.invariants.movement.undeclared import moves_undeclared
from symmetry.law.measurement import Measurement, Violation
from symmetry.law.note import NoteKind, Proof
from symmetry.observe.source_line import NOWHERE, SourceLine
from symmetry.training.capabilities.flowing import Cut, Flowing, Undoing
from symmetry.training.capabilities.model import Creation, Freezing, Layered, Optimizing
from symmetry.training.capabilities.step_events import StepEvents
from symmetry.training.observers import Observation, observer
from symmetry.training.run import Run, needed
from symmetry.training.start import TrainingStart
from symmetry.units import compare
from symmetry.units.state import Array, largest
from symmetry.units.words import count

_PLAIN = "what follows has no gradient: leave it out on the way to the loss"
UNHELD = NoteKind(
    "training/unheld",
    meaning="No optimiser holds the parameters of a module, though backward() computes gradients "
    "for them. Give them to an optimiser; a module in a plain list belongs into an nn.ModuleList. "
    "If it is frozen on purpose, call requires_grad_(False).",
    proof="It fails the check if others are trained through the module, in training mode, and its "
    "weights are random as its layers draw them. A module before all that is trained may be an "
    "encoder that stays, and a trained one may judge the others.",
)


def moves(start: TrainingStart) -> Measurement:
    """Look for a parameter that has a real gradient, and stays; and for a run without any."""
    run = start.observed(_taken)
    if isinstance(run, Measurement):
        return run
    if run is None:
        return moves_undeclared(start)
    held, trainable, begun, seen, end = run.held, run.trainable, run.begun, run.seen, run.end
    still = [n for n in trainable if compare.identical(begun[n], end[n])]
    if still == trainable and held.isdisjoint(trainable):
        if any(not compare.identical(begun[n], end[n]) for n in held & end.keys()):
            return Measurement.cannot_judge("the parameters of the optimisers require no gradient")
        message = "nothing that the optimisers hold is a parameter of the model that can be trained"
        return Measurement.violated(Violation.at(message, run.optimizer, array=next(iter(begun))))
    if not run.updates:
        return Measurement(False, note=f"no optimiser stepped within {seen.steps} steps")
    own = frozenset(n for n in trainable if n in held)
    if own and own <= {*still} and (found := _nothing_moves(start, seen, own, run.loss)):
        return found
    suspects = {n: seen.first[n] for n in still if n in seen.first and largest(seen.first[n]) > 0}
    found = _unmoved(start, seen, suspects, begun, held)
    if found.violation is not None:
        return found
    more = [*found.proofs, *notes_on(start, seen, begun, end, held)]
    notes = [each.note if isinstance(each, Proof) else each for each in more]
    proofs = tuple(each for each in more if isinstance(each, Proof))
    return replace(found, notes=tuple(notes), proofs=proofs)


INVARIANT = TrainingInvariant(
    name="training/moves",
    statement="every parameter that requires a gradient and received a real one moves",
    reason="an optimiser holds all parameters that are to be trained",
    witness="an optimiser step within K",
    cause="no optimiser holds these parameters, or the loss is cut off from them",
    cure="Give the parameters to the optimiser, and leave out detach(), item() and no_grad().",
    targets="PyTorch and JAX trainings",
    notes=(UNHELD, *notes.KINDS, *undeclared.KINDS),
    needs=(Optimizing,),
    cheap=True,
    measure=moves,
    dtypes=WRITTEN,
    runs=1,
)


class _Taken(NamedTuple):
    """A run that has taken its steps."""

    held: frozenset[str]  # by an optimiser
    trainable: Sequence[str]
    begun: dict[str, Array]
    seen: RunGradients
    end: dict[str, Array]
    loss: float | None
    updates: int
    optimizer: SourceLine  # where the first one was made


@observer
def _taken(run: Run, steps: int) -> Observation[_Taken | Measurement | None]:
    """Take the steps of a run; None if its parameters do not show whether they are frozen."""
    optimizing, freezing = needed(run, Optimizing), run.capability(Freezing)
    if not optimizing.optimizers:
        return Measurement.not_applicable(Optimizing.absent)
    if freezing is None:
        return None
    trainable = [name for name in run.parameters if name in freezing.trainable]
    held, begun = optimizing.held, run.parameter_arrays()
    seen = yield from gradients_observed(run, steps)
    made = next(iter(optimizing.optimizers.values())).creation
    updates = needed(run, StepEvents).updates
    end = run.parameter_arrays()
    return _Taken(held, trainable, begun, seen, end, run.loss, updates, made.place)


def _nothing_moves(
    start: TrainingStart, seen: RunGradients, own: frozenset[str], loss: float | None
) -> Measurement | None:
    """Say why nothing moves that an optimiser holds; None if a gradient and a rate are there."""
    first = min(own)
    if seen.lost(own):
        text = (
            "backward leaves gradients, and no update finds any: is zero_grad() called between "
            "backward() and step()?"
        )
        return Measurement.violated(Violation(text, 1, first))
    if not seen.reach(own):
        if loss == 0:
            return Measurement.cannot_judge("the loss is 0, and there is nothing to learn")
        return _unreached(start, seen, own)
    if not seen.without_rate:
        return None
    if seen.scheduled:
        why = f"all learning rates are 0 in the first {seen.steps} steps"
        return Measurement.cannot_judge(why)
    text = (
        f"nothing can move: the rate is 0 at each update of the first {seen.steps} steps, and "
        "nothing sets another one. Give the optimiser a learning rate above zero."
    )
    return Measurement.violated(Violation.at(text, _optimizer_of(first, start), array=first))


def _unreached(start: TrainingStart, seen: RunGradients, own: frozenset[str]) -> Measurement:
    """Say that no gradient reaches the held parameters: where it is cut off, or that it is zero."""
    cut = cut_of(start, own, seen.steps)
    if not seen.zero.isdisjoint(own):
        text = (
            "nothing can move: all gradients of the optimisers' parameters are zero behind "
            "backward(), so the loss does not respond to any parameter"
        )
    else:
        text = (
            "nothing can move: no backward() reaches a parameter that an optimiser holds, so the "
            "loss was made without a history that leads to the model"
        )
    if cut is not None:
        text += f". {cut_off(cut)}"
    place = NOWHERE if cut is None else cut.place
    return Measurement.violated(Violation.at(text, place, array=min(own)))


def cut_off(cut: Cut) -> str:
    """Say where the gradient is cut off, and what to do about it."""
    at = f" ({cut.place})" if cut.place.file else ""
    return f"{cut.operation}{at} cuts the gradient off: {cut.cure or _PLAIN}."


def _unmoved(
    start: TrainingStart,
    seen: RunGradients,
    suspects: dict[str, Array],
    begun: dict[str, Array],
    held: frozenset[str],
) -> Measurement:
    """Accuse the first parameter whose gradient is more than rounding, and that does not move.

    A network of its own that no optimiser holds may be frozen on purpose, as the encoder of a
    linear probe: that is a note, unless two optimisers that step hold the same parameters.
    """
    responses, aside = responses_of(suspects, start), list[str]()
    for name, gradient in suspects.items():
        size, eps = largest(gradient), start.baseline.precision[name]
        if size <= max(responses[name], eps * 1e-3):
            continue
        if name not in held:
            network, twice = _network_aside(name, held, start), seen.twice
            if network and twice is None:
                aside.append(network)
                continue
            why, place = _held_twice(*twice) if network and twice else _not_held(name, start)
        elif seen.rates[name] and seen.rates[name] * size > eps * largest(begun[name]):
            why, place = f"its learning rate is {seen.rates[name]:.3g}", _optimizer_of(name, start)
        else:
            continue
        message = (
            f"{name} has a gradient of up to {size:.3g} and does not move in {seen.steps} "
            f"steps: {why}"
        )
        return Measurement.violated(Violation.at(message, place, seen.steps, name))
    proofs = tuple(_unheld(dict.fromkeys(aside), start))
    return Measurement(counted=True, notes=tuple(each.note for each in proofs), proofs=proofs)


def _held_twice(one: Creation, other: Creation) -> tuple[str, SourceLine]:
    """Say that two optimisers hold the same parameters, and where the second one is made."""
    lines = f"{one.place} and {other.place}"
    why = f"no optimiser holds it, and two hold the same parameters ({lines})"
    return f"{why}: give one of them this network's", other.place


def _not_held(name: str, start: TrainingStart) -> tuple[str, SourceLine]:
    """Say that no optimiser holds a parameter, and whether it was made after all of them."""
    run = start.begin(noise=True)
    layered, optimizing = needed(run, Layered), needed(run, Optimizing)
    module = layered.creation(name)
    last = max(
        (each.creation for each in optimizing.optimizers.values()), key=lambda made: made.number
    )
    if not last.number or module.number < last.number:
        return "no optimiser holds it", last.place
    after = f"it was made after the optimiser ({last.place})"
    return (
        f"no optimiser holds it, since {after}: make the optimiser of the final model",
        module.place,
    )


def _optimizer_of(name: str, start: TrainingStart) -> SourceLine:
    """Return the line at which the optimiser of a parameter was made."""
    optimizers = needed(start.begin(noise=True), Optimizing).optimizers.values()
    return next((each.creation.place for each in optimizers if name in each.rates()), NOWHERE)


def _network_aside(name: str, held: frozenset[str], start: TrainingStart) -> str:
    """Return the network of a parameter, if no optimiser holds any of it, but others."""
    flowing = start.begin(noise=True).capability(Flowing)
    networks = () if flowing is None else flowing.networks()
    network = next((each for each in networks if name.startswith(each)), "")
    return "" if any(other.startswith(network) for other in held) else network[:-1]


def _unheld(networks: Collection[str], start: TrainingStart) -> Iterator[Proof]:
    """Note the networks that no optimiser holds, those of one line together."""
    if not networks:
        return
    layered, lines = needed(start.begin(noise=True), Layered), dict[SourceLine, list[str]]()
    for network in networks:
        # The path of one of its parameters: its own line, not the line of a layer in it.
        lines.setdefault(layered.creation(f"{network}.weight").place, []).append(network)
    for place, made in lines.items():
        first, *others = (network.removeprefix("model.") for network in made)
        more = f" and {count(len(others), 'other module')}" if others else ""
        at = f" (made at {place})" if place.file else ""
        text = (
            f"no optimiser holds a parameter of {first}{more}{at}, though backward() computes "
            "gradients for it: it stays as it is. Give its parameters to an optimiser; a module "
            "in a plain list belongs into an nn.ModuleList. Or, if it is frozen on purpose, call "
            f"{first}.requires_grad_(False)."
        )
        proof = (
            f"its weights are random, as its layers were made, and {first} lies between "
            "trained parameters and the loss: with an optimiser it moves"
        )
        yield Proof(UNHELD.at(text, place), proof, partial(_is_forgotten, networks=made))


def _is_forgotten(start: TrainingStart, networks: Collection[str]) -> bool:
    """Return whether a network was never trained, and others are trained through it.

    A network before them may be a random or a pretrained encoder, and one that was loaded may
    judge what the others make.
    """
    return any(
        needed(start.begin(noise=True), Undoing).is_initial(name)
        and needed(start.begin(noise=True), Undoing).is_on_the_way(name)
        for name in (network.removeprefix("model.") for network in networks)
    )
