"""Facts that the runs of a training show, beside what is measured on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from symmetry.base import devices
from symmetry.base.devices import Substitution
from symmetry.base.randomness.held_seeds import HeldSeeds
from symmetry.sandbox.source import Source
from symmetry.training.events import Backward, Batch, Called, Epochs, Exhausted, Saved, Updated


@dataclass(frozen=True)
class Covered:
    """Numbers of what was seen at work in the first steps, and in a run over shortened epochs."""

    losses: int = 0  # lines that differentiate one
    parameters: int = 0  # numbers that are trained
    batches: int = 0  # different ones that a loader gave, or a model was called with
    evaluations: int = 0  # calls of models without gradients
    updates: int = 0
    epochs: int = 0  # of a loader that trains
    steps: int = 0  # that are repeated and compared, from the first one on

    def with_parameters(self, number: int) -> Covered:
        """Return the same with a number of trained numbers, unless the run over epochs has one."""
        return replace(self, parameters=self.parameters or number)


@dataclass(frozen=True)
class RunFacts:
    """Facts that runs have shown so far; empty where nothing is known."""

    substitution: Substitution | None = None  # how they run, where the machine lacks something
    part: str = ""  # which part of the user's step they take, in words; empty for all of it
    warnings: tuple[str, ...] = ()  # of the target's libraries, each once
    without_seed: tuple[str, ...] = ()  # libraries whose random numbers a script does not seed
    # Lines that seed with another number in each run, and the numbers that all runs get.
    held_seeds: Mapping[str, float] = field(default_factory=dict)
    is_seeded: bool = True  # whether a line seeds a generator, with the same number in each run
    held: tuple[str, ...] = ()  # what else all runs get in a check, and no other run, in lines
    rounded: str = ""  # where they differ from a plain run by rounding
    resume_option: str = ""  # of a script that saves, by which it may be resumed and was not
    covered: Covered = Covered()  # which parts of a training were seen at work


def of_epochs(runs: Sequence[Epochs]) -> RunFacts:
    """Return what runs over whole epochs have at work: the first one, if there is one."""
    return RunFacts(covered=_covered(runs[0])) if runs else RunFacts()


def of_script(source: Source, runs: Sequence[Epochs], seeds: HeldSeeds) -> RunFacts:
    """Return what runs of a script over whole epochs show, and what it seeds with."""
    saves = any(epochs.has_saved or epochs.of(Saved) for epochs in runs)
    return replace(
        of_epochs(runs),
        without_seed=runs[0].without_seed if runs else (),
        held_seeds=dict(seeds.changing),
        is_seeded=seeds.fixed,
        resume_option=source.resume_option if saves and source.resume_with is None else "",
    )


def united(found: Sequence[RunFacts]) -> RunFacts:
    """Return what runs show that are in several processes, or in several precisions."""
    first, *_ = found
    return RunFacts(
        substitution=devices.united(each.substitution for each in found),
        part=next(filter(None, (each.part for each in found)), ""),
        warnings=tuple(dict.fromkeys(text for each in found for text in each.warnings)),
        without_seed=next(filter(None, (each.without_seed for each in found)), ()),
        held_seeds={line: n for each in found for line, n in each.held_seeds.items()},
        is_seeded=first.is_seeded,
        held=tuple(dict.fromkeys(text for each in found for text in each.held)),
        rounded=first.rounded,
        resume_option=next(filter(None, (each.resume_option for each in found)), ""),
        covered=max((each.covered for each in found), key=lambda covered: covered.updates),
    )


def _covered(epochs: Epochs) -> Covered:
    trained = epochs.training_loaders
    batches = {e.digest for e in epochs.events if isinstance(e, Batch) and e.loader in trained}
    calls = [event for event in epochs.events if isinstance(event, Called)]
    ends = [e for e in epochs.events if isinstance(e, Exhausted) and e.loader in trained]
    return Covered(
        losses=len({e.at for e in epochs.events if isinstance(e, Backward)}),
        parameters=sum(model.parameters for model in epochs.models if model.is_trained),
        batches=len(batches or {call.digest for call in calls if call.gradient}),
        evaluations=sum(not call.gradient for call in calls),
        updates=len(epochs.of(Updated)),
        epochs=len(ends),
    )
