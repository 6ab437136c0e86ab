"""The probe of a PyTorch run: see ``symmetry.training.losses``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn._reduction import legacy_get_string
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils._pytree import tree_map

from symmetry.observe.source_line import SourceLine
from symmetry.torch.graph import makers
from symmetry.torch.modes.filled_rows import seeing_filled_rows
from symmetry.torch.probes.embeddings import EmbeddingCall, Embeddings, padded
from symmetry.torch.probes.losses import Distributions, FunctionCall, Losses
from symmetry.torch.probes.masks import KeyMasks
from symmetry.torch.probes.pairs import ALL, Pairs, PairSlopes
from symmetry.torch.probes.positions import Positions
from symmetry.torch.probes.sums import Norms, Sums
from symmetry.torch.state import as_array, has_numbers, is_readable
from symmetry.torch.watch.calls import ModuleCall, ModuleCalls
from symmetry.torch.watch.functions import FunctionCalls
from symmetry.torch.watch.operations import tensors_in
from symmetry.training.losses import (
    Argument,
    LossCall,
    LossProbe,
    Moved,
    Observed,
    Padded,
    Pair,
    Tokens,
)
from symmetry.units.state import Array

_WHOLE = (torch.int64, torch.int32)
_FEWEST = 3  # tokens in a row
_CLASSES = ("cross_entropy", "nll_loss")


class TorchLossProbe(LossProbe):
    """Sees the steps of one run of a PyTorch training; it is a ``LossProbe``.

    Parameters
    ----------
    model
        What is trained.
    step
        Returns the number of the step that is being taken.
    """

    def __init__(self, model: nn.Module, step: Callable[[], int]) -> None:
        self._model, self._step = model, step

    @contextmanager
    def observed(self) -> Iterator[Observed]:
        """Collect facts about losses, pairs and tokens."""
        found = Observed()
        mask: list[Array] = []  # of the outermost call that is going on

        def see_loss(call: FunctionCall) -> None:
            facts = _facts(call, self._step())
            found.losses += [] if facts is None else [facts]

        def see_call(call: ModuleCall) -> None:
            found.rows = found.rows or any(map(_may_be_rows, tensors_in((call.args, call.kwargs))))
            if self._step() == 0:
                found.tokens += _tokens_of(call)
                mask[:] = _mask_of(call)

        def see_embedding(call: EmbeddingCall) -> None:
            if self._step() == 0 and _are_tokens(call.tokens):
                found.padded += padded(call, mask)

        def see_mask(hidden: Array, place: SourceLine) -> None:
            if self._step() == 0:
                found.hidden.append((hidden, place))

        def see_sum(shape: tuple[int, ...], place: SourceLine) -> None:
            found.sums.append((shape, place))

        def see_norm(shape: tuple[int, ...], place: SourceLine) -> None:
            found.norms.append((shape, place))

        with (
            seeing_filled_rows(),
            ModuleCalls(self._model, before=see_call).hooked(),
            Distributions(see_loss).seen(),
            FunctionCalls(
                Losses(see_loss),
                Pairs(found.pairs.append),
                Sums(see_sum),
                Norms(see_norm),
                Embeddings(see_embedding),
                KeyMasks(see_mask),
            ),
        ):
            yield found

    @contextmanager
    def rolled(self, pair: Pair) -> Iterator[None]:
        """Move each entry of the data of a pair to the next sample, in this operation alone."""
        with FunctionCalls(Pairs(lambda _: None, rolled=pair.number)):
            yield

    @contextmanager
    def all_rolled(self) -> Iterator[None]:
        """Move the data of all pairs to the next sample, and data that their tables meet."""
        with FunctionCalls(Pairs(lambda _: None, rolled=ALL)):
            yield

    @contextmanager
    def slopes(self, pair: Pair, *, rolled: bool) -> Iterator[list[Array]]:
        """Collect the gradient of the trained side of a pair, its data ``rolled`` or not."""
        slopes = PairSlopes(pair.number)
        number = pair.number if rolled else None
        with FunctionCalls(Pairs(lambda _: None, rolled=number, slopes=slopes)):
            yield slopes.found

    @contextmanager
    def outputs(self, tokens: Tokens) -> Iterator[dict[int, Array]]:
        """Give a call these tokens; collect what losses of classes are given."""
        found: dict[int, Array] = {}
        with self._given(tokens), Losses(_scores_into(found)).seen():
            yield found

    @contextmanager
    def padded(self, given: Padded, tokens: Array) -> Iterator[dict[int, Array]]:
        """Let an embedding look up other tokens; collect what losses of classes are given."""
        found: dict[int, Array] = {}

        def see(call: EmbeddingCall) -> Tensor | None:
            return torch.as_tensor(tokens).to(call.tokens) if call.number == given.call else None

        with self._given(None), FunctionCalls(Losses(_scores_into(found)), Embeddings(see)):
            yield found

    @contextmanager
    def counted(self, loss: LossCall) -> Iterator[list[Array]]:
        """Collect which rows of the input of a loss of classes get a gradient from it."""
        found: list[Array] = []

        def see(call: FunctionCall) -> dict[str, Any] | None:
            scores = call.arguments["input"]
            if call.number != loss.number or not scores.requires_grad:
                return None
            own = scores.view_as(scores)  # other losses may be given the same tensor
            own.register_hook(lambda g: found.append(_whole((_rows(g) != 0).any(-1))))
            return {"input": own}

        with Losses(see).seen():
            yield found

    @contextmanager
    def positions(self, tokens: Tokens) -> Iterator[list[tuple[Moved, Any, Any]]]:
        """Give a call these tokens; collect each module call with its inputs and its output."""
        positions = Positions(self._model, tokens.array.shape)
        with self._given(tokens), positions.seen():
            yield positions.found

    @contextmanager
    def _given(self, tokens: Tokens | None) -> Iterator[None]:
        """Replace the tokens of a call, if any; let no call take statistics of its batch."""

        def before(call: ModuleCall) -> tuple[Any, Any] | None:
            for module in call.module.modules():
                if isinstance(module, _BatchNorm):
                    module.training = False
            if tokens is None or call.number != tokens.call:
                return None
            return _replaced(call, tokens)

        with ModuleCalls(self._model, before=before).hooked():
            yield


def _facts(call: FunctionCall, step: int) -> LossCall | None:
    """Return the facts about a call; None if it is given numbers that cannot be read."""
    given = call.arguments.items()
    tensors = {name: value for name, value in given if isinstance(value, Tensor)}
    if not all(map(is_readable, tensors.values())):
        return None
    arguments = {name: _argument(tensor) for name, tensor in tensors.items()}
    options = {name: value for name, value in given if name not in tensors}
    if options.get("size_average") is not None or options.get("reduce") is not None:
        options["reduction"] = legacy_get_string(options["size_average"], options["reduce"], False)
    return LossCall(call.number, step, call.function, arguments, options, call.place)


def _argument(tensor: Tensor) -> Argument:
    array = as_array(tensor, copy=False) if has_numbers(tensor) else _whole(tensor)
    return Argument.of(array, trained=tensor.requires_grad, makers=makers(tensor))


def _whole(tensor: Tensor) -> Array:
    array: Array = tensor.detach().cpu().numpy()
    return array


def _tokens_of(call: ModuleCall) -> Sequence[Tokens]:
    return [
        Tokens(call.number, number, _whole(tensor))
        for number, tensor in enumerate(tensors_in((call.args, call.kwargs)))
        if _are_tokens(tensor)
    ]


def _are_tokens(tensor: Tensor) -> bool:
    whole = tensor.dtype in _WHOLE and is_readable(tensor)
    return whole and tensor.ndim == 2 and tensor.shape[1] >= _FEWEST


def _may_be_rows(tensor: Tensor) -> bool:
    """Return whether a call that is given this may be one on rows of tokens: see ``tokens_of``."""
    axes = 3 if tensor.is_floating_point() else 2
    return bool(tensor.ndim == axes)


def _mask_of(call: ModuleCall) -> list[Array]:
    """Return the attention mask that a call is given, if it is."""
    mask = call.named.get("attention_mask")
    return [_whole(mask)] if isinstance(mask, Tensor) and is_readable(mask) else []


def _scores_into(found: dict[int, Array]) -> Callable[[FunctionCall], None]:
    """Return what puts the input of each loss of classes into a mapping, as rows."""

    def see(call: FunctionCall) -> None:
        scores = call.arguments.get("input")
        if call.function in _CLASSES and isinstance(scores, Tensor) and is_readable(scores):
            found[call.number] = as_array(_rows(scores))

    return see


def _rows(scores: Tensor) -> Tensor:
    """Return scores of classes as rows: samples and positions, as they come."""
    last = scores.movedim(1, -1) if scores.ndim > 1 else scores[None]
    return last.flatten(0, -2)


def _replaced(call: ModuleCall, tokens: Tokens) -> tuple[Any, Any]:
    number = -1

    def change(value: Any) -> Any:
        nonlocal number
        number += isinstance(value, Tensor)
        if not isinstance(value, Tensor) or number != tokens.argument:
            return value
        return torch.as_tensor(tokens.array).to(value)

    args, kwargs = tree_map(change, (call.args, call.kwargs))
    return args, kwargs
