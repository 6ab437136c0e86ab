"""Facts on a jitted function that its jaxpr shows, whatever the loop does with its results."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import cache, cached_property
from typing import Any

import jax
from jax.extend.core import ClosedJaxpr, Literal

from symmetry.jax.jaxprs.averages import Average, averages_in
from symmetry.jax.jaxprs.inputs import inputs_of
from symmetry.jax.jaxprs.interpreter import is_key
from symmetry.jax.jaxprs.marks import leaves_of, marking
from symmetry.jax.jaxprs.noise import Draw, draws_in, noise_for, noise_in
from symmetry.jax.jaxprs.places import place_of
from symmetry.jax.jaxprs.step import Flat, StepManner, TracedStep
from symmetry.jax.made import is_number
from symmetry.jax.script.epochs.calls import Variant
from symmetry.observe.source_line import SourceLine


class Facts:
    """Facts on a function with arguments of some shapes.

    Parameters
    ----------
    variant
        The function, and the shapes.

    Attributes
    ----------
    own
        The numbers of the arguments that are no constants, in the order of the jaxpr's inputs.
    """

    def __init__(self, variant: Variant) -> None:
        arguments = jax.tree.unflatten(variant.tree, variant.leaves)
        keyed = jax.tree_util.tree_flatten_with_path(arguments)[0]
        static = variant.jitted.arguments.static
        self.own = [
            number
            for number, (keys, leaf) in enumerate(keyed)
            if _is_taken(leaf) and getattr(keys[0], "key", "") not in static
        ]
        self._variant = variant
        self._noise, self._averages = cache(self._noise_of), cache(self._averages_of)

    @cached_property
    def jaxpr(self) -> ClosedJaxpr | None:
        """The jaxpr; None where the function cannot be traced once more."""
        variant, own = self._variant, self.own

        def call(arrays: Sequence[Any]) -> Any:
            leaves = dict(enumerate(variant.leaves)) | dict(zip(own, arrays, strict=True))
            arguments = jax.tree.unflatten(variant.tree, [*leaves.values()])
            return jax.tree.leaves(variant.jitted.called(arguments))

        try:
            with marking():
                return jax.make_jaxpr(call)([variant.leaves[number] for number in own])
        except Exception:  # of a function that has to be traced in its script
            return None

    @cached_property
    def trained(self) -> frozenset[int]:
        """The numbers of the arguments that it differentiates with respect to."""
        if self.jaxpr is None:
            return frozenset()
        found = leaves_of(self.jaxpr, len(self.own)).values()
        return frozenset(self.own[number] for number in found)

    def noise(self, parameters: Collection[int]) -> Sequence[Draw]:
        """Return the draws that are noise of a model with these parameters."""
        return self._noise(frozenset(parameters))

    def _noise_of(self, parameters: frozenset[int]) -> Sequence[Draw]:
        if self.jaxpr is None:
            return ()
        return noise_in(self.jaxpr, self._are(parameters), self._are(self.own))

    def fixed_noise(self, fixed: Collection[int], results: Collection[int]) -> Sequence[Draw]:
        """Return the draws that some results depend on, if these train the arguments.

        Those are fixed whose keys come from ``fixed`` arguments only.
        """
        if self.jaxpr is None:
            return ()
        varies = [number not in fixed for number in self.own]
        return noise_for(results, self.jaxpr, self._are(self.trained), varies)

    def _are(self, numbers: Collection[int]) -> list[bool]:
        """Return which inputs of the jaxpr are among some arguments."""
        return [number in numbers for number in self.own]

    @cached_property
    def draws(self) -> Sequence[Draw]:
        """All random draws outside of loops."""
        return () if self.jaxpr is None else draws_in(self.jaxpr)

    def statistics(self, old: Collection[int], parameters: Collection[int]) -> Sequence[Average]:
        """Return the running averages that it computes from old values among its arguments."""
        return self._averages(frozenset(old), frozenset(parameters), marked=True)

    def averages(self, old: Collection[int]) -> Sequence[Average]:
        """Return the running averages of old values among its arguments with anything else."""
        return self._averages(frozenset(old), frozenset(), marked=False)

    def _averages_of(
        self, old: frozenset[int], parameters: frozenset[int], marked: bool
    ) -> Sequence[Average]:
        """Return averages of old values with gradients that are marked, or with any argument."""
        if self._flat is None:
            return ()
        outputs = self._outputs()
        gradients, losses = (
            [outputs[name] for name in outputs if name.startswith(kind)] if marked else []
            for kind in _KINDS
        )
        numbers = {own: number for number, own in enumerate(self.own)}
        places = [numbers[number] for number in sorted(old) if number in numbers]
        return averages_in(
            self._flat.jaxpr,
            steady=places,
            zeros=places,  # as each may be before the first step
            trained=[numbers[number] for number in sorted(parameters) if number in numbers],
            gradients=gradients if marked else self._flat.jaxpr.jaxpr.invars,
            losses=losses,
            handed=(),
        )

    @cached_property
    def unread(self) -> Sequence[SourceLine]:
        """The lines that compute gradients no result depends on.

        Those of all rounds of a loop are stacked, which nothing reads: then a round is looked at.
        """
        outputs = self._outputs()
        if self._flat is None:
            return ()
        core = self._flat.jaxpr.jaxpr
        used = {v for name, v in outputs.items() if name.startswith("aux.")}
        makers = {}
        for equation in reversed(core.eqns):
            makers.update(dict.fromkeys(equation.outvars, equation))
            if used.intersection(equation.outvars):
                used.update(a for a in equation.invars if not isinstance(a, Literal))
        calls: dict[str, list[Any]] = {}
        for name, variable in outputs.items():
            if name.startswith("gradient."):
                calls.setdefault(name.split(".")[1], []).append(variable)
        return [
            place_of(makers[variables[0]])
            for variables in calls.values()
            if used.isdisjoint(_rounds_of(variables, makers)) and variables[0] in makers
        ]

    @cached_property
    def read(self) -> frozenset[int]:
        """The numbers of the arguments that scores are computed from: results of one number."""
        if self.jaxpr is None:
            return frozenset()
        pairs = zip(self.jaxpr.out_avals, inputs_of(self.jaxpr), strict=True)
        return frozenset(self.own[n] for aval, inputs in pairs if aval.size == 1 for n in inputs)

    @cached_property
    def passed(self) -> Mapping[int, int]:
        """The results that are arguments as they were, with the numbers of these."""
        if self._flat is None:
            return {}
        own = dict(zip(self._flat.jaxpr.jaxpr.invars, self.own, strict=False))
        results = {int(n[4:]): v for n, v in self._outputs().items() if n.startswith("aux.")}
        return {number: own[v] for number, v in results.items() if v in own}

    @cached_property
    def _flat(self) -> Flat | None:
        """The jaxpr without calls."""
        if self.jaxpr is None:
            return None
        try:
            traced = TracedStep(self.jaxpr, 0, None, varying=len(self.own))
            return traced.flat(StepManner())
        except Exception:  # of an operation that cannot be taken apart
            return None

    def _outputs(self) -> Mapping[str, Any]:
        if self._flat is None:
            return {}
        pairs = zip(self._flat.outputs, self._flat.jaxpr.jaxpr.outvars, strict=True)
        return {name: v for name, v in pairs if not isinstance(v, Literal)}


_KINDS = "gradient.", "loss."
_STACKING = "stack", "concatenate", "broadcast_in_dim", "reshape", "convert_element_type"


def _rounds_of(variables: Sequence[Any], makers: Mapping[Any, Any]) -> set[Any]:
    """Return variables, those that they are stacked of, and all that loops make beside them."""
    found, ahead = set[Any](), [*variables]
    while ahead:
        found.add(variable := ahead.pop())
        maker = makers.get(variable)
        if maker is not None and maker.primitive.name in _STACKING:
            ahead += [a for a in maker.invars if not isinstance(a, Literal)]
        elif maker is not None:
            found.update(maker.outvars)
    return found


def _is_taken(leaf: Any) -> bool:
    """Return whether a function takes an argument as an array, or as a number."""
    return isinstance(leaf, jax.ShapeDtypeStruct) or is_number(leaf)


def key_places(variant: Variant) -> list[int]:
    """Return the numbers of the arguments that are keys, of the new kind or of the old one."""
    return [
        number
        for number, leaf in enumerate(variant.leaves)
        if isinstance(leaf, jax.ShapeDtypeStruct)
        if is_key(leaf.dtype) or (str(leaf.dtype) == "uint32" and leaf.shape == (2,))
    ]
