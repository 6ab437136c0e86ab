"""The adapter for people's own PyTorch modules, optimisers and losses."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from symmetry.base.errors import SymmetryError, TargetError
from symmetry.base.raised import in_one_line
from symmetry.units.compare import Floats
from symmetry.units.state import DTYPES
from symmetry.units.words import a_kind

MakeModel = Callable[[int, int, int], nn.Module]
MakeOptimizer = Callable[[Iterator[nn.Parameter], float], torch.optim.Optimizer]
Loss = Callable[[Any, Tensor], Tensor]


def from_module(
    make_model: MakeModel, make_optimizer: MakeOptimizer, loss: Loss
) -> type[ModuleStep]:
    """Turn a PyTorch module, an optimiser and a loss into a two-layer step.

    Parameters
    ----------
    make_model
        Called as ``make_model(inputs, hidden, classes)``. The module must have exactly two
        ``nn.Linear`` layers, registered in the order in which they are applied: (inputs, hidden)
        and (hidden, classes). w1 and w2 are loaded into them, so that it does not matter how they
        are initialised. Other parameters (of a norm, of a PReLU) are the module's own: they begin
        as the module makes them, under a fixed seed, and are trained along.
    make_optimizer
        Called as ``make_optimizer(model.parameters(), lr)``. Its ``step`` is called without a
        closure, and its state lives as long as the training run.
    loss
        Called as ``loss(model(x), y)`` with the one-hot targets, a float tensor of shape (n, c), as
        ``nn.CrossEntropyLoss`` takes them. For a loss that wants class indices:
        ``lambda output, y: nn.functional.nll_loss(output, y.argmax(dim=1))``.

    Returns
    -------
    type
        A class without constructor arguments: a step that is instantiated once per training
        run. Model and optimiser are made in its first step, cast to the dtype of the arrays, and
        serve all steps of that run, in training mode: dropout that was left on is found. A layer
        without bias hands its row of w1 or w2 back as it came. Set the attribute ``dtypes`` on the
        class when the module takes one dtype only.

    Raises
    ------
    SymmetryError
        When one of the three is not what is to be called, but, say, a module already made.

    Examples
    --------
    >>> def make_model(inputs, hidden, classes):
    ...     first, second = nn.Linear(inputs, hidden), nn.Linear(hidden, classes)
    ...     return nn.Sequential(first, nn.Sigmoid(), second)
    >>> step = from_module(make_model, torch.optim.Adam, nn.CrossEntropyLoss())
    >>> from symmetry import check
    >>> check(step, only="symmetry/permutation", examples=10).ok
    True
    """
    _demand_makers(make_model, make_optimizer, loss)

    class FromModule(ModuleStep):
        def __init__(self) -> None:
            super().__init__(make_model, make_optimizer, loss)

    FromModule.__module__ = sys._getframe(1).f_globals.get("__name__", __name__)
    return FromModule


class ModuleStep:
    """The steps of one training run of a user's module."""

    dtypes: ClassVar[tuple[str, ...]] = DTYPES

    def __init__(self, make_model: MakeModel, make_optimizer: MakeOptimizer, loss: Loss) -> None:
        self._make_model, self._make_optimizer, self._loss = make_model, make_optimizer, loss
        self._made_for: tuple[Any, ...] | None = None

    @property
    def model(self) -> nn.Module | None:
        """The user's module, once a first step has made it."""
        return self._model if self._made_for else None

    def __call__(
        self, x: Floats, y: Floats, w1: Floats, w2: Floats, lr: float
    ) -> tuple[Floats, Floats]:
        """Load the weights, take one step of the optimiser, and read the weights back."""
        self._make_once(w1, w2, lr)
        first, second = self._layers
        _load(first, w1)
        _load(second, w2)
        self._model.train()
        self._optimizer.zero_grad()
        device = first.weight.device
        output = self._model(torch.from_numpy(x).to(device))
        self._measure_loss(output, torch.from_numpy(y).to(device)).backward()
        self._optimizer.step()
        return _read(first, w1), _read(second, w2)

    def _make_once(self, w1: Floats, w2: Floats, lr: float) -> None:
        made_for = (w1.shape, w2.shape, w1.dtype, lr)
        if self._made_for is None:
            self._model = _make_model(self._make_model, w1, w2)
            self._layers = _find_layers(self._model, w1, w2)
            self._optimizer = self._make_optimizer(self._model.parameters(), lr)
            self._made_for = made_for
        elif self._made_for != made_for:
            raise TargetError(
                "from_module: sizes, dtype or learning rate changed within one training run: "
                "the step is the class that from_module returns, not an instance of it"
            )

    def _measure_loss(self, output: Any, y: Tensor) -> Tensor:
        try:
            loss = self._loss(output, y)
        except (RuntimeError, ValueError, IndexError) as error:
            raise TargetError(
                f"from_module: loss(model(x), y) raised {in_one_line(error)}; "
                "y is the one-hot (n, c) float tensor: for class indices use y.argmax(dim=1)"
            ) from error
        tensor = isinstance(loss, Tensor)
        found = f"a tensor of shape {tuple(loss.shape)}" if tensor else a_kind(loss)
        wanted = "expected a tensor without dimensions"
        _demand(tensor and loss.ndim == 0, f"loss(model(x), y) returned {found}, {wanted}")
        return loss


