"""The probe of a PyTorch run: see ``symmetry.training.losses``.

Its parts see the tokens that embeddings look up and which of them are padding, the keys that
attention is told to leave out, the calls of all modules with one number for each position of a
text, and sums and norms over all entries of a tensor, each with the user's line.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import permutations
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn._reduction import legacy_get_string
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils._pytree import tree_map

from symmetry.observe.source_line import SourceLine, users_line
from symmetry.torch.graph import is_bootstrapped, makers
from symmetry.torch.modes.filled_rows import padding_of, seeing_filled_rows
from symmetry.torch.probes.losses import Distributions, FunctionCall, Losses, signature
from symmetry.torch.probes.pairs import ALL, Pairs, PairSlopes
from symmetry.torch.state import as_array, has_numbers, is_readable
from symmetry.torch.watch.calls import ModuleCall, ModuleCalls, hooked, in_forward
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
from symmetry.training.texts import padding_by_mask, padding_by_number
from symmetry.units.state import Array


@dataclass(frozen=True)
class EmbeddingCall:
    """One call of an embedding."""

    number: int  # the calls of a run are counted from 0
    tokens: Tensor  # the numbers that are looked up
    padding: int | None  # the number that is padding (``padding_idx``); None if none is


class Embeddings:
    """Sees each call of an embedding; it may look up other tokens. It is a ``FunctionListener``.

    Parameters
    ----------
    see
        Called with each call. It may return other tokens of the same shape.
    """

    functions: frozenset[Hashable] = frozenset({functional.embedding})

    def __init__(self, see: Callable[[EmbeddingCall], Tensor | None]) -> None:
        self._see, self._number = see, 0

    def see(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, Any]:
        """Return the arguments, the tokens perhaps replaced."""
        given = signature(func).bind(*args, **kwargs).arguments
        padding = given.get("padding_idx")
        if padding is not None:
            padding %= len(given["weight"])
        other = self._see(EmbeddingCall(self._number, given["input"], padding))
        self._number += 1
        return (args, kwargs) if other is None else ((), {**given, "input": other})


def padded(call: EmbeddingCall, masks: Iterable[Array]) -> Iterator[Padded]:
    """Yield which tokens of a call are padding, if that is certain.

    A mask says so, or what has filled the rows up, or their number.
    """
    tokens = call.tokens.detach().cpu().numpy()
    found = [(padding_by_mask(tokens, mask), "mask") for mask in masks]
    if (filled := padding_of(call.tokens)) is not None:
        found.append((padding_by_mask(tokens, ~filled), "filled"))
    if call.padding is not None:
        found.append((padding_by_number(tokens, call.padding), "number"))
    for padding, known_by in found:
        if padding is not None:
            yield Padded(call.number, tokens, padding, known_by)
            return


class KeyMasks:
    """Sees each ``key_padding_mask`` of ``nn.MultiheadAttention``; it is a ``FunctionListener``.

    Parameters
    ----------
    see
        Called with which keys are left out, (batch, keys), and the user's line.
    """

    functions: frozenset[Hashable] = frozenset({functional.multi_head_attention_forward})

    def __init__(self, see: Callable[[Array, SourceLine], None]) -> None:
        self._see = see

    def see(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, Any]:
        """Return the arguments as they are."""
        mask = signature(func).bind(*args, **kwargs).arguments.get("key_padding_mask")
        if isinstance(mask, Tensor) and mask.ndim == 2:
            # As numbers that are added to scores, minus infinity leaves a key out.
            hidden = mask if mask.dtype == torch.bool else torch.isneginf(mask)
            self._see(hidden.detach().cpu().numpy().copy(), users_line())
        return args, kwargs


# Which axes of a tensor may be those of samples and positions: (samples, positions, ...) as in
# transformers, (positions, samples, ...) as in recurrent networks, (samples, channels, positions).
_AXES = ((0, 1), (1, 0), (0, 2))


class Positions:
    """Hooks on all modules that sum up each position of their inputs and outputs.

    Parameters
    ----------
    model
        Its modules are hooked, itself included.
    shape
        (batch, tokens): the lengths of the axes of samples and positions; see ``_AXES``.
    """

    def __init__(self, model: nn.Module, shape: tuple[int, ...]) -> None:
        # Each call with its inputs and outputs, by number among the tensors, in the order in which
        # they end.
        self.found: list[tuple[Moved, dict[int, Array], dict[int, Array]]] = []
        self._names = {module: name for name, module in model.named_modules()}
        self._shape = shape
        self._inputs: list[dict[int, Array]] = []  # of the calls that are going on

    @contextmanager
    def seen(self) -> Iterator[None]:
        """See the calls while the block runs."""
        with hooked(self._names, self._enter, self._leave):
            yield

    def _enter(self, _module: nn.Module, args: Any, kwargs: Any) -> None:
        if in_forward():
            self._inputs.append(self._summed((args, kwargs)))

    def _leave(self, module: nn.Module, _args: Any, _kwargs: Any, output: Any) -> None:
        if in_forward() and self._inputs:
            call = Moved(self._names[module], type(module).__name__, users_line())
            self.found.append((call, self._inputs.pop(), self._summed(output)))

    def _summed(self, value: Any) -> dict[int, Array]:
        sums = {number: self._sums(tensor) for number, tensor in enumerate(tensors_in(value))}
        return {number: array for number, array in sums.items() if array is not None}

    def _sums(self, tensor: Tensor) -> Array | None:
        """Return a sum of what belongs to each position, in which each entry has its own weight.

        None if the tensor has no axes of samples and positions.
        """
        shape = dict(enumerate(tensor.shape))
        fitting = (axes for axes in _AXES if tuple(map(shape.get, axes)) == self._shape)
        axes = next(fitting, None)
        if axes is None or tensor.layout is not torch.strided:
            return None
        array = np.moveaxis(as_array(tensor.detach().double()), axes, (0, 1))
        flat = array.reshape(*self._shape, -1)
        sums: Array = flat @ np.sqrt(np.arange(1.0, flat.shape[2] + 1))
        return sums


class Sums:
    """Sees sums over all entries of something trained; it is a ``FunctionListener``.

    Parameters
    ----------
    see
        Called with the shape that is summed and the user's line.
    """

    functions: frozenset[Hashable] = frozenset((torch.sum, Tensor.sum))
    _before_axes = 2  # the place of the argument that says which axes are summed, from 1

    def __init__(self, see: Callable[[tuple[int, ...], SourceLine], None]) -> None:
        self._see = see

    def see(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, Any]:  # noqa: ARG002
        """Return the arguments as they are."""
        summed = args[0] if args else kwargs.get("input")
        if isinstance(summed, Tensor) and summed.requires_grad and summed.ndim:
            whole = len(args) < self._before_axes and kwargs.get("dim") is None
            if whole or summed.ndim == 1:
                self._see(tuple(summed.shape), users_line())
        return args, kwargs


class Norms(Sums):
    """Sees norms of all entries of something trained."""

    functions = frozenset((torch.norm, Tensor.norm, torch.linalg.norm, torch.linalg.vector_norm))
    _before_axes = 3


class Quotients:
    """Sees numbers of Python's that something trained is divided by; a ``FunctionListener``.

    Parameters
    ----------
    see
        Called with the number.
    """

    functions: frozenset[Hashable] = frozenset((Tensor.__truediv__, Tensor.div, torch.div))

    def __init__(self, see: Callable[[float], None]) -> None:
        self._see = see

    def see(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, Any]:  # noqa: ARG002
        """Return the arguments as they are."""
        divided, number = (*args, *kwargs.values())[:2]
        if (
            isinstance(divided, Tensor)
            and divided.requires_grad
            and isinstance(number, int | float)
        ):
            self._see(number)
        return args, kwargs


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
                Quotients(found.divisors.add),
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
    return LossCall(
        call.number,
        step,
        call.function,
        arguments,
        options,
        call.place,
        bootstrapped=_bootstrapped(tensors),
    )


def _bootstrapped(tensors: Mapping[str, Tensor]) -> str:
    """Return the name of the tensor that is a goal with a gradient, if one is."""
    both = [(name, tensors[name]) for name in ("input", "target") if name in tensors]
    for (_, output), (name, goal) in permutations(both, 2):
        if is_bootstrapped(goal, output):
            return name
    return ""


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
