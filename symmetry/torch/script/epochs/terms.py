"""The terms of a loss, and the weight of each: the gradient that arrives at it in a backward.

Example: a loss is followed from its root, as long as operations only weigh what they are given.

    loss = (nll * mask).sum() / mask.sum() / 4    Div, Div, Sum and Mul by a constant: linear
    nll = -logits.log_softmax(-1).gather(...)     Neg and Gather: linear; LogSoftmax is not

So the terms are the outputs of LogSoftmax, one for each token. The gradient that arrives there,
added up over the classes, is the weight of the token: 1 / mask.sum() / 4, or 0 where it is masked.

A term may also act in another way, as log-probabilities that feed a ratio and a likelihood. Then
the gradient of the linear operation is its weight, not all that arrives.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.amp import GradScaler

from symmetry.base.patches import Patch
from symmetry.base.user_code import kind_of
from symmetry.observe.source_line import NOWHERE, SourceLine
from symmetry.observe.terms import Kind, Terms
from symmetry.torch.graph import nodes_behind
from symmetry.units.state import Array

_BACKWARDS = 64  # of a run whose terms are seen
_UPDATES = 3  # in pieces whose lines are recorded: that takes time with each operation
_NODES = 20_000  # of a graph that are looked through
_NAME = re.compile(r"(?:.*::)?(\w+?)(?:Backward\d*)?")
_FRAME = re.compile(r'\s*File "(.+)", line (\d+)')
_LINEAR = re.compile(
    "Add|Alias|AsStrided|Cat|Clone|ConstantPadNd|CopySlices|Cumsum|Diagonal|Expand|Flip|Gather|"
    "Index|IndexAdd|IndexSelect|MaskedFill|MaskedSelect|Mean|NanToNum|Nansum|Neg|NllLoss|"
    "NllLoss2D|Permute|Repeat|ReshapeAlias|Roll|Rsub|Scatter|ScatterAdd|SegmentReduce|Select|"
    "Slice|Split|SplitWithSizes|Squeeze|Stack|Sub|Sum|T|Take|ToCopy|Trace|Transpose|Unbind|Unfold|"
    "UnsafeView|Unsqueeze|View|Where|_DDPSink"
)
# Losses that take a mean of their entries by default.
_REDUCING = re.compile(
    "BinaryCrossEntropy(WithLogits)?|HuberLoss|L1Loss|MseLoss|Multi(label)?MarginLoss|"
    "NllLoss(2D)?|SmoothL1Loss|SoftMarginLoss"
)
_LIKELIHOOD = re.compile("BinaryCrossEntropy(WithLogits)?|LogSoftmax")
_DISTANCE = re.compile("HuberLoss|L1Loss|MseLoss|SmoothL1Loss")
_POWER = re.compile("Abs|Mul|Pow")
_NO_LOSSES = frozenset({"AccumulateGrad", "Softmax"})  # parameters, and probabilities of experts
_MEAN = 1  # as PyTorch writes a reduction


class LossTerms:
    """Sees how much each term of a loss counts in a backward.

    In the first updates that take several backwards the lines of operations are recorded, as
    PyTorch does to detect anomalies.

    Attributes
    ----------
    scale
        The factor of a gradient scaler in the last backward: weights are divided by it.
    """

    def __init__(self) -> None:
        self.scale = self._next_scale = 1.0
        self._backwards = self._updates = 0
        self._is_recording = False

    def patches(self) -> Iterator[Patch]:
        """Yield what has to be replaced while the script runs."""
        yield GradScaler, "scale", self._seen_scale(GradScaler.scale)

    def _seen_scale(self, scale: Callable[..., Any]) -> Callable[..., Any]:
        def seen(scaler: Any, outputs: Any) -> Any:
            scaled = scale(scaler, outputs)
            self._next_scale = float(scaler.get_scale())
            return scaled

        return seen

    @contextmanager
    def weighed(self, roots: Sequence[Tensor], at: SourceLine) -> Iterator[list[Terms]]:
        """Collect the terms of a loss, with the weights that a backward gives them meanwhile.

        ``at`` is the line that calls the backward.
        """
        self.scale, self._next_scale = self._next_scale, 1.0
        self._backwards += 1
        found: list[Terms] = []
        seen = [*_arrivals(roots)] if self._backwards <= _BACKWARDS else []
        hooks = [arrival.hooked() for arrival in seen]
        try:
            yield found
        finally:
            for hook in hooks:
                hook.remove()
        found += _terms(seen, self.scale, at)

    def updated(self, backwards: int) -> None:
        """See an update that has read some backwards: lines are recorded behind the first such."""
        if backwards > 1:
            self._updates += 1
            if self._updates > _UPDATES:
                self.close()
            elif not torch.is_anomaly_enabled():
                self._is_recording = True
                torch.set_anomaly_enabled(True, check_nan=False)

    def close(self) -> None:
        """Record no more lines."""
        if self._is_recording:
            self._is_recording = False
            torch.set_anomaly_enabled(False)


@dataclass
class _Arrival:
    """A place of a graph where the weights of terms arrive, and what has arrived there."""

    end: Any  # the node whose outputs are the terms
    # A linear node and the number of its operand, if only what comes from there is a weight.
    edge: tuple[Any, int] | None
    above: Sequence[Any]  # the linear nodes between the terms and the loss, the innermost first
    weights: list[Array] = field(default_factory=list)

    def hooked(self) -> Any:
        """Collect what arrives from now on."""
        if self.edge is None:
            return self.end.register_prehook(self._collect)
        node, operand = self.edge
        return node.register_hook(lambda inputs, _: self._collect(inputs[operand : operand + 1]))

    def _collect(self, gradients: Sequence[Tensor | None]) -> None:
        for gradient in gradients:
            if gradient is not None and gradient.layout is torch.strided:
                own = gradient if self.edge else _spread(self.end, gradient)
                self.weights.append(_array(own))

    @property
    def mean_at(self) -> SourceLine:
        """The innermost line that divides the terms by a number."""
        ends = [self.end] if self.edge is None else []
        return next((_line(node) for node in (*ends, *self.above) if _divides(node)), NOWHERE)

    def weighed_at(self, asked: SourceLine) -> SourceLine:
        """Return the outermost line that makes the loss, other than where it is differentiated."""
        lines = [line for node in reversed((self.end, *self.above)) if (line := _line(node)).file]
        other = (line for line in lines if (line.file, line.line) != (asked.file, asked.line))
        return next(other, lines[0] if lines else NOWHERE)


def _arrivals(roots: Iterable[Tensor]) -> Iterator[_Arrival]:
    """Yield where the weights of the terms of some losses arrive."""
    above: dict[Any, Any] = {r.grad_fn: None for r in roots if r.grad_fn is not None}
    waiting, ends = deque(above), []
    while waiting:
        node = waiting.popleft()
        if not _is_linear(node):
            ends.append(node)
            continue
        for child in _operands(node):
            if child not in above:
                above[child] = node
                waiting.append(child)
    behind = nodes_behind(ends, _NODES)
    if behind is None:
        return
    for end in ends:
        if end not in behind and _word(end) not in _NO_LOSSES:
            yield _Arrival(end, None, _path(above[end], above))
    for node in above:
        if node not in behind and _is_linear(node):
            for number, (child, _) in enumerate(node.next_functions):
                if child in behind and (end := _end_below(child)) is not None:
                    yield _Arrival(end, (node, number), _path(node, above))


def _path(node: Any, above: dict[Any, Any]) -> list[Any]:
    path = []
    while node is not None:
        path.append(node)
        node = above[node]
    return path


def _end_below(node: Any) -> Any:
    """Return the first operation below that is not linear; None if it makes no loss."""
    while _is_linear(node):
        node = next(iter(_operands(node)), None)
    return None if node is None or _word(node) in _NO_LOSSES else node


def _operands(node: Any) -> list[Any]:
    return [child for child, _ in node.next_functions if child is not None]


def _word(node: Any) -> str:
    match = _NAME.fullmatch(node.name())
    return match[1] if match else str(node.name())


def _is_linear(node: Any) -> bool:
    word = _word(node) if node is not None else ""
    if word in ("Div", "Mul"):  # linear if only one factor is differentiated
        divided = node.next_functions[0][0]
        return len(_operands(node)) == 1 and (word == "Mul" or divided is not None)
    return _LINEAR.fullmatch(word) is not None


def _divides(node: Any) -> bool:
    """Return whether an operation divides by a number, which is usually one of terms."""
    word = _word(node)
    if _REDUCING.fullmatch(word):
        return bool(node._saved_reduction == _MEAN)
    return word == "Mean" or (word == "Div" and not node._input_metadata[0].shape)


def _spread(end: Any, gradient: Tensor) -> Tensor:
    """Return one weight for each term: a likelihood has one for all classes together."""
    word = _word(end)
    if word == "LogSoftmax":
        axis = end._saved_dim
        return gradient.sum(axis - (1 << 64) if axis >= 1 << 63 else axis, dtype=torch.float64)
    if _REDUCING.fullmatch(word) and not gradient.ndim:
        entries = end._saved_self
        shared = gradient / entries.numel() if end._saved_reduction == _MEAN else gradient
        return shared.expand(entries.shape)
    return gradient


def _array(gradient: Tensor) -> Array:
    """Return a copy of a gradient: of one number where that stands for all."""
    plain = gradient.detach().cpu()
    if plain.numel() > 1 and not any(plain.stride()):
        one = plain[(0,) * plain.ndim].to(torch.float64, copy=True)
        return np.broadcast_to(one.numpy(), tuple(plain.shape))
    array: Array = plain.to(torch.float64, copy=True).numpy()
    return array


def _terms(arrivals: Iterable[_Arrival], scale: float, asked: SourceLine) -> Iterator[Terms]:
    """Yield the terms of each operation at a line once, with all weights that arrived there."""
    groups: dict[tuple[str, SourceLine, SourceLine], list[_Arrival]] = {}
    for arrival in arrivals:
        if arrival.weights:
            key = _word(arrival.end), _line(arrival.end), arrival.mean_at
            groups.setdefault(key, []).append(arrival)
    for (word, line, mean_at), same in groups.items():
        yield Terms(
            operation=word,
            kind=_kind([each.end for each in same]),
            at=line,
            mean_at=mean_at,
            weighed_at=same[0].weighed_at(asked),
            weights=tuple(weights / scale for each in same for weights in each.weights),
        )


def _kind(ends: Sequence[Any]) -> Kind:
    word = _word(ends[0])
    if any(_is_product(end) for end in ends):
        return "product"
    if _LIKELIHOOD.fullmatch(word):
        return "likelihood"
    is_distance = _DISTANCE.fullmatch(word) or (
        _POWER.fullmatch(word) and all(map(_is_of_a_difference, ends))
    )
    return "distance" if is_distance else "other"


def _is_of_a_difference(node: Any) -> bool:
    """Return whether the operand is a difference, and not the size of one number, as a penalty."""
    below = next(iter(_operands(node)), None)
    while _is_linear(below) and _word(below) not in ("Rsub", "Sub"):
        below = next(iter(_operands(below)), None)
    return _is_linear(below)


def _is_product(node: Any) -> bool:
    """Return whether an operation multiplies or divides by something else that is trained."""
    return _word(node) in ("Div", "Mul") and len({*_operands(node)}) > 1


def _line(node: Any) -> SourceLine:
    """Return the line that made a node, if it was recorded: the innermost one of the user's own."""
    stack = "".join(node.metadata.get("traceback_", ())).splitlines()
    frames = [(m[1], int(m[2])) for line in reversed(stack) if (m := _FRAME.match(line))]
    for kind in ("user", "installed"):
        for file, line in frames:
            if kind_of(file) == kind:
                return SourceLine(file, line)
    return NOWHERE
