"""Saving a run, and going on from there: the leaves of the state are all that is saved."""

from __future__ import annotations

from symmetry.jax.stepper import Stepper
from symmetry.training.capabilities.saving import SavedRun, Saving

_ASIDE = 1 + 2**-6  # times the leaves of the start that another run goes on from


class JaxSaving(Saving):
    """Saves the leaves of a run."""

    lacks = "its step depends on what is no part of the state that it returns"
    cure = "an iterator, or an attribute: make the batch a function of i, and return the rest"

    def __init__(self, stepper: Stepper) -> None:
        self._stepper = stepper

    def save(self) -> SavedRun:
        """Return the leaves."""
        return SavedRun(self._stepper.taken, [*self._stepper.leaves.values])

    def restore(self, saved: SavedRun, *, gradients: bool = False) -> None:  # noqa: ARG002
        """Continue where another run of the same training was saved.

        A step that is not pure first goes there from a start aside: then its data goes on where it
        was, and what it keeps outside of its state, and computes from that, is different.
        """
        stepper = self._stepper
        if stepper.program.by_number:
            leaves = stepper.leaves
            leaves.load({name: array * _ASIDE for name, array in leaves.arrays().items()})
            for _ in range(saved.taken):
                stepper.step()
        stepper.leaves.values, stepper.taken = [*saved.content], saved.taken
