"""One step of a training as a jaxpr, and the functions compiled from it.

The jaxpr takes the leaves of the state, then those of the batch. It yields the leaves of the next
state, then what else the step returns. What is compiled yields some of these outputs, by name:

    leaf.2          a leaf of the next state
    aux.0           something else that the step returns
    loss.0          what is differentiated
    gradient.0.3    a gradient: see ``marks``
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, NamedTuple, TypeVar

import jax
import numpy as np
from jax.extend.core import ClosedJaxpr
from jax.interpreters import partial_eval

from symmetry.jax.executables import quickly
from symmetry.jax.jaxprs.custom import CustomCall
from symmetry.jax.jaxprs.forward import Forward
from symmetry.jax.jaxprs.graph import Graph
from symmetry.jax.jaxprs.interpreter import Position, constants_in, is_key, widened
from symmetry.jax.jaxprs.marks import MarkReader, leaves_of
from symmetry.jax.jaxprs.noise import Draw, draws_in, noise_for, noise_in
from symmetry.jax.jaxprs.places import place_of
from symmetry.jax.jaxprs.precision import rounded, wide_literals
from symmetry.jax.jaxprs.walk import Site
from symmetry.jax.made import has_numbers
from symmetry.observe.source_line import SourceLine

Outputs = Mapping[str, Any]
Made = TypeVar("Made")

_ADDRESS = re.compile("0x[0-9a-f]+")


class StepManner(NamedTuple):
    """How a step is taken.

    Attributes
    ----------
    promote
        Whether in float64.
    noise
        Whether with the model's random draws, or with their means.
    without
        The numbers of other draws that are replaced by their means.
    rounds
        Whether each operation is rounded in another way.
    """

    promote: bool = False
    noise: bool = True
    without: frozenset[int] = frozenset()
    rounds: bool = False


@dataclass(frozen=True)
class Flat:
    """A jaxpr without calls."""

    jaxpr: ClosedJaxpr
    outputs: tuple[str, ...]  # the names of its outputs
    modules: Mapping[str, SourceLine]  # the lines of what modules of the model return, by paths

    @cached_property
    def variables(self) -> Mapping[str, Any]:
        """The variables that are its outputs, by name."""
        return dict(zip(self.outputs, self.jaxpr.jaxpr.outvars, strict=True))

    @cached_property
    def graph(self) -> Graph:
        """Its equations, by the variables that they make and read."""
        return Graph(self.jaxpr.jaxpr)

    def only(self, names: Sequence[str]) -> Flat:
        """Return what computes some of the outputs alone."""
        wanted = [name in names for name in self.outputs]
        core, _ = partial_eval.dce_jaxpr(self.jaxpr.jaxpr, wanted, instantiate=True)
        kept = tuple(name for name in self.outputs if name in names)
        return Flat(ClosedJaxpr(core, self.jaxpr.consts), kept, self.modules)


class TracedStep:
    """One step of a training as a jaxpr.

    Parameters
    ----------
    jaxpr
        As it is written.
    leaves
        How many leaves the state has.
    returned
        The number of the loss among what else the step returns; None if it returns no loss.
    wide
        Whether float64 is allowed as it is written.
    in_float64
        Traces the same step in float64, or returns None where it cannot.

    Attributes
    ----------
    varying
        How many inputs may be others in each step: all but constants.
    constants
        The arrays that its functions hold: after all others, they are inputs of what is compiled.
    custom
        The first calls of functions with a derivative of the user's own.
    """

    def __init__(
        self,
        jaxpr: ClosedJaxpr,
        leaves: int,
        returned: int | None,
        *,
        varying: int,
        wide: bool = False,
        in_float64: Callable[[], ClosedJaxpr | None] = lambda: None,
    ) -> None:
        self.jaxpr, self._leaves, self._returned, self._wide = jaxpr, leaves, returned, wide
        self.varying, self._in_float64 = varying, in_float64
        self.constants = constants_in(jaxpr)
        self.custom: tuple[CustomCall, ...] = ()
        self.flat = self._cached(self._flat)
        self.compiled = self._cached(self._compiled)
        self.losses_of = self._cached(self._losses_of)

    def is_same(self, other: TracedStep) -> bool:
        """Return whether it is the same jaxpr as another one, whatever the constants are."""
        return self._text == other._text and self._returned == other._returned

    @cached_property
    def _text(self) -> str:
        """The jaxpr as it is printed, without the addresses of functions."""
        return _ADDRESS.sub("", str(self.jaxpr))

    @cached_property
    def parameters(self) -> tuple[int, ...]:
        """The leaves that are trained.

        The step differentiates with respect to them; or, if that cannot be seen, its loss depends
        on them.
        """
        if self._marked:
            return tuple(sorted({*self._marked.values()}))
        return self.read

    @property
    def trains_in_loop(self) -> bool:
        """Whether it computes gradients in a loop alone that replaces the parameters."""
        return bool(self._marked) and not leaves_of(self.jaxpr, self._leaves, carried=False)

    @cached_property
    def read(self) -> tuple[int, ...]:
        """The leaves with floating-point numbers that the losses depend on.

        A loss at updated parameters, as the second one of two updates, does not read the state of
        their optimiser.
        """
        flat = self.flat(StepManner())
        updated = {id(flat.variables[f"leaf.{number}"]) for number in self._marked.values()}
        updated |= {id(v) for name, v in flat.variables.items() if name.startswith("parameter.")}
        losses = [flat.variables[name] for name in self.losses]
        equations = flat.graph.ancestors(losses, until=updated)
        used = {id(a) for n in equations for a in flat.graph.equations[n].invars} | {
            *map(id, losses)
        }
        pairs = zip(flat.graph.inputs[: self._leaves], self.jaxpr.in_avals, strict=False)
        return tuple(n for n, (v, aval) in enumerate(pairs) if id(v) in used and _is_float(aval))

    @cached_property
    def forward(self) -> tuple[int, ...]:
        """The leaves that are not trained, and whose next values depend on no gradient."""
        flat = self.flat(StepManner())
        later = {*map(id, flat.graph.follow(flat.variables[name] for name in self.gradients))}
        return tuple(
            number
            for number in range(self._leaves)
            if number not in self.parameters and id(flat.variables[f"leaf.{number}"]) not in later
        )

    @cached_property
    def kept(self) -> frozenset[int]:
        """The leaves that the step returns as they are."""
        core = self.flat(StepManner()).jaxpr.jaxpr
        pairs = zip(core.invars, core.outvars[: self._leaves], strict=False)
        return frozenset(number for number, (one, other) in enumerate(pairs) if one is other)

    @cached_property
    def losses(self) -> tuple[str, ...]:
        """The names of the losses: what is differentiated, or else what the step returns."""
        calls = {mark.partition(".")[0] for mark in self._marked}
        outputs = self.flat(StepManner()).outputs
        found = [f"loss.{call}" for call in sorted(calls, key=int)]
        found = [name for name in found if name in outputs]
        return tuple(found) or (() if self._returned is None else (f"aux.{self._returned}",))

    @cached_property
    def gradients(self) -> Mapping[str, int]:
        """The leaf that each gradient belongs to, by the gradient's name."""
        outputs = self.flat(StepManner()).outputs
        found = {f"gradient.{mark}": leaf for mark, leaf in self._marked.items()}
        return {name: leaf for name, leaf in found.items() if name in outputs}

    @cached_property
    def noise(self) -> tuple[Draw, ...]:
        """The random draws of the model."""
        return noise_in(self.jaxpr, *self._origins())

    @property
    def trained_noise(self) -> tuple[Draw, ...]:
        """The random draws of the model that the next parameters depend on."""
        return noise_for(self.parameters, self.jaxpr, *self._origins())

    def _origins(self) -> tuple[list[bool], list[bool]]:
        """Return which inputs are parameters, and which are other ones in each step."""
        inputs = range(len(self.jaxpr.in_avals))
        known = {*self._marked.values()} or {*range(self._leaves)}
        varies = [n < self.varying and n not in self.kept for n in inputs]
        return [number in known for number in inputs], varies

    @cached_property
    def draws(self) -> tuple[Draw, ...]:
        """All random draws outside of loops, by number; those of the model are among them."""
        return draws_in(self.jaxpr)

    @cached_property
    def inputs_outside_forward(self) -> Mapping[int, SourceLine]:
        """The inputs beside leaves that no loss depends on, with the lines that read them."""
        flat = self.flat(StepManner())
        _, used = partial_eval.dce_jaxpr(
            flat.jaxpr.jaxpr, [name in self.losses for name in flat.outputs]
        )
        unread = [n for n in range(self._leaves, len(used)) if not used[n]]
        graph = flat.graph
        readers = {n: graph.readers(graph.inputs[n]) for n in unread}
        return {n: place_of(graph.equations[ops[0][0]]) for n, ops in readers.items() if ops}

    @cached_property
    def draws_outside_forward(self) -> tuple[int, ...]:
        """The numbers of the draws that no loss depends on."""
        flat = self.flat(StepManner())
        losses, drawn = flat.only(self.losses).graph, flat.variables
        numbers = range(len(self.draws))
        return tuple(n for n in numbers if losses.maker(drawn.get(f"draw.{n}")) is None)

    @cached_property
    def _marked(self) -> Mapping[str, int]:
        """Which leaf each marked parameter is."""
        return leaves_of(self.jaxpr, self._leaves)

    @cached_property
    def _literals(self) -> Mapping[Position, float]:
        """The digits of its literals that it has lost as it is written."""
        wide = self._in_float64()
        return {} if wide is None else wide_literals(self.jaxpr, wide)

    def _cached(self, make: Callable[..., Made]) -> Callable[..., Made]:
        """Return a function that makes a thing once for each manner.

        To leave noise out is a manner of its own only where there is noise.
        """
        once = cache(make)
        return lambda manner, *more: once(
            manner._replace(noise=manner.noise or not self.noise), *more
        )

    def _flat(self, manner: StepManner) -> Flat:
        """Return the step without calls, with all of its outputs."""
        quiet = frozenset(self.draws[number].site for number in manner.without)
        quiet |= frozenset[Site]() if manner.noise else {draw.site for draw in self.noise}
        reader, names = MarkReader(promote=manner.promote, quiet=quiet), list[str]()

        if manner.promote:
            reader.literals = self._literals
        own = len(self.jaxpr.in_avals)

        def outputs(*args: Any) -> list[Any]:
            reader.constants = dict(zip(map(id, self.constants), args[own:], strict=True))
            results = reader.run(self.jaxpr, *args[:own])
            numbers = range(len(results) - self._leaves)
            names.extend(f"leaf.{number}" for number in range(self._leaves))
            names.extend(f"aux.{number}" for number in numbers)
            marked = reader.values | {
                f"draw.{number}": reader.drawn[draw.site]
                for number, draw in enumerate(self.draws)
                if draw.site in reader.drawn
            }
            marked |= {f"module.{path}": value for path, (value, _) in reader.modules.items()}
            names.extend(marked)
            return [*results, *marked.values()]

        kinds = [*self.jaxpr.in_avals, *map(jax.typeof, self.constants)]
        given = [_as_taken(aval, manner.promote) for aval in kinds]
        with jax.enable_x64(manner.promote or self._wide):
            jaxpr = jax.make_jaxpr(outputs)(*given)
        return Flat(jaxpr, tuple(names), {path: at for path, (_, at) in reader.modules.items()})

    def _losses_of(self, manner: StepManner) -> Forward:
        """Return the equations that compute the losses."""
        return Forward(self.flat(manner).only(self.losses).jaxpr, self.parameters, self.read)

    def _compiled(self, manner: StepManner, wanted: tuple[str, ...]) -> Callable[..., Outputs]:
        """Return a function that takes all inputs and a seed, and returns some of the outputs."""
        flat = self.flat(manner._replace(rounds=False)).only(wanted)
        names = [name for name in wanted if name in flat.outputs]
        core = flat.jaxpr.jaxpr
        if manner.rounds:
            run = quickly(rounded(core, promoted=manner.promote))
        else:
            run = quickly(lambda _, consts, inputs: jax.core.eval_jaxpr(core, consts, *inputs))

        def take(inputs: Sequence[Any], seed: int = 0) -> Outputs:
            with jax.enable_x64(manner.promote or self._wide):
                results = run(np.uint32(seed), flat.jaxpr.consts, inputs)
            found = dict(zip(flat.outputs, results, strict=True))
            return {name: found[name] for name in names}

        return take


def _is_float(aval: Any) -> bool:
    return not is_key(aval.dtype) and has_numbers(aval)


def _as_taken(aval: Any, promote: bool) -> Any:
    return jax.ShapeDtypeStruct(aval.shape, widened(aval.dtype)) if promote else aval
