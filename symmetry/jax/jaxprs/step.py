"""One step of a training as a jaxpr, and what is compiled of it.

The jaxpr takes the leaves of the state, then those of the batch. It yields the leaves of the next
state, then what else the step returns. What is compiled yields some of these outputs, by name:

    leaf.2          a leaf of the next state
    aux.0           something else that the step returns
    loss.0          what is differentiated
    gradient.0.3    a gradient: see ``marks``
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache, cached_property
from typing import Any, NamedTuple

import jax
from jax.extend.core import ClosedJaxpr
from jax.interpreters import partial_eval

from symmetry.jax.jaxprs.interpreter import Site, is_key, widened
from symmetry.jax.jaxprs.marks import MarkReader, leaves_of
from symmetry.jax.jaxprs.noise import Draw, noise_in
from symmetry.jax.made import has_numbers

Outputs = Mapping[str, Any]


class Manner(NamedTuple):
    """How a step is taken.

    Attributes
    ----------
    promote
        Whether in float64.
    noise
        Whether with the model's random draws, or with their means.
    """

    promote: bool = False
    noise: bool = True


class Flat(NamedTuple):
    """A jaxpr without calls, and the names of its outputs."""

    jaxpr: ClosedJaxpr
    outputs: tuple[str, ...]

    def only(self, names: Sequence[str]) -> Flat:
        """Return what computes some of the outputs alone."""
        wanted = [name in names for name in self.outputs]
        core, _ = partial_eval.dce_jaxpr(self.jaxpr.jaxpr, wanted, instantiate=True)
        kept = tuple(name for name in self.outputs if name in names)
        return Flat(ClosedJaxpr(core, self.jaxpr.consts), kept)


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
    """

    def __init__(
        self, jaxpr: ClosedJaxpr, leaves: int, returned: int | None, *, wide: bool = False
    ) -> None:
        self.jaxpr, self._leaves, self._returned, self._wide = jaxpr, leaves, returned, wide
        self.flat = cache(self._flat)
        self.compiled = cache(self._compiled)

    @cached_property
    def parameters(self) -> tuple[int, ...]:
        """The leaves that are trained.

        The step differentiates with respect to them; or, if that cannot be seen, its loss depends
        on them.
        """
        if self._marked:
            return tuple(sorted({*self._marked.values()}))
        return self.read

    @cached_property
    def read(self) -> tuple[int, ...]:
        """The leaves with floating-point numbers that the losses depend on."""
        flat = self.flat(Manner())
        wanted = [name in self.losses for name in flat.outputs]
        _, used = partial_eval.dce_jaxpr(flat.jaxpr.jaxpr, wanted)
        inputs = self.jaxpr.in_avals[: self._leaves]
        return tuple(n for n, aval in enumerate(inputs) if used[n] and _is_float(aval))

    @cached_property
    def forward(self) -> tuple[int, ...]:
        """The leaves that are not trained, and whose next values depend on no gradient."""
        flat = self.flat(Manner())
        core, names = flat.jaxpr.jaxpr, flat.outputs
        outputs = dict(zip(names, core.outvars, strict=True))
        later = {id(outputs[name]) for name in self.gradients}
        for equation in core.eqns:
            if any(id(atom) in later for atom in equation.invars):
                later.update(map(id, equation.outvars))
        return tuple(
            number
            for number in range(self._leaves)
            if number not in self.parameters and id(outputs[f"leaf.{number}"]) not in later
        )

    @cached_property
    def losses(self) -> tuple[str, ...]:
        """The names of the losses: what is differentiated, or else what the step returns."""
        calls = {mark.partition(".")[0] for mark in self._marked}
        outputs = self.flat(Manner()).outputs
        found = [f"loss.{call}" for call in sorted(calls, key=int)]
        found = [name for name in found if name in outputs]
        return tuple(found) or (() if self._returned is None else (f"aux.{self._returned}",))

    @cached_property
    def gradients(self) -> Mapping[str, int]:
        """The leaf that each gradient belongs to, by the gradient's name."""
        outputs = self.flat(Manner()).outputs
        found = {f"gradient.{mark}": leaf for mark, leaf in self._marked.items()}
        return {name: leaf for name, leaf in found.items() if name in outputs}

    @cached_property
    def noise(self) -> tuple[Draw, ...]:
        """The random draws of the model."""
        inputs = len(self.jaxpr.in_avals)
        known = {*self._marked.values()} or {*range(self._leaves)}
        return noise_in(self.jaxpr, [number in known for number in range(inputs)])

    @cached_property
    def _marked(self) -> Mapping[str, int]:
        """Which leaf each marked parameter is."""
        return leaves_of(self.jaxpr, self._leaves)

    def _flat(self, manner: Manner) -> Flat:
        """Return the step without calls, with all of its outputs."""
        quiet = frozenset[Site]() if manner.noise else frozenset(draw.site for draw in self.noise)
        reader, names = MarkReader(promote=manner.promote, quiet=quiet), list[str]()

        def outputs(*args: Any) -> list[Any]:
            results = reader.run(self.jaxpr, *args)
            numbers = range(len(results) - self._leaves)
            names.extend(f"leaf.{number}" for number in range(self._leaves))
            names.extend(f"aux.{number}" for number in numbers)
            marked = {n: v for n, v in reader.values.items() if not n.startswith("parameter.")}
            names.extend(marked)
            return [*results, *marked.values()]

        given = [_as_taken(aval, manner.promote) for aval in self.jaxpr.in_avals]
        with jax.enable_x64(manner.promote or self._wide):
            return Flat(jax.make_jaxpr(outputs)(*given), tuple(names))

    def _compiled(self, manner: Manner, wanted: tuple[str, ...]) -> Callable[..., Outputs]:
        """Return a function that takes all inputs, and returns some of the outputs."""
        flat = self.flat(manner).only(wanted)
        names = [name for name in wanted if name in flat.outputs]
        run = jax.jit(lambda consts, inputs: jax.core.eval_jaxpr(flat.jaxpr.jaxpr, consts, *inputs))

        def take(inputs: Sequence[Any]) -> Outputs:
            with jax.enable_x64(manner.promote or self._wide):
                results = run(flat.jaxpr.consts, inputs)
            found = dict(zip(flat.outputs, results, strict=True))
            return {name: found[name] for name in names}

        return take


def _is_float(aval: Any) -> bool:
    return not is_key(aval.dtype) and has_numbers(aval)


def _as_taken(aval: Any, promote: bool) -> Any:
    return jax.ShapeDtypeStruct(aval.shape, widened(aval.dtype)) if promote else aval
