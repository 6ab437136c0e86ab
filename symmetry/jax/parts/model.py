"""The model of a run: its layers, its gradients, and the optimiser that updates it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from itertools import combinations, product
from typing import Any

import numpy as np
from jax.extend.core import Literal

from symmetry.jax.jaxprs.graph import Graph
from symmetry.jax.jaxprs.interpreter import kind_of
from symmetry.jax.jaxprs.places import place_of
from symmetry.jax.jaxprs.step import StepManner
from symmetry.jax.leaves import as_array
from symmetry.jax.optimizer import JaxOptimizer
from symmetry.jax.stepper import Stepper
from symmetry.observe.source_line import NOWHERE, SourceLine
from symmetry.training.capabilities.flowing import Cut
from symmetry.training.capabilities.model import Differentiating, Layered, Optimizing
from symmetry.units.state import Array

# Names of the matrix of a layer in Flax, NNX and Keras, and in Haiku: its last axis is outputs.
_MATRICES = ("kernel", "w")
_TABLES = ("embedding", "embeddings")


class JaxLayers(Layered):
    """The layers of a JAX model."""

    initialised = "by jax.nn.initializers.glorot_uniform(), with a key of its own for each array"

    def __init__(self, stepper: Stepper) -> None:
        self._stepper = stepper

    @property
    def model_name(self) -> str:
        """The name of the state's class."""
        return type(self._stepper.program.made.state).__name__

    @property
    def output_on_axis_1(self) -> frozenset[str]:
        """Weights whose output axis is 1, not 0: matrices of most libraries, and tables."""
        return frozenset(
            name
            for name, leaf in self._stepper.leaves.parameters.items()
            if np.ndim(leaf) == 2 and name.rpartition(".")[2] in (*_MATRICES, *_TABLES)
        )

    @property
    def layers(self) -> Mapping[str, tuple[int, int]]:
        """The matrices of layers, with the axis along which they make units, and how many."""
        return {
            name: (np.ndim(leaf) - 1, np.shape(leaf)[-1])
            for name, leaf in self._stepper.leaves.parameters.items()
            if np.ndim(leaf) > 1 and name.rpartition(".")[2] in (*_MATRICES, *_TABLES)
        }

    @property
    def sharded(self) -> bool:
        """Whether ranks hold parameters in parts: a run has one process."""
        return False


_SCALING = ("mul", "neg", "convert_element_type", "broadcast_in_dim", "reshape")
_FLAT = ("stop_gradient", "round", "floor", "ceil", "sign")
_AS_WRITTEN = {"stop_gradient": "jax.lax.stop_gradient()"}


class JaxGradients(Differentiating):
    """The gradients that the last step of a run has computed."""

    def __init__(self, stepper: Stepper) -> None:
        self._stepper = stepper

    def gradients(self) -> dict[str, Array]:
        """Return the gradients that there are, by the names of their parameters.

        Several of one parameter are added up, and so are those of single samples.
        """
        stepper, found = self._stepper, dict[str, Array]()
        for name, leaf in stepper.gradients.items():
            shape = np.shape(stepper.leaves.values[leaf])
            array = as_array(shaped(np.asarray(stepper.outputs[name]), shape))
            parameter = stepper.leaves.names[leaf]
            found[parameter] = found[parameter] + array if parameter in found else array
        return found

    def cut_of(self, names: Collection[str]) -> Cut | None:
        """Return the first operation that cuts the gradient of parameters off.

        Where another way leads to the loss, nothing is cut off. A critic is another one, and so is
        its loss: neither is differentiated with respect to the generator that it judges.
        """
        stepper = self._stepper
        traced, numbers = stepper.traced, {stepper.leaves.names.index(name) for name in names}
        calls = {name.split(".")[1] for name, leaf in traced.gradients.items() if leaf in numbers}
        flat, forward = traced.flat(StepManner()), traced.losses_of(StepManner())
        pairs = flat.only(traced.losses).variables.items()
        losses = [v for name, v in pairs if name.partition(".")[2] in calls]
        gradients = {id(flat.variables[name]) for name in traced.gradients}
        reached, cuts = {forward.inputs[number] for number in numbers}, []
        for number in sorted(forward.ancestors(losses, until=gradients)):
            equation = forward.equations[number]
            if reached.isdisjoint(a for a in equation.invars if not isinstance(a, Literal)):
                continue
            if _cuts(equation):
                cuts.append(equation)
            else:
                reached.update(equation.outvars)
        if not cuts or not reached.isdisjoint(losses):
            return None
        name = cuts[0].primitive.name
        return Cut(_AS_WRITTEN.get(name, name), place_of(cuts[0]))


