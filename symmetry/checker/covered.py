"""The extent of a check: which parts of a training it has seen at work."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from symmetry.training.events import Backward, Batch, Called, Epochs, Exhausted, Updated


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


def covered_by(runs: Iterable[Epochs], steps: int) -> Covered:
    """Return the extent of a check: its steps, and the first run over epochs."""
    for epochs in runs:
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
            steps=steps,
        )
    return Covered(steps=steps)
