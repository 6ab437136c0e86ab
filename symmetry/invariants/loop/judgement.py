"""The judgement of an invariant on a run over whole epochs, and the measurement made from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import wraps

from symmetry.invariants.invariant import WRITTEN, TrainingInvariant
from symmetry.law.invariant import Statement
from symmetry.law.measurement import Measurement, Violation
from symmetry.law.note import Excuse, Note, NoteKind, Proof
from symmetry.observe.source_line import SourceLine
from symmetry.training.events import Epochs, Updated
from symmetry.training.start import TrainingStart
from symmetry.units.words import count

_SCRIPTS = "scripts"
_BOTH = "scripts, and functions with evaluate"
_NO_LOOP = (
    'only a script whose steps are calls, or a function that returns {"evaluate": evaluate}, has a '
    "loop"
)
_NO_SCRIPT = "only a script has a loop that can be run"
_NO_UPDATES = "no optimiser made an update in the run over whole epochs"


@dataclass(frozen=True)
class Accusation:
    """A mistake that the events prove: one or two sentences with its cause and cure, and a line."""

    text: str
    at: SourceLine
    mechanism: str = ""


@dataclass
class Judgement:
    """The judgement of an invariant on a run."""

    # Mistakes; the invariant holds without any.
    accusations: list[Accusation] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)  # facts that are usually mistakes
    proofs: list[Proof] = field(default_factory=list)  # of some of them
    applies: bool = True  # whether there was anything in the run that the invariant speaks about
    why: str = ""  # why it does not apply, or cannot judge
    spared: list[tuple[Excuse, SourceLine]] = field(default_factory=list)  # and where

    def spare(self, excuse: Excuse, at: SourceLine) -> None:
        """Accuse nothing at a line, for this excuse."""
        if (excuse, at) not in self.spared:
            self.spared.append((excuse, at))

    def accuse(self, text: str, at: SourceLine, mechanism: str = "") -> None:
        """Add a mistake, once a line; ``mechanism`` is explained at ``Violation``."""
        if all(each.at != at for each in self.accusations):
            self.accusations.append(Accusation(text, at, mechanism))

    def note(
        self,
        kind: NoteKind,
        text: str,
        at: SourceLine,
        proof: str = "",
        holds: Callable[[TrainingStart], bool] = lambda _: True,
    ) -> None:
        """Add a note, once; with a ``proof`` it is a violation if that ``holds``."""
        note = kind.at(text, at)
        if note not in self.notes:
            self.notes.append(note)
            if proof:
                self.proofs.append(Proof(note, proof, holds))


Judge = Callable[[Epochs], Judgement]


def loop_invariant(
    words: Statement, judge: Judge, *, of_functions: bool = False
) -> TrainingInvariant:
    """Return an invariant of the loop, which is judged on one run over whole epochs.

    One ``of_functions`` is judged on functions with evaluations between their steps, too.
    """
    words = replace(
        words,
        targets=_BOTH if of_functions else _SCRIPTS,
        failure="goes wrong beyond its first steps",
    )
    return TrainingInvariant(
        **vars(words),
        measure=measured(judge, of_functions=of_functions),
        dtypes=WRITTEN,
        runs=1,
        scripts=not of_functions,
    )


def measured(judge: Judge, *, of_functions: bool = False) -> Callable[[TrainingStart], Measurement]:
    """Return the measure of an invariant: all look at one run over whole epochs."""

    @wraps(judge)
    def measure(start: TrainingStart) -> Measurement:
        if not (of_functions or start.target.has_loop):
            return Measurement.not_applicable(_NO_SCRIPT)
        epochs = start.target.epochs(start.seed)
        if epochs is None:
            return Measurement.not_applicable(_NO_LOOP)
        return judged(judge, epochs)

    return measure


def judged(judge: Judge, epochs: Epochs) -> Measurement:
    """Return the measurement of an invariant on a run."""
    if not (updates := epochs.of(Updated)):
        return Measurement.not_applicable(_NO_UPDATES)
    judgement = judge(epochs)
    if epochs.error and judgement.applies:
        why = f": {epochs.error}" if epochs.failure is None else ""
        judgement.why = f"after {count(len(updates), 'update')} it fails{why}"
    return as_measurement(judgement)


def as_measurement(judgement: Judgement) -> Measurement:
    """Return the measurement of a judgement: its first mistake, with the lines of the others."""
    notes, proofs = tuple(judgement.notes), tuple(judgement.proofs)
    if judgement.accusations:
        first, *others = judgement.accusations
        text = first.text
        if others:
            text = f"{text} The same holds at {', '.join(str(each.at) for each in others)}."
        also = tuple(each.at.reference for each in others)
        violation = Violation.at(text, first.at, 0, also=also, mechanism=first.mechanism)
        return Measurement(counted=True, violation=violation, notes=notes)
    if not judgement.applies:
        return Measurement.not_applicable(judgement.why, notes=notes)
    if judgement.why:
        return Measurement.cannot_judge(judgement.why, notes=notes, proofs=proofs)
    excuse = "; ".join(f"{at}: {excuse.sentence}" for excuse, at in judgement.spared)
    return Measurement(counted=True, notes=notes, note=excuse, proofs=proofs)
