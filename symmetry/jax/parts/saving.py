"""The leaves of the state: all that is saved, and handed on from step to step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from symmetry.jax.jaxprs.averages import Average, averages_in
from symmetry.jax.jaxprs.interpreter import kind_of
from symmetry.jax.jaxprs.step import StepManner
from symmetry.jax.stepper import Stepper
from symmetry.training.capabilities.saving import Dropped, HandingOn, SavedRun, Saving

_ASIDE = 1 + 2**-6  # times the leaves of the start that another run goes on from


class JaxSaving(Saving):
    """Saves the leaves of a run."""

    lacks = "its step depends on values that are not in the state that it returns"
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


class JaxHandingOn(HandingOn):
    """Finds running averages in the jaxpr of a step, whose old values are the same in each step."""

    def __init__(self, stepper: Stepper) -> None:
        self._stepper = stepper

    def dropped(self) -> Sequence[Dropped]:
        """Return the averages that no loss depends on; none if steps are traced by numbers.

        Nor those of a line that computes others on which a loss depends.
        """
        if self._stepper.program.by_number:
            return ()
        averages = self._averages()
        read = {average.at for average in averages if average.is_read}
        found = {average.input: average for average in averages if average.at not in read}
        return [
            Dropped(self._name(number), average.at, average.of_gradients)
            for number, average in found.items()
        ]

    def _averages(self) -> Sequence[Average]:
        traced = self._stepper.traced
        flat = traced.flat(StepManner())
        outputs = dict(zip(flat.outputs, flat.jaxpr.jaxpr.outvars, strict=True))
        steady = dict(self._steady())
        return averages_in(
            flat.jaxpr,
            steady,
            [number for number, value in steady.items() if not np.any(np.asarray(value))],
            traced.parameters,
            # Those of an inner optimiser, too, which may begin anew in each step.
            [variable for name, variable in outputs.items() if name.startswith("gradient.")],
            [variable for name, variable in outputs.items() if name.startswith("loss.")],
            [outputs[name] for name in self._stepper.leaves.outputs()],
            [v for name, v in outputs.items() if name.startswith("aux.") and v.aval.size == 1],
        )

    def _steady(self) -> Iterator[tuple[int, Any]]:
        """Yield the inputs with floating-point numbers that are the same in each step."""
        traced, values = self._stepper.traced, self._stepper.leaves.values
        for number, value in enumerate([*values, *self._stepper.inputs()]):
            stays = number in traced.kept or number >= traced.varying
            if stays and number not in traced.parameters and kind_of(value.dtype) == "f":
                yield number, value

    def _name(self, number: int) -> str:
        names = self._stepper.leaves.names
        if number < len(names):
            return names[number]
        shape = np.shape(self._stepper.inputs()[number - len(names)])
        return f"an array of shape {shape} that it is given"
