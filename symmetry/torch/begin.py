"""Beginning a run: a training is called under seeds, and promoted if it is to run in float64.

Models are made again and again, so the numbers that large tensors are filled with at random are
drawn once for all runs of a training.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy
from torch.utils._python_dispatch import TorchDispatchMode

from symmetry.base.calls import calling, running
from symmetry.base.errors import TrainingError
from symmetry.base.patches import patched
from symmetry.base.randomness import generators
from symmetry.base.randomness.generators import RandomStates
from symmetry.base.randomness.unseeded import giving_seeds
from symmetry.torch.compiler import forget_compiled
from symmetry.torch.modes.filled_rows import seeing_filled_rows
from symmetry.torch.objects import Objects, make_objects
from symmetry.torch.parts.rehearsal import TorchRehearsing
from symmetry.torch.raising import readable
from symmetry.torch.run import TorchRun, promote
from symmetry.torch.state import parameters_of
from symmetry.torch.trials.functions import applied_in_python
from symmetry.training.run import AS_WRITTEN, RunSettings


def begin(
    name: str,
    make: Callable[[], Any],
    settings: RunSettings = AS_WRITTEN,
    cache: dict[Any, Any] | None = None,
) -> TorchRun:
    """Call a function that makes a training, under seeds of all random numbers.

    Parameters
    ----------
    name, make
        The training's name, for messages, and the function.
    settings
        Those of the run.
    cache
        Where runs of this training keep the random numbers that their models start from; None if
        they keep nothing.

    Raises
    ------
    TrainingError
        If the function raises, or returns anything but a training.
    """
    forget_compiled()
    running.run, running.step = running.run + 1, 0
    kind = ("training", name, settings.dtype)
    with generators.kept(generators.shared()), giving_seeds():
        generators.seed_all(settings.seed)
        remembering = nullcontext() if cache is None else InitCache(cache)
        kept = patched(applied_in_python())
        with readable(f"{name}()"), calling(*kind), remembering, seeing_filled_rows(), kept:
            objects = make_objects(name, make)
        if any(map(is_lazy, objects.model.parameters())):
            _call_lazy(name, objects)
        with readable(f"{name}()"), calling(*kind):
            if settings.promotes:
                promote(objects)
        random_states = RandomStates(generators.states_of(generators.shared()))
    return TorchRun(name, objects, _parameters(name, objects), random_states, settings)


def _call_lazy(name: str, objects: Objects) -> None:
    """Give lazy modules their parameters, as their first call does: up to the first backward.

    Then the run begins with the same batch, and the same random numbers.
    """
    states = RandomStates(generators.states_of(generators.shared()))
    run = TorchRun(name, objects, {}, states, AS_WRITTEN)
    TorchRehearsing(run, run.arrays, run.events).rehearse(1, 0)
    running.step = 0


def _parameters(name: str, objects: Objects) -> dict[str, nn.Parameter]:
    """Return the parameters by the names that the state has."""
    with readable("reading its state"):
        parameters = parameters_of(objects)
    if not parameters:
        raise TrainingError(f"{name}: the model has no parameters")
    for each, parameter in parameters.items():
        if parameter.is_meta:
            raise TrainingError(f"{name}: {each} is on the device meta, without numbers")
    return parameters


_DRAWS = torch.ops.aten.normal_.default, torch.ops.aten.uniform_.default
_MANY = 10_000  # entries: to draw fewer takes no time


class InitCache(TorchDispatchMode):
    """Remembers what large tensors are filled with at random: models are made again and again.

    ``known`` is what was drawn before, by all that decides on it; it grows.
    """

    def __init__(self, known: dict[Any, tuple[Tensor, Tensor]]) -> None:
        super().__init__()
        self._known = known

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        tensor: Any = args[0] if args else None
        if (
            func not in _DRAWS
            or kwargs.get("generator") is not None
            or type(tensor) not in (Tensor, nn.Parameter)
            or not (tensor.is_cpu and tensor.numel() >= _MANY)
        ):
            return func(*args, **kwargs)
        state = torch.get_rng_state().numpy().tobytes()
        key = func, tensor.shape, tensor.stride(), tensor.dtype, *args[1:], hash(state)
        if key not in self._known:
            func(*args, **kwargs)
            self._known[key] = tensor.detach().clone(), torch.get_rng_state()
        else:
            values, after = self._known[key]
            tensor.copy_(values)
            torch.set_rng_state(after)
        return tensor
