"""Changes of the batches that steps are given: the order of samples, and hidden tokens."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from jax.extend.core import Literal

from symmetry.jax.jaxprs.interpreter import is_key
from symmetry.jax.jaxprs.noise import is_random
from symmetry.jax.jaxprs.places import place_of
from symmetry.jax.jaxprs.walk import equations_in
from symmetry.jax.parts.drawing import JaxKeyed
from symmetry.jax.probes.provenance import CASTS, SHAPES
from symmetry.jax.probes.texts import place_among_arrays, texts_in
from symmetry.jax.stepper import Stepper
from symmetry.training.capabilities.batching import Padding, Reordering
from symmetry.units.state import Array

_BITS = ("random_bits", "rng_bit_generator", "rng_uniform")
_COMPARING = ("eq", "ne", "gt", "ge")  # each index has an `lt`: it may count from the end


class JaxReordering(Reordering):
    """Finds draws for samples. It puts none in another order: a key makes all its numbers."""

    def __init__(self, stepper: Stepper) -> None:
        self._stepper = stepper

    def follow_samples(self, count: int) -> Mapping[str, bool]:
        """Return the lines that draw for ``count`` samples, each with False."""
        flat = self._stepper.traced.flat(self._stepper.manner)
        return {
            str(place_of(equation)): False
            for equation in flat.graph.equations
            if is_random(equation) and any(count in v.aval.shape for v in equation.outvars)
        }

    def results(self) -> Sequence[Array] | None:
        """Return the next state, and what else the next step returns.

        None if all steps have the same data, or if anything but losses and gradients depends on it:
        some of its rows may be held out, and others may give the same accuracy.
        """
        stepper = self._stepper
        if stepper.program.by_number or not JaxKeyed(stepper).has_batches:
            return None
        traced, flat = stepper.traced, stepper.traced.flat(stepper.manner)
        found = {
            name: variable
            for name, variable in flat.variables.items()
            if name.startswith(("leaf.", "aux.")) and not is_key(variable.aval.dtype)
        }
        until = {id(flat.variables[name]) for name in (*traced.losses, *traced.gradients)}
        read = {id(v) for v in found.values()} - until
        for number in flat.graph.ancestors(found.values(), until=until):
            read.update(map(id, flat.graph.equations[number].invars))
        data = flat.graph.inputs[len(stepper.leaves.values) : traced.varying]
        drawn = any(e.primitive.name in _BITS for _, e in equations_in(flat.jaxpr.jaxpr))
        if drawn or any(variable.aval.ndim and id(variable) in read for variable in data):
            return None
        return [np.asarray(result) for result in stepper.take(tuple(found)).values()]


class JaxPadding(Padding):
    """Replaces the tokens that masks hide in the batches that a training gives."""

    def __init__(self, stepper: Stepper) -> None:
        self._stepper = stepper

    def why_nothing_hidden(self, steps: int) -> str:
        """Say why no hidden token can be replaced in the first batches; "" if one may be."""
        program = self._stepper.program
        if program.made.batch is None:
            return "its batch is not given as extras['batch']"
        if program.by_number:
            return "its step takes the numbers of its batches for plain ones"
        for step in range(steps):
            found = texts_in(program.given(step))
            why = found if isinstance(found, str) else found.texts.why_none_hidden()
            if why:
                return why
        return ""

    def replace_hidden(self, *, look: bool = False) -> Mapping[str, bool]:
        """Hide other tokens in the steps that follow; with ``look``, find clues to them."""
        stepper = self._stepper
        stepper.hides_others = True
        if not look:
            return {}
        found = texts_in(stepper.program.given(stepper.taken))
        if isinstance(found, str):
            return {}
        clues = found.texts.clues()
        for place in _compared_tokens(stepper, found.tokens):
            clues[f"tokens are compared with a number ({place})"] = True
        return clues


def _compared_tokens(stepper: Stepper, leaf: int) -> Iterator[str]:
    """Yield the lines of a step that compare the tokens of its batch with a number."""
    number = place_among_arrays(stepper.program.given(stepper.taken), leaf)
    graph = stepper.traced.flat(stepper.manner).graph
    tokens = graph.inputs[len(stepper.leaves.values) + number]
    same = graph.follow([tokens], lambda e, _: e.primitive.name in SHAPES | CASTS)
    for equation in (
        graph.equations[n] for n in sorted(n for v in same for n, _ in graph.readers(v))
    ):
        mine = [a for a in equation.invars if not isinstance(a, Literal) and a in same]
        if equation.primitive.name in _COMPARING and len(mine) < len(equation.invars):
            yield str(place_of(equation))
