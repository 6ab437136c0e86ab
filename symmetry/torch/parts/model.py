"""The model of a run: its layers, and the optimisers that update it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from symmetry.base import ranks
from symmetry.torch.creation import creation_of
from symmetry.torch.objects import Objects, held_by
from symmetry.torch.state import is_distributed, layers_of, unwrapped
from symmetry.training.capabilities.model import (
    UNKNOWN,
    Creation,
    Freezing,
    Layered,
    Optimizer,
    Optimizing,
)


class TorchLayers(Layered):
    """The layers of a PyTorch model."""

    initialised = "as PyTorch does, or by nn.init.xavier_uniform_"

    def __init__(self, model: nn.Module, parameters: Mapping[str, nn.Parameter]) -> None:
        self._model, self._parameters = model, parameters

    @property
    def model_name(self) -> str:
        """The name of the model's class."""
        return type(self._model).__name__

    @property
    def output_on_axis_1(self) -> frozenset[str]:
        """Weights whose output axis is 1, not 0: embeddings, transposed convolutions."""
        return frozenset(
            f"model.{unwrapped(name)}.weight"
            for name, module in self._model.named_modules()
            if getattr(module, "transposed", isinstance(module, nn.Embedding | nn.EmbeddingBag))
        )

    @property
    def layers(self) -> dict[str, tuple[int, int]]:
        """The matrices of layers, with the axis along which they make units, and how many."""
        return layers_of(self._model, self._parameters, self.output_on_axis_1)

    def creation(self, parameter: str) -> Creation:
        """Return where the module of a parameter was made, or the one around it with a line."""
        words = parameter.removeprefix("model.").split(".")[:-1]
        paths = [".".join(words[:length]) for length in range(len(words), -1, -1)]
        modules = dict(self._model.named_modules())
        found = (creation_of(modules[path]) for path in paths if path in modules)
        return next((each for each in found if each.place.file), UNKNOWN)

    @property
    def sharded(self) -> bool:
        """Whether ranks hold parameters in parts, as ``DTensor``."""
        return ranks.world() > 1 and any(map(is_distributed, self._parameters.values()))


class TorchOptimizer(Optimizer):
    """An optimiser as a run shows it to others.

    Attributes
    ----------
    optimizer
        The object that the training made.
    kind
        The name of its class.
    """

    def __init__(self, optimizer: Any, names: Mapping[int, str]) -> None:
        self.optimizer, self.kind = optimizer, type(optimizer).__name__
        self._names = names  # of parameters, by id
        self._kept: list[tuple[dict[str, Any], Any]] = []  # groups, with the rates that they had

    def rates(self) -> dict[str, float | None]:
        """Return the learning rate of each parameter that it holds; None where it has none."""
        return {
            self._names[id(parameter)]: None if group.get("lr") is None else float(group["lr"])
            for group in self.optimizer.param_groups
            for parameter in group["params"]
            if id(parameter) in self._names
        }

    @property
    def creation(self) -> Creation:
        """Where it was made."""
        return creation_of(self.optimizer)

    @property
    def scheduled(self) -> bool:
        """Whether something but its constructor sets its rates, such as a scheduler."""
        first = getattr(self.optimizer, "defaults", {}).get("lr")
        groups = self.optimizer.param_groups
        return any("initial_lr" in group or group.get("lr") != first for group in groups)

    def zero_rates(self) -> None:
        """Set all learning rates to zero, up to ``restore_rates``."""
        self._kept = [(group, group["lr"]) for group in self.optimizer.param_groups]
        for group, rate in self._kept:
            group["lr"] = rate * 0

    def restore_rates(self) -> None:
        """Set the learning rates to what they were before ``zero_rates``."""
        for group, rate in self._kept:
            group["lr"] = rate


class TorchOptimizers(Optimizing, Freezing):
    """The optimisers of a run."""

    def __init__(self, objects: Objects, parameters: Mapping[str, nn.Parameter]) -> None:
        self._parameters = parameters
        self.names = {id(parameter): name for name, parameter in parameters.items()}
        self._named = {n: TorchOptimizer(o, self.names) for n, o in objects.optimizers.items()}

    @property
    def optimizers(self) -> Mapping[str, TorchOptimizer]:
        """The optimisers by name, in the order in which they were made."""
        return self._named

    @property
    def held(self) -> frozenset[str]:
        """The parameters that an optimiser holds."""
        ids = {id(p) for o in self._named.values() for p in held_by(o.optimizer)}
        return frozenset(name for name, p in self._parameters.items() if id(p) in ids)

    @property
    def trainable(self) -> frozenset[str]:
        """The parameters that require a gradient."""
        return frozenset(name for name, p in self._parameters.items() if p.requires_grad)

    def of(self, optimizer: Any) -> TorchOptimizer:
        """Return an optimiser as others see it; it may be one that has no name here."""
        known = (o for o in self._named.values() if o.optimizer is optimizer)
        return next(known, None) or TorchOptimizer(optimizer, self.names)