def shaped(gradient: Array, shape: tuple[int, ...]) -> Array:
    """Return a gradient in the shape of its parameter.

    Those of single samples are added up. ``jax.vmap`` leaves the axis that it maps wherever an
    operation has put it.
    """
    more = gradient.ndim - len(shape)
    if gradient.shape == shape:
        return gradient
    if more < 0 and gradient.size == np.prod(shape, dtype=int):  # without the axis of one device
        return gradient.reshape(shape)
    for axes in combinations(range(gradient.ndim), max(more, 0)):
        total: Array = np.asarray(gradient.sum(axes))
        for place in product(range(total.ndim), repeat=2):
            moved: Array = np.moveaxis(total, *place)
            if moved.shape == shape:
                return moved
        if total.shape == shape:  # of a number
            return total
    return gradient


def _cuts(equation: Any) -> bool:
    """Return whether the derivative of an operation is zero, or not defined."""
    name = equation.primitive.name
    whole = all(kind_of(v.aval.dtype) in ("b", "i", "u") for v in equation.outvars)
    return name in _FLAT or whole


def gradients_of(stepper: Stepper) -> JaxGradients | None:
    """Return the gradients of a run; None if its steps do not show any."""
    return JaxGradients(stepper) if stepper.traced.gradients else None


class JaxOptimizers(Optimizing):
    """The optimiser of a run: there is one for all parameters, or none that is known."""

    raw = (
        "optax.masked hands on the gradients of all that it masks. To freeze it, use "
        "optax.partition with optax.set_to_zero"
    )

    def __init__(self, stepper: Stepper) -> None:
        self._stepper = stepper

    @property
    def optimizers(self) -> Mapping[str, JaxOptimizer]:
        """The optimiser, by a name."""
        optimizer = self._stepper.optimizer
        return {} if optimizer is None else {"its update": optimizer}

    @property
    def held(self) -> frozenset[str]:
        """The parameters."""
        return frozenset(self._stepper.leaves.parameters)

    @property
    def keeps_all(self) -> bool:
        """Whether a step computes gradients, and returns all parameters as it takes them."""
        traced = self._stepper.traced
        return bool(traced.gradients) and traced.kept.issuperset(traced.parameters)

    @property
    def moments_at(self) -> SourceLine | None:
        """The user's line that averages gradients in the state; sums of them have none."""
        traced = self._stepper.traced
        flat = traced.flat(StepManner())
        graph = flat.graph
        made = graph.follow(flat.variables[name] for name in traced.gradients)
        for number, old in enumerate(graph.inputs[: len(self._stepper.leaves.values)]):
            new = flat.variables[f"leaf.{number}"]
            maker = graph.maker(new) if new in made and number not in traced.parameters else None
            if maker is None or maker.primitive.name not in ("add", "sub"):
                continue
            if any(_is_product(graph.maker(atom), old) for atom in maker.invars):
                return place_of(maker)
        return None

    @property
    def zero_rate_at(self) -> SourceLine | None:
        """The user's line that multiplies all updates by 0, where that is written in the step."""
        traced = self._stepper.traced
        flat = traced.flat(StepManner())
        graph = flat.graph
        makers = [graph.maker(flat.variables[f"leaf.{number}"]) for number in traced.parameters]
        adding = [maker for maker in makers if maker is not None and _adds_zero(graph, maker)]
        return place_of(adding[0]) if adding and len(adding) == len(makers) else None

    def updated_at(self, name: str) -> SourceLine:
        """Return the user's line that makes the next value of a parameter."""
        flat = self._stepper.traced.flat(StepManner())
        leaf = f"leaf.{self._stepper.leaves.names.index(name)}"
        maker = flat.graph.maker(flat.variables[leaf])
        return NOWHERE if maker is None else place_of(maker)


def _is_product(equation: Any, variable: Any) -> bool:
    """Return whether an equation multiplies a variable by something."""
    return (
        equation is not None
        and equation.primitive.name == "mul"
        and any(atom is variable for atom in equation.invars)
    )


def _adds_zero(graph: Graph, equation: Any) -> bool:
    """Return whether an equation adds a product with 0 to an input, or subtracts it from one."""
    name, atoms = equation.primitive.name, equation.invars
    pairs = [(atoms[0], atoms[-1])] if name == "sub" else [(*atoms,), (*reversed(atoms),)]
    return name in ("add", "sub") and any(
        graph.maker(one) is None and _is_zero(graph, other) for one, other in pairs
    )


def _is_zero(graph: Graph, atom: Any) -> bool:
    """Return whether a value is a literal 0, or a product with one."""
    if isinstance(atom, Literal):
        return bool(np.ndim(atom.val) == 0 and atom.val == 0)
    maker = graph.maker(atom)
    return (
        maker is not None
        and maker.primitive.name in _SCALING
        and any(_is_zero(graph, each) for each in maker.invars)
    )
