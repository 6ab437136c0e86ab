"""The layers of a run's model."""

from __future__ import annotations

from collections.abc import Mapping

from torch import nn

from symmetry.base import ranks
from symmetry.torch.making import creation_of
from symmetry.torch.state import is_distributed, layers_of, unwrapped
from symmetry.training.capabilities.layered import UNKNOWN, Creation, Layered


class TorchLayers(Layered):
    """The layers of a PyTorch model."""

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
