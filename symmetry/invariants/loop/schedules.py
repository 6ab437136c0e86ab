"""Notes on learning rates: a scheduler that is stepped too often ends the training early."""

from __future__ import annotations

from symmetry.invariants.loop.judgement import Judgement
from symmetry.law.note import NoteKind
from symmetry.training.events import Epochs, Exhausted, Scheduled, Updated

SCHEDULE = NoteKind(
    "loop/schedule",
    meaning="A scheduler is stepped with each batch, and the learning rate is almost zero long "
    "before the first epoch ends. Step it once an epoch, or count its steps in batches.",
)
_VANISHED = 1.001e-3  # of the largest rate so far


def note_schedules(epochs: Epochs, judgement: Judgement) -> None:
    """Note schedulers that are stepped with each batch, and end within the first epoch."""
    batches = max(
        (x.batches or 0 for x in epochs.loaders if x.number in epochs.training_loaders), default=0
    )
    updates = len(epochs.of(Updated))
    for kind in dict.fromkeys(e.kind for e in epochs.events if isinstance(e, Scheduled)):
        steps = [e for e in epochs.events if isinstance(e, Scheduled) and e.kind == kind]
        vanishes = _vanishes(steps)
        if vanishes is None or not _with_each_batch(epochs, steps):
            continue
        # Half of what was seen comes behind: the script is not just at its end.
        if 2 * vanishes <= updates and 2 * vanishes <= batches:
            judgement.note(
                SCHEDULE,
                f"{kind} is stepped with each batch, and the learning rate is almost zero "
                f"after {vanishes} of the {batches} batches of the first epoch. Step it once an "
                "epoch, or count its steps in batches.",
                steps[0].at,
            )


def _vanishes(steps: list[Scheduled]) -> int | None:
    """Return after how many steps the rate has vanished; None if it does not."""
    largest = 0.0
    for number, step in enumerate(steps):
        rate = max(step.rates, default=0.0)
        if rate <= _VANISHED * largest:
            return number + 1
        largest = max(largest, rate)
    return None


def _with_each_batch(epochs: Epochs, steps: list[Scheduled]) -> bool:
    """Return whether a scheduler is stepped more often than epochs end."""
    ends = sum(
        isinstance(e, Exhausted) and e.loader in epochs.training_loaders for e in epochs.events
    )
    return len(steps) > ends + 1
