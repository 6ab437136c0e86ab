"""Beginning a run of a training.

A step that is pure, as JAX wants it, is made and traced once: all runs share its program. Whether
it is pure shows when it is traced again, and when its function is called again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import jax
import numpy as np

from symmetry.base.calls import calling, running
from symmetry.base.errors import TrainingError
from symmetry.base.raised import place_of
from symmetry.base.randomness import generators
from symmetry.base.randomness.generators import RandomStates
from symmetry.base.randomness.unseeded import SEEDS, giving_seeds
from symmetry.jax.jaxprs.interpreter import is_key
from symmetry.jax.jaxprs.step import TracedStep
from symmetry.jax.loops.loop_search import UNSEEN, loop_of
from symmetry.jax.made import MadeTraining, made_by
from symmetry.jax.program import NOT_PLAIN, Program
from symmetry.jax.raising import readable
from symmetry.jax.run import JaxRun
from symmetry.jax.user_step import UserStep
from symmetry.training.run import AS_WRITTEN, RunSettings


def begin(
    name: str,
    make: Callable[[], Any],
    settings: RunSettings = AS_WRITTEN,
    cache: dict[Any, Any] | None = None,
) -> JaxRun:
    """Begin a run of the training that a function makes, under seeds of all random numbers.

    Parameters
    ----------
    name, make
        The training's name, for messages, and the function.
    settings
        Those of the run.
    cache
        Where runs of this training keep its programs.

    Raises
    ------
    TrainingError
        If the function raises, or returns anything but a training.
    """
    running.run, running.step = running.run + 1, 0
    known = {} if cache is None else cache
    key = Maker, settings.seed, SEEDS.other
    if key not in known:
        known[key] = Maker.of(name, make, settings.seed)
    maker: Maker = known[key]
    return JaxRun(maker.program(), maker.made_again, settings)


@dataclass
class Maker:
    """Makes the programs of a training.

    Attributes
    ----------
    name, make, seed
        The training's name, its function, and the seed of its random numbers.
    first
        Its first program.
    by_number
        Whether each program traces each of its steps: they are not pure.
    steps
        The steps that programs have traced.
    plain
        The numbers of the leaves of the state that its steps take as plain numbers.
    other
        Whether generators that are made without a seed get other ones than usual.
    in_loop
        Whether the body of a loop that trains is its step.
    """

    name: str
    make: Callable[[], Any]
    seed: int
    first: Program | None = None
    by_number: bool = False
    steps: list[TracedStep] = field(default_factory=list)
    plain: frozenset[int] = frozenset()
    other: bool = field(default_factory=lambda: SEEDS.other)
    in_loop: bool = False

    @classmethod
    def of(cls, name: str, make: Callable[[], Any], seed: int) -> Maker:
        """Make a training, and see whether its step is pure."""
        maker = cls(name, make, seed)
        maker.first = maker.made_again()
        if numbers := maker.first.user_step.plain_numbers:
            maker.plain = maker._handed_on(numbers)
            maker.first = maker.made_again()
        with readable("step(state, 0)"), calling("step", name):
            if maker.first.trains_in_loop:
                maker.in_loop, maker.plain = True, frozenset()
                maker.first = maker.made_again()
            maker.by_number = not _is_pure(maker.first, maker.made_again())
        return maker

    def program(self) -> Program:
        """Return a program for a run: the first one if steps are pure."""
        if self.first is None or self.by_number:
            return self.made_again()
        return self.first

    def made_again(self) -> Program:
        """Call the function once more."""
        choosing = SEEDS.choosing(other=self.other)
        with generators.kept(generators.shared()), giving_seeds(), choosing:
            generators.seed_all(self.seed)
            with readable(f"{self.name}()"), calling("training", self.name):
                user_step = UserStep(self.name, self._made(), self.plain)
            states = RandomStates(generators.states_of(generators.shared()))
        return Program(self.name, user_step, states, self.steps, by_number=self.by_number)

    def _made(self) -> MadeTraining:
        made = made_by(self.name, self.make)
        if not self.in_loop:
            return made
        loop = loop_of(made)  # its objects have taken a part of a step
        return (
            replace(made_by(self.name, self.make), part=UNSEEN) if loop is None else loop.training()
        )

    def _handed_on(self, numbers: frozenset[int]) -> frozenset[int]:
        """Return which plain numbers of the state its step returns as they are.

        They are constants, as the sizes of layers: the step may need them to be plain.
        """
        self.plain = numbers
        program = self.made_again()
        try:
            with calling("step", self.name):
                program.traced(0)
        except Exception:  # of a step that wants arrays in their place
            return frozenset()
        return program.user_step.kept


def _is_pure(program: Program, again: Program) -> bool:
    """Return whether a step is the same whenever it is traced, and for all that is made.

    Raises
    ------
    TrainingError
        If it cannot be traced.
    """
    try:
        first = program.inputs(0, program.given(0))
    except NOT_PLAIN as error:
        raise TrainingError(
            f"its step takes arrays of the state for plain numbers{place_of(error)}: use jnp "
            "there, and return arrays, so that the step can be traced"
        ) from error
    retraced, constants = program.retraced()
    there = program.traced(0)
    if not there.is_same(retraced) or not there.is_same(again.traced(0)):
        return False
    other = again.inputs(0, again.given(0))
    last = first[len(first) - len(constants) :]
    pairs = [*zip(program.start, again.start, strict=True), *zip(first, other, strict=True)]
    return all(_same(*pair) for pair in (*pairs, *zip(last, constants, strict=True)))


def _same(array: Any, other: Any) -> bool:
    if is_key(array.dtype):
        array, other = jax.random.key_data(array), jax.random.key_data(other)
    return np.array_equal(np.asarray(array), np.asarray(other), equal_nan=array.dtype.kind in "fc")
