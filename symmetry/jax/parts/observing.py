"""Steps seen from inside: observed, recorded, traced, and taken up to their losses only."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Container, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from symmetry.jax.jaxprs.interpreter import bind, is_key
from symmetry.jax.jaxprs.noise import is_random
from symmetry.jax.jaxprs.places import place_of
from symmetry.jax.jaxprs.recorder import JaxprRecorder
from symmetry.jax.jaxprs.walk import Walk
from symmetry.jax.leaves import as_array
from symmetry.jax.parts.model import JaxGradients
from symmetry.jax.raising import readable
from symmetry.jax.stepper import Stepper
from symmetry.observe.call import Call, Handle
from symmetry.observe.tape import Tape
from symmetry.training.capabilities.observing import Observing, Recording, Rehearsing, Tracing
from symmetry.training.observation import Observation, ObservedCall, ObservedName
from symmetry.training.trace import Trace
from symmetry.units.state import Array


class JaxObserving(Observing):
    """Observes modules, losses and gradients of a run's steps."""

    def __init__(self, stepper: Stepper) -> None:
        self._stepper = stepper

    def observe(self) -> Observation:
        """Take the next step; return what it shows beside the state.

        A library has to open a scope for each module, as Flax and Haiku do.
        """
        stepper, shown = self._stepper, Observation()
        modules = stepper.traced.flat(stepper.manner).modules
        returned = stepper.take(tuple(f"module.{path}" for path in modules)) if modules else {}
        for path, place in modules.items():
            key = ObservedName("forward", path)
            shown.parts[key] = [as_array(returned[f"module.{path}"])]
            parent = path.rpartition(".")[0] or None
            shown.calls.append(ObservedCall(path, parent, (), (key,)))
            if place.file:
                shown.lines[key] = place.shown, place.line
        stepper.step()
        if sums := stepper.loss_sums():
            shown.parts[ObservedName("loss", "")] = [as_array(sum(sums))]
        for name, gradient in JaxGradients(stepper).gradients().items():
            shown.parts[ObservedName("gradient", name)] = [gradient]
        for name, array in stepper.leaves.arrays().items():
            shown.parts[ObservedName("update", name)] = [array]
        return shown


class JaxRecording(Recording):
    """Records operations of a run: those of the step's jaxpr, a loop being one."""

    def __init__(self, stepper: Stepper) -> None:
        self._stepper = stepper

    def record(self, tape: Tape) -> None:
        """Take the next step; the tape gets each of its operations."""
        stepper = self._stepper
        with jax.enable_x64(stepper.manner.promote):
            stepper.leaves.values = [*map(_on_device, stepper.leaves.values)]
            flat = stepper.traced.flat(stepper.manner).only(stepper.leaves.outputs())
            given = [*stepper.leaves.values, *map(_on_device, stepper.inputs())]
            after = _Taping(tape).run(flat.jaxpr, *given)
            stepper.leaves.replace(dict(zip(flat.outputs, after, strict=True)))
        stepper.taken += 1

    def array_at(self, memory: int) -> tuple[str, Array] | None:
        """Return name and entries of the leaf that is the array of this number."""
        leaves = self._stepper.leaves
        known = (name for name, n in leaves.places.items() if id(leaves.values[n]) == memory)
        name = next(known, None)
        return None if name is None else (name, as_array(leaves.values[leaves.places[name]]))


class _Taping(Walk[Any]):
    """Performs operations, and hands each to a tape; what that mends is the result instead."""

    def __init__(self, tape: Tape) -> None:
        super().__init__()
        self._tape = tape

    def constant(self, value: Any, variable: Any) -> Any:
        """Return a constant; a number in a jaxpr is one, too."""
        return value if is_key(variable.aval.dtype) else jnp.asarray(value, variable.aval.dtype)

    def operation(self, equation: Any, args: Sequence[Any]) -> Sequence[Any]:
        """Perform an operation."""
        tape = self._tape
        if tape.skips():
            return bind(equation, args, equation.params)
        call = _call(equation, args)
        tape.before(call)
        results = [*bind(equation, args, equation.params)]
        made = [n for n, result in enumerate(results) if _readable(result)]
        for position, values in tape.after(call, [], [_handle(results[n]) for n in made]).items():
            results[made[position]] = jnp.asarray(values)
        return results


def _call(equation: Any, args: Sequence[Any]) -> Call:
    slots = [n for n, arg in enumerate(args) if _readable(arg)]
    wide = jax.config.jax_enable_x64

    def perform(arrays: Sequence[Array]) -> list[Array]:
        with jax.enable_x64(wide):
            own = zip(slots, map(jnp.asarray, arrays), strict=True)
            results = bind(
                equation, [*(dict(enumerate(args)) | dict(own)).values()], equation.params
            )
            return [np.asarray(result) for result in results if _readable(result)]

    return Call(
        library="jax",
        name=equation.primitive.name,
        place=place_of(equation),
        operands=tuple(_handle(args[n]) for n in slots),
        dtypes=tuple(str(args[n].dtype) for n in slots),
        perform=perform,
        random=is_random(equation),
    )


def _on_device(value: Any) -> Any:
    return value if is_key(value.dtype) else jnp.asarray(value)


def _readable(value: Any) -> bool:
    """Return whether an array has numbers, and is no key."""
    return not is_key(value.dtype) and value.size > 0 and value.dtype.kind in "biufc"


def _handle(array: Any) -> Handle:
    alive: Callable[[], Any] = weakref.ref(array)
    values = np.asarray(array).view(np.ndarray)
    return Handle(values, id(array), lambda: alive() is not None, values.size)


class JaxTracing(Tracing):
    """Records the operations of a run's steps."""

    def __init__(self, stepper: Stepper) -> None:
        self._stepper = stepper

    def leaves(self, names: Container[str] | None = None) -> dict[str, Array]:
        """Return copies of the parameters and buffers, or of the ones with these names."""
        leaves = self._stepper.leaves
        return {
            name: as_array(leaves.values[number])
            for name, number in leaves.places.items()
            if (name.startswith("model.") if names is None else name in names)
        }

    def trace(self, names: Container[str], step: Callable[[], None], steps: int) -> Trace:
        """Return the trace of several steps, each taken by a call of ``step``."""
        with jax.enable_x64(True):
            recorder = JaxprRecorder(self.leaves(names))
            self._stepper.recorder = recorder
            try:
                for _ in range(steps):
                    step()
            finally:
                self._stepper.recorder = None
            return recorder.end()


class JaxRehearsing(Rehearsing):
    """Rehearses steps of a run: the losses are computed, and the leaves that are not trained."""

    def __init__(self, stepper: Stepper) -> None:
        self._stepper = stepper

    def rehearse(
        self,
        backwards: int,  # noqa: ARG002
        grads: int,  # noqa: ARG002
        gradient: float | None = None,  # noqa: ARG002
        *,
        whole: bool = False,  # noqa: ARG002
    ) -> None:
        """Take the next step up to its losses; its gradients are computed nowhere."""
        with readable(f"step({self._stepper.taken})"):
            self._stepper.rehearse()

    def loss_sums(self) -> list[float]:
        """Return the sum of all entries of each loss of the last step."""
        return self._stepper.loss_sums()
