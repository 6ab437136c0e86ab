"""A training made of copies: of a model that exists, and of its optimiser without its state."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.loss import _Loss
from torch.utils._pytree import tree_leaves, tree_map

from symmetry.base.errors import SymmetryError
from symmetry.base.raised import raised_as
from symmetry.base.randomness import generators
from symmetry.torch.watch.calls import hooked
from symmetry.units.words import a_kind

Loss = Callable[[Any, Any], Any]

_AS_IN = "as in lambda model, batch: nn.functional.cross_entropy(model(batch[0]), batch[1])"
_RATE = 0.01  # of plain gradient descent, where no optimiser is given


class CopiedTraining:
    """Makes trainings of a model: each has copies of the model and the batch, on the CPU.

    Example: ``CopiedTraining(model, (x, y), loss, optimizer)`` is a function without parameters
    that returns ``(copy, step, extras)``. Each step is ``zero_grad``, ``loss(copy, batch)``,
    ``backward`` and the step of a fresh optimiser of the same kind, whose groups hold the same
    parameters of the copy with the same settings. A model in evaluation mode is trained, too.

    Raises
    ------
    SymmetryError
        If something of it cannot be copied or is of another kind.
    """

    def __init__(self, model: Any, batch: Any, loss: Loss | None, optimizer: Any) -> None:
        if not isinstance(model, nn.Module):
            raise SymmetryError(f"the model must be an nn.Module, not {a_kind(model)}")
        if loss is not None and not callable(loss):
            raise SymmetryError(
                f"the loss must be a function loss(model, batch), not {a_kind(loss)}: {_AS_IN}"
            )
        if _takes_outputs(loss) and not (isinstance(batch, tuple | list) and len(batch) == 2):
            raise SymmetryError(
                f"{_name(loss)} takes outputs and targets, and the batch is no pair of inputs and "
                f"targets: give a function loss(model, batch), {_AS_IN}"
            )
        if optimizer is not None and not isinstance(optimizer, torch.optim.Optimizer):
            raise SymmetryError(
                f"the optimizer must be a torch.optim.Optimizer, not {a_kind(optimizer)}"
            )
        self.name = type(model).__name__
        self._batch = _copied_batch(batch)
        self._loss = _on_outputs(loss) if _takes_outputs(loss) else loss or _own_loss
        memo: dict[int, Any] = {}
        with raised_as(SymmetryError, f"copying the model {self.name}"):
            self._model = deepcopy(model, memo).cpu()
        if not self._model.training:
            self._model.train()
        self._kind: type[Any] = torch.optim.SGD
        self._settings: dict[str, Any] = {"lr": _RATE}
        self._groups = [{"params": [*self._model.parameters()]}]
        if optimizer is not None:
            self._kind = type(optimizer)
            known = inspect.signature(self._kind).parameters
            self._settings = {k: v for k, v in optimizer.defaults.items() if k in known}
            self._groups = [_copied_group(group, memo) for group in optimizer.param_groups]

    def __call__(self) -> tuple[nn.Module, Callable[[Any], None], dict[str, Any]]:
        """Return a model, its step, and the batch of each step: always the same one."""
        memo: dict[int, Any] = {}
        model = deepcopy(self._model, memo)
        groups = [_copied_group(group, memo) for group in self._groups]
        optimizer = self._kind(groups, **deepcopy(self._settings))

        def step(batch: Any) -> None:
            optimizer.zero_grad()
            self._loss(model, batch).backward()
            optimizer.step()

        return model, step, {"batch": lambda _: _copied_batch(self._batch)}

    def refuse(self) -> None:
        """Call the loss once, on copies, and refuse a training that cannot be checked.

        Raises
        ------
        SymmetryError
            If a fresh optimiser cannot be made, the loss raises, or it is no scalar that depends on
            the parameters.
        """
        with generators.kept(generators.shared()):
            with raised_as(SymmetryError, f"making another {self._kind.__name__}"):
                model, _, extras = self()
            with raised_as(SymmetryError, "loss(model, batch)", _hint):
                loss = self._loss(model, extras["batch"](0))
        if not isinstance(loss, Tensor) or loss.numel() != 1:
            shape = f" of shape {tuple(loss.shape)}" if isinstance(loss, Tensor) else ""
            raise SymmetryError(
                f"loss(model, batch) returned {a_kind(loss)}{shape}, expected a scalar tensor"
            )
        if not loss.requires_grad:
            raise SymmetryError(
                "loss(model, batch) returned a loss without a gradient: no parameter leads to it"
            )


@contextmanager
def untouched(model: nn.Module) -> Iterator[None]:
    """Refuse calls of a model while the block runs: a loss is to use the copy that it is given."""

    def refuse(*_: Any) -> None:
        raise SymmetryError("loss(model, batch) calls another model than the one it is given")

    with hooked(model.modules(), enter=refuse):
        yield


def _takes_outputs(loss: Any) -> bool:
    """Return whether PyTorch defines a loss: as a function of outputs and targets."""
    return isinstance(loss, _Loss) or (
        inspect.isfunction(loss) and getattr(nn.functional, loss.__name__, None) is loss
    )


def _on_outputs(loss: Any) -> Loss:
    """Return a loss of outputs and targets as a function of the model and a batch of two."""
    own = deepcopy(loss).cpu() if isinstance(loss, nn.Module) else loss
    return lambda model, batch: own(model(batch[0]), batch[1])


def _hint(raised: str) -> str:
    """Return how a loss is called, where it may take other arguments."""
    wrong = raised.startswith("TypeError")
    return f"; it is called with the model and the batch, {_AS_IN}" if wrong else ""


def _name(loss: Any) -> str:
    return type(loss).__name__ if isinstance(loss, nn.Module) else str(loss.__name__)


def _own_loss(model: Any, batch: Any) -> Any:
    """Return the loss that a model computes itself, as those of transformers do."""
    returned = model(**batch) if isinstance(batch, dict) else model(*batch)
    loss = (
        returned.get("loss") if isinstance(returned, Mapping) else getattr(returned, "loss", None)
    )
    if loss is None:
        raise SymmetryError(
            f"the model returned {a_kind(returned)} without a loss: give loss(model, batch), or "
            "labels in the batch"
        )
    return loss


def _copied_batch(batch: Any) -> Any:
    """Copy a tensor, a tuple or a mapping of tensors, which may be nested."""
    batch = dict(batch) if isinstance(batch, Mapping) else batch
    if not any(isinstance(leaf, Tensor) for leaf in tree_leaves(batch)):
        raise SymmetryError(
            f"the batch must be a tensor, or a tuple or mapping of tensors, not {a_kind(batch)}"
        )
    return tree_map(_copied_leaf, batch)


def _copied_leaf(leaf: Any) -> Any:
    if isinstance(leaf, Tensor):
        return leaf.detach().cpu().clone().requires_grad_(leaf.requires_grad)
    return deepcopy(leaf)


def _copied_group(group: Mapping[str, Any], memo: Mapping[int, Any]) -> dict[str, Any]:
    """Return a group of an optimiser that holds the copies of its parameters."""
    for parameter in group["params"]:
        if id(parameter) not in memo:
            raise SymmetryError(
                f"the optimizer holds a tensor of shape {tuple(parameter.shape)} that is no "
                "parameter of the model"
            )
    settings = {k: v for k, v in group.items() if k not in ("params", "param_names")}
    return {**deepcopy(settings), "params": [memo[id(parameter)] for parameter in group["params"]]}
