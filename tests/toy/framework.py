"""The toy library as a framework of trainings: its runs, and what they are able to do."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from symmetry.base.errors import TrainingError
from symmetry.base.randomness.generators import seed_all
from symmetry.observe.source_line import users_line
from symmetry.training.capabilities.batching import Reordering
from symmetry.training.capabilities.model import Differentiating, Layered
from symmetry.training.capabilities.observing import Rehearsing, Tracing
from symmetry.training.capabilities.step_events import StepEvents
from symmetry.training.frameworks import OtherFrameworkError
from symmetry.training.run import RunSettings
from symmetry.training.trace import Node, Trace, weights
from symmetry.units.state import Array, State
from tests.toy.library import FORWARD, Network, Tensor, Watcher, watchers

LIBRARY = "tests.toy.library"
KINDS = StepEvents, Rehearsing, Tracing, Differentiating, Layered, Reordering


class EndError(Exception):
    """A step ends at its loss."""


class ToyRun(Watcher, *KINDS):
    """One run, with all of its capabilities; it is a ``Run``."""

    trained = property(lambda self: frozenset(self.parameters))
    loss = property(lambda self: sum(self.losses) if self.losses else None)
    capabilities = frozenset(KINDS)
    random: Mapping[tuple[str, str], None] = {}
    model_name, sharded = "Network", False

    def __init__(self, made: tuple[Any, ...], settings: RunSettings) -> None:
        super().__init__()
        self.network, self._step, extras = (*made, {})[:3]
        self.batch: Callable[[int], Any] = extras.get("batch", lambda i: i)
        self.settings, self.taken = settings, 0
        self.losses: list[float] = []
        self.until, self.tracer = 0, _Tracer({})
        if settings.promotes:
            for tensor in self.network.tensors.values():
                tensor.array = tensor.array.astype(np.float64)

    def capability(self, kind: type) -> Any:
        return self if kind in self.capabilities else None

    @property
    def parameters(self) -> dict[str, Array]:
        return {f"model.{name}": t.array for name, t in self.network.tensors.items()}

    def state(self, *, copy: bool = True) -> dict[str, Array]:
        return {name: a.copy() if copy else a for name, a in self.parameters.items()}

    parameter_arrays = state

    def load(self, state: State) -> None:
        for name, array in self.parameters.items():
            array[...] = state.get(name, array)

    def precision(self) -> dict[str, float]:
        return {name: float(np.finfo(a.dtype).eps) for name, a in self.parameters.items()}

    def step(self) -> None:
        self.losses, self.backwards = [], 0
        given = self.batch(self.taken)
        if isinstance(given, tuple):
            given = tuple(self._rearranged(np.asarray(array)) for array in given)
        watchers.append(self)
        try:
            self._step(given)
        except EndError:
            pass
        except Exception as error:
            raise TrainingError(f"step({self.taken}) raises {error!r}") from error
        finally:
            watchers.pop()
        self.taken += 1

    def _rearranged(self, array: Array) -> Array:
        order = self.settings.sample_order
        array = array if order is None else array[order]
        return array.astype(np.float64) if self.settings.promotes else array

    def states(self, steps: int, *, copy: bool = True) -> Iterator[dict[str, Array]]:
        for _ in range(steps):
            self.step()
            yield self.state(copy=copy)

    def samples(self) -> int | None:
        given = self.batch(0)
        return len(given[0]) if isinstance(given, tuple) else None

    def average_constants(self, constants: Mapping[int, Sequence[int]]) -> None: ...

    def constants_outside_forward(self, steps: int) -> Sequence[Any]:
        self.taken += steps
        return []

    def round_by(self, seed: int | None, *, closely: bool = False) -> None: ...

    def close(self) -> None: ...

    # A watcher

    def called(self, result: Tensor) -> None:
        self.tracer.add(result)

    def differentiates(self, loss: Tensor) -> None:
        self.losses.append(float(loss.array))
        self.tracer.losses.append(loss)
        self.emit("on_loss", loss.array)
        if len(self.losses) == self.until:
            raise EndError

    def differentiated(self) -> None:
        self.backwards, self.pending = self.backwards + 1, True
        self.emit("after_backward")

    def updated(self) -> None:
        self.updates, self.pending = self.updates + 1, False

    # Capabilities

    def gradients(self) -> dict[str, Array]:
        named = self.network.tensors.items()
        return {f"model.{n}": t.gradient.copy() for n, t in named if t.gradient is not None}

    def follow_samples(self, count: int) -> Mapping[str, bool]:
        return {}

    def rehearse(self, backwards: int, grads: int, gradient: Any = None, **_: Any) -> None:
        self.until = backwards
        self.step()
        self.until = 0

    def loss_sums(self) -> list[float]:
        return self.losses

    @property
    def layers(self) -> Mapping[str, tuple[int, int]]:
        return {name: (1, a.shape[1]) for name, a in self.parameters.items() if a.ndim == 2}

    output_on_axis_1 = property(lambda self: frozenset(self.layers))

    def leaves(self, names: Container[str] | None = None) -> dict[str, Array]:
        return {n: a for n, a in self.state().items() if names is None or n in names}

    def trace(self, names: Container[str], step: Callable[[], None], steps: int) -> Trace:
        named = {f"model.{name}": t for name, t in self.network.tensors.items()}
        self.tracer = _Tracer({name: t for name, t in named.items() if name in names})
        for _ in range(steps):
            step()
        return self.tracer.ended()


class _Tracer:
    """Makes a trace of tensors."""

    def __init__(self, leaves: Mapping[str, Tensor]) -> None:
        self.trace, self.losses = Trace(), list[Tensor]()
        self._numbers: dict[int, int] = {}
        self._kept: list[Tensor] = []  # so that no other one gets its id
        self.trace.leaves = {name: self._number(tensor) for name, tensor in leaves.items()}
        self.trace.finals = {**self.trace.leaves}

    def add(self, result: Tensor) -> None:
        self._node(FORWARD[result.operation], result.inputs, result)

    def _node(self, forward: Callable[..., Any], inputs: Sequence[Tensor], to: Tensor) -> None:
        numbers = tuple(map(self._number, inputs))
        arrays = [self.trace.arrays[number] for number in numbers]

        def perform(other: Mapping[int, Array]) -> list[Array]:
            given = [other.get(position, array) for position, array in enumerate(arrays)]
            return [np.asarray(forward(*given))]

        made = (self._number(to),)
        self.trace.add(Node(numbers, made, frozenset(), perform, to.operation, users_line()))

    def _number(self, tensor: Tensor) -> int:
        if id(tensor) not in self._numbers:
            self._numbers[id(tensor)] = len(self.trace.arrays)
            self.trace.arrays.append(np.array(tensor.array, np.float64))
            self._kept.append(tensor)
        return self._numbers[id(tensor)]

    def ended(self) -> Trace:
        """Return the trace, with the weighted sum of all losses."""

        def weighed(*losses: Array) -> Any:
            return sum(a * w for a, w in zip(losses, weights(len(losses)), strict=True))

        total = Tensor(np.asarray(weighed(*(loss.array for loss in self.losses))), "sum")
        self._node(weighed, self.losses, total)
        self.trace.loss = self._number(total)
        return self.trace


def begin(name: str, make: Callable[[], Any], settings: RunSettings, cache: Any = None) -> ToyRun:
    """Begin a run of what a function makes."""
    seed_all(settings.seed)
    made = make()
    if not recognises(made):
        raise OtherFrameworkError(f"{name} returns no network", made)
    return ToyRun(made, settings)


def recognises(returned: Any) -> bool:
    """Return whether a function that returns this is a training of the toy library."""
    return isinstance(returned, tuple) and isinstance(returned[0], Network)
