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

from symmetry.base import libraries
from symmetry.base.calls import calling, running
from symmetry.base.errors import TrainingError
from symmetry.base.raised import place_of
from symmetry.base.randomness import generators
from symmetry.base.randomness.generators import RandomStates
from symmetry.base.randomness.unseeded import SEEDS, giving_seeds
from symmetry.jax.executables import Executables
from symmetry.jax.jaxprs.interpreter import is_key
from symmetry.jax.jaxprs.step import TracedStep
from symmetry.jax.loop_training import UNSEEN, loop_of
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
        shared = known.setdefault(Executables, Executables()), known.setdefault(TracedStep, [])
        known[key] = Maker.of(name, make, settings.seed, *shared)
    maker: Maker = known[key]
    return JaxRun(maker.program(), maker.anew, settings)


@dataclass
class Maker:
    """Makes the programs of a training.

    Attributes
    ----------
    name, make, seed
        The training's name, its function, and the seed of its random numbers.
    executables
        What the user's code has compiled.
    steps
        The steps that programs have traced.
    first, again
        Its first program, and one that traces each of its steps anew.
    by_number
        Whether each program traces each of its steps: they are not pure.
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
    executables: Executables
    steps: list[TracedStep]
    first: Program | None = None
    again: Program | None = None
    by_number: bool = False
    plain: frozenset[int] = frozenset()
    other: bool = field(default_factory=lambda: SEEDS.other)
    in_loop: bool = False

    @classmethod
    def of(cls, *arguments: Any) -> Maker:
        """Make a training, and see whether its step is pure."""
        maker = cls(*arguments)
        maker.first = maker.made_again()
        if numbers := maker.first.user_step.plain_numbers:
            maker.first = maker._with_plain(numbers, maker.first)
        with readable("step(state, 0)"), calling("step", maker.name):
            if maker.first.trains_in_loop:
                maker.in_loop, maker.plain = True, frozenset()
                maker.first = maker.made_again()
            maker.by_number = not _is_pure(maker.first, maker.anew())
            if maker.by_number:
                maker.again = None  # it has traced a step as a function of its number
        return maker

    def program(self) -> Program:
        """Return a program for a run: the first one if steps are pure."""
        if self.first is None or self.by_number:
            return self.made_again()
        return self.first

    def anew(self) -> Program:
        """Return a program that traces each of its steps as if there was no ``jax.jit``."""
        if self.again is None:
            self.again = self.made_again(anew=True)
        return self.again

    def made_again(self, *, anew: bool = False) -> Program:
        """Call the function once more; again if it has imported what has to be seeded before."""
        known = _seeded_libraries()
        choosing = SEEDS.choosing(other=self.other)
        with generators.kept(generators.shared()), giving_seeds(), choosing:
            generators.seed_all(self.seed)
            called = readable(f"{self.name}()"), calling("training", self.name)
            with called[0], called[1], self.executables.known():
                user_step = UserStep(self.name, self._made(), self.plain)
            states = RandomStates(generators.states_of(generators.shared()))
        if _seeded_libraries() != known:
            return self.made_again(anew=anew)
        how = {"by_number": self.by_number, "anew": anew}
        return Program(self.name, user_step, states, self.steps, **how)

    def _made(self) -> MadeTraining:
        made = made_by(self.name, self.make)
        if not self.in_loop:
            return made
        loop = loop_of(made)  # its objects have taken a part of a step
        return (
            replace(made_by(self.name, self.make), part=UNSEEN) if loop is None else loop.training()
        )

    def _with_plain(self, numbers: frozenset[int], made: Program) -> Program:
        """Return a program that keeps the plain numbers of the state which its step hands on.

        They are constants, as the sizes of layers: the step may need them to be plain. ``made`` is
        a program that has traced nothing, and takes all as arrays.
        """
        self.plain = numbers
        program = self.made_again()
        try:
            with calling("step", self.name):
                program.traced(0)
            self.plain = program.user_step.kept
        except Exception:  # of a step that needs arrays in their place
            self.plain = frozenset()
        if self.plain == numbers:
            return program
        return self.made_again() if self.plain else made


def _seeded_libraries() -> list[str]:
    return [each.title for each in libraries.imported() if each.title]


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
