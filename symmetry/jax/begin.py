"""Beginning a run: a training is made once, and its runs share the program that comes of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from symmetry.base import generators
from symmetry.base.calls import calling, running
from symmetry.jax.made import made_by
from symmetry.jax.program import Program
from symmetry.jax.raising import readable
from symmetry.jax.run import JaxRun
from symmetry.units.units import Order


def begin(
    name: str,
    make: Callable[[], Any],
    *,
    dtype: str = "float32",
    seed: int = 0,
    noise: bool = True,
    order: Order | None = None,
    cache: dict[Any, Any] | None = None,
) -> JaxRun:
    """Begin a run of the training that a function makes, under seeds of all random numbers.

    Parameters
    ----------
    name, make
        The training's name, for messages, and the function.
    dtype, seed, noise, order
        See ``Training.begin``.
    cache
        Where runs of this training keep its program.

    Raises
    ------
    TrainingError
        If the function raises, or returns anything but a training.
    """
    running.run, running.step = running.run + 1, 0
    programs: dict[Any, Any] = {} if cache is None else cache
    if (Program, seed) not in programs:
        programs[Program, seed] = _program(name, make, seed)
    return JaxRun(programs[Program, seed], dtype=dtype, noise=noise, order=order)


def _program(name: str, make: Callable[[], Any], seed: int) -> Program:
    """Make a training, and trace its first step."""
    with generators.kept(generators.shared()):
        generators.seed_all(seed)
        with readable(f"{name}()"), calling("training", name):
            program = Program(name, made_by(name, make))
        with readable("step(state, 0)"), calling("step", name):
            program.traced(0)
    return program
