"""The judgement of a law on a run over whole epochs, and the measurement made from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import wraps

from symmetry.law.measurement import Measurement, Violation
from symmetry.law.note import Note
from symmetry.observe.source_line import SourceLine
from symmetry.training.events import Epochs, Updated
from symmetry.training.start import TrainingStart
from symmetry.units.words import count

_NO_LOOP = 'only a script in PyTorch, or a function that returns {"evaluate": evaluate}, has a loop'
_NO_SCRIPT = "only a script in PyTorch has a loop that can be run"
_NO_UPDATES = "the run over whole epochs made no update"


@dataclass(frozen=True)
class Accusation:
    """A mistake that the events prove: one or two sentences with its cause and cure, and a line."""

    text: str
    at: SourceLine
    mechanism: str = ""


@dataclass
class Judgement:
    """The judgement of a law on a run.

    Attributes
    ----------
    accusations
        Mistakes; the law holds without any.
    notes
        Facts that are usually mistakes.
    applies
        Whether there was anything in the run that the law speaks about.
    why
        Why it does not apply, or cannot judge.
    """

    accusations: list[Accusation] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    applies: bool = True
    why: str = ""

    def accuse(self, text: str, at: SourceLine, mechanism: str = "") -> None:
        """Add a mistake, once a line; ``mechanism`` is explained at ``Violation``."""
        if all(each.at != at for each in self.accusations):
            self.accusations.append(Accusation(text, at, mechanism))

    def note(self, name: str, text: str, at: SourceLine) -> None:
        """Add a note, once."""
        note = Note(name, text, *at.reference)
        if note not in self.notes:
            self.notes.append(note)


Law = Callable[[Epochs], Judgement]


def measured(law: Law, of_functions: bool = False) -> Callable[[TrainingStart], Measurement]:
    """Return the measure of a law: all of them look at one run over whole epochs.

    A law ``of_functions`` is judged on functions with evaluations between their steps, too.
    """

    @wraps(law)
    def measure(start: TrainingStart) -> Measurement:
        if not (of_functions or start.target.sequential):
            return Measurement(counted=False, note=_NO_SCRIPT, applies=False)
        epochs = start.target.epochs(start.seed)
        if epochs is None:
            return Measurement(counted=False, note=_NO_LOOP, applies=False)
        if not (updates := epochs.of(Updated)):
            return Measurement(counted=False, note=_NO_UPDATES, applies=False)
        judgement = law(epochs)
        if epochs.error and judgement.applies:
            judgement.why = f"after {count(len(updates), 'update')} it fails: {epochs.error}"
        return as_measurement(judgement)

    return measure


def as_measurement(judgement: Judgement) -> Measurement:
    """Return the measurement of a judgement: its first mistake, with the lines of the others."""
    notes = tuple(judgement.notes)
    if judgement.accusations:
        first, *others = judgement.accusations
        text = first.text
        if others:
            text = f"{text} The same holds at {', '.join(str(each.at) for each in others)}."
        file, line = first.at.reference
        violation = Violation(text, 0, "", file=file, line=line, mechanism=first.mechanism)
        return Measurement(counted=True, violation=violation, notes=notes)
    if not judgement.applies:
        return Measurement(counted=False, note=judgement.why, applies=False, notes=notes)
    if judgement.why:
        return Measurement(counted=False, note=f"cannot judge: {judgement.why}", notes=notes)
    return Measurement(counted=True, notes=notes)