def _demand(fulfilled: bool, text: str, kind: type[Exception] = TargetError) -> None:
    if not fulfilled:
        raise kind(f"from_module: {text}")


def _demand_makers(make_model: Any, make_optimizer: Any, loss: Any) -> None:
    _demand(
        callable(make_model) and not isinstance(make_model, nn.Module),
        "make_model must be a function or class that makes the model for given sizes, as "
        f"make_model(inputs, hidden, classes), not {a_kind(make_model)}",
        SymmetryError,
    )
    _demand(
        callable(make_optimizer),
        "make_optimizer must be a function or class that makes the optimiser, as "
        f"make_optimizer(parameters, lr), not {a_kind(make_optimizer)}",
        SymmetryError,
    )
    name = f"nn.{loss.__name__}()" if inspect.isclass(loss) else "nn.CrossEntropyLoss()"
    _demand(
        callable(loss) and not inspect.isclass(loss),
        f"loss must be an instance or a function: {name}, for example",
        SymmetryError,
    )


def _make_model(make_model: MakeModel, w1: Floats, w2: Floats) -> nn.Module:
    """Make the model, from the same random numbers every time and without using any up."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = make_model(w1.shape[0] - 1, w1.shape[1], w2.shape[1])
    found = f"make_model returned {a_kind(model)}, expected an nn.Module"
    _demand(isinstance(model, nn.Module), found)
    return model.to(torch.from_numpy(w1).dtype)


def _find_layers(model: nn.Module, w1: Floats, w2: Floats) -> tuple[nn.Linear, nn.Linear]:
    layers = {name: m for name, m in model.named_modules() if isinstance(m, nn.Linear)}
    names = f" ({', '.join(layers)})" if layers else ""
    _demand(
        len(layers) == 2,
        f"the model has {len(layers)} nn.Linear layers{names}, expected two: inputs to hidden, "
        "hidden to classes",
    )
    for (name, layer), place, w in zip(layers.items(), ("first", "second"), (w1, w2), strict=True):
        expected = (w.shape[0] - 1, w.shape[1])
        _demand(
            (layer.in_features, layer.out_features) == expected,
            f"the model's {place} nn.Linear layer, {name}, has {layer.in_features} inputs and "
            f"{layer.out_features} outputs, expected {expected[0]} and {expected[1]} from "
            f"make_model(inputs={w1.shape[0] - 1}, hidden={w1.shape[1]}, classes={w2.shape[1]})",
        )
    first, second = layers.values()
    own = [p for p in (first.weight, first.bias, second.weight, second.bias) if p is not None]
    _demand(
        all(isinstance(p, nn.Parameter) for p in own),
        "a weight of the model's nn.Linear layers is computed from other parameters (weight_norm, "
        "pruning ...), so that no weights can be loaded into it",
    )
    _demand(
        len({id(p) for p in own}) == len(own),
        "the model's two nn.Linear layers share a parameter, so that w1 and w2 cannot both be "
        "loaded",
    )
    return first, second


def _load(layer: nn.Linear, w: Floats) -> None:
    """Copy w into the layer: the parameters stay the ones that the optimiser knows."""
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(w[1:].T))
        if layer.bias is not None:
            layer.bias.copy_(torch.from_numpy(w[0]))


def _read(layer: nn.Linear, old: Floats) -> Floats:
    """Return the layer's weight transposed, below the row of its bias."""
    bias = torch.from_numpy(old[0]) if layer.bias is None else layer.bias.detach().cpu()
    w: Floats = torch.vstack([bias, layer.weight.detach().cpu().T]).numpy()
    return w
