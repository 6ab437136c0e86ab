"""The operations of a module's call, and the first of them that mixes samples."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor, nn

from symmetry.observe.source_line import SourceLine, users_line
from symmetry.torch.trace import to_array
from symmetry.torch.watch.calls import hooked, running_modules
from symmetry.torch.watch.operations import Observer, Operation, Recorder, tensors_in
from symmetry.training.mixing import Mixing, Performed, roles_by_name
from symmetry.training.trial import Mixer
from symmetry.units.state import Array

_VIEWS = {"view", "reshape", "_unsafe_view", "_reshape_alias"}
_MOVES = {"transpose", "permute", "t", "expand", "slice", "select", "unsqueeze", "squeeze", "clone"}
_MOVES |= {"detach", "alias", "_to_copy", "split", "chunk", "unbind", "cat", "stack"}
_PRODUCTS = {"mm", "bmm", "addmm", "baddbmm", "mv", "_sparse_mm", "_sparse_addmm", "convolution"}
_SELECTS = {"nonzero", "index", "index_select", "index_add", "index_put", "gather", "scatter"}
_SELECTS |= {"scatter_add", "masked_select", "topk", "sort", "argsort", "cumsum", "cummax"}
_ROLES = roles_by_name(
    {
        "moves": _MOVES,
        "view": _VIEWS,
        "softmax": {"_softmax", "_log_softmax", "_safe_softmax"},
        "product": _PRODUCTS,
        "selects": _SELECTS,
    }
)
_ATTENTION = (nn.MultiheadAttention, nn.TransformerEncoderLayer, nn.TransformerDecoderLayer)
_ORDERED = (nn.RNNBase, *_ATTENTION)  # their inputs have an axis of positions

_Input = tuple[nn.Module, Sequence[Array], SourceLine]  # a layer, its arrays, and the user's line


class ForwardOperations(Observer):
    """Keeps the inputs and results of each operation."""

    def __init__(self) -> None:
        self.paused = False  # whether none are kept
        self.operations: list[Performed] = []  # the operations, in order
        self._operands: Sequence[Array] = ()  # of the operation that is going on

    def before(self, operation: Operation) -> None:
        """Copy the operands: the operation may write into them."""
        self._operands = () if self.paused else [*map(copied_array, operation.operands)]

    def after(self, operation: Operation) -> None:
        """Keep the operation."""
        if self.paused:
            return
        role = _ROLES.get(operation.base, "other")
        results = [*map(copied_array, operation.results)]
        axis = None
        if role == "softmax":
            args, _ = operation.arguments
            axis = next(a for a in args if isinstance(a, int)) % results[0].ndim
        name = _innermost() or operation.base.strip("_")
        self.operations.append(
            Performed(name, role, self._operands, results, users_line(), axis=axis)
        )


def operations_of(call: Callable[[], Any]) -> list[Performed]:
    """Return the operations of a call, in order."""
    kept = ForwardOperations()
    with Recorder(kept):
        call()
    return kept.operations


def first_mixer(
    count: int, sample: int, operations: Sequence[Performed], others: Sequence[Performed]
) -> Mixer | None:
    """Return the first operation of two calls that mixes samples; None if none does.

    The calls differ in one sample of ``count``.
    """
    mixing = Mixing(count, sample)
    for own, other in zip(operations, others, strict=False):
        mixing.see(own, other)
    return mixing.first


class CallMixing:
    """Looks for the operation that mixes samples, in two calls that differ in one sample.

    Parameters
    ----------
    count, sample
        How many samples there are, and which one differs.
    module
        The module.
    own, other
        Call it.
    """

    def __init__(
        self,
        count: int,
        sample: int,
        module: nn.Module,
        own: Callable[[], Any],
        other: Callable[[], Any],
    ) -> None:
        self._count, self._sample = count, sample
        self._own, self._other = _seen(module, own), _seen(module, other)

    @property
    def first(self) -> Mixer | None:
        """The operation that mixes first; None if none does.

        Modules with an axis of positions are looked at before any operation is.
        """
        operations, others = self._own[1], self._other[1]
        return self.layout or first_mixer(self._count, self._sample, operations, others)

    @property
    def layout(self) -> Mixer | None:
        """The first layer that takes another axis for the samples; None if none does."""
        for (layer, given, place), (_, changed, _) in zip(
            self._own[0], self._other[0], strict=False
        ):
            if mixer := self._misread(layer, given, changed, place):
                return mixer
        return None

    def _misread(
        self, module: nn.Module, given: Sequence[Array], others: Sequence[Array], place: SourceLine
    ) -> Mixer | None:
        """Return a mixer if a module treats another axis as the samples."""
        taken, mixing = 0 if _batch_first(module) else 1, Mixing(self._count, self._sample)
        for a, b in zip(given, others, strict=False):
            axes = mixing.axes(a, b) if a.ndim == 3 and a.dtype.kind == "f" else None
            if axes is None:
                continue
            if axes != [1 - taken]:
                return None
            # Attention over samples may be meant, where they were brought to the axis of tokens.
            meant = isinstance(module, _ATTENTION) and (taken == 0 or a.shape[taken] == 1)
            kind = type(module).__name__
            return Mixer(
                "other" if meant else "layout", kind, a.shape, taken, axes[0], False, place
            )
        return None


def copied_array(tensor: Tensor) -> Array:
    """Return the numbers of a tensor, which later operations do not change."""
    return to_array(tensor.detach().clone())


def _seen(module: nn.Module, call: Callable[[], Any]) -> tuple[list[_Input], list[Performed]]:
    """Return the inputs of modules with an axis of positions, and all operations."""
    inputs: list[_Input] = []

    def before(layer: nn.Module, args: Any, kwargs: Any) -> None:
        inputs.append((layer, [*map(copied_array, tensors_in((args, kwargs)))], users_line()))

    ordered = (layer for layer in module.modules() if isinstance(layer, _ORDERED))
    with hooked(ordered, enter=before):
        return inputs, operations_of(call)


def _batch_first(module: nn.Module) -> bool:
    own = getattr(module, "self_attn", module)
    return bool(getattr(own, "batch_first", False))


def _innermost() -> str:
    """Return the class of the innermost module that PyTorch defines and that is called now."""
    kind = type(next(running_modules(), None))
    return kind.__name__ if kind.__module__.startswith("torch.nn.") else ""
