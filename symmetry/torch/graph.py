"""The graph that autograd has recorded behind a tensor: nodes, leaves, and what made it."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

from torch import Tensor

_MOST = 24  # operations that are looked at
_END = re.compile(r"Backward\d*$")
# Operations that show the same numbers: in another shape or dtype, some of them, or some masked.
_VIEWS = re.compile(
    "Alias|AsStrided|Chunk|Clone|Contiguous|Expand|Flatten|Index|MaskedFill|Movedim|Mt|Permute|"
    "Reshape|ReshapeAlias|Select|Slice|Split|SplitWithSizes|Squeeze|Swapaxes|T|ToCopy|Transpose|"
    "Unbind|Unflatten|UnsafeView|View"
)
_SUMS, _PRODUCTS = ("Add", "Sub"), ("Mul", "Div")
_NODES = 100_000  # that are looked at
_LINEAR = re.compile("Addbmm|Addmm|Baddbmm|Bmm|Convolution|Linear|Mm")


def nodes_of(tensors: Iterable[Tensor]) -> Iterator[Any]:
    """Yield the nodes behind some tensors, each once, the last operations first."""
    level = [tensor.grad_fn for tensor in tensors if tensor.grad_fn is not None]
    seen = set(level)
    while level:
        yield from level
        following = (node for each in level for node, _ in each.next_functions)
        level = [*dict.fromkeys(n for n in following if n is not None and n not in seen)]
        seen.update(level)


def leaves_of(tensors: Iterable[Tensor]) -> list[Tensor]:
    """Return the tensors that a backward from some tensors leaves gradients in."""
    found = [tensor for tensor in tensors if tensor.requires_grad and tensor.is_leaf]
    behind = (getattr(node, "variable", None) for node in nodes_of(tensors))
    return [*found, *(leaf for leaf in behind if leaf is not None)]


def nodes_behind(nodes: Iterable[Any], limit: int) -> set[Any] | None:
    """Return all nodes that some nodes depend on; None if they exceed a limit."""
    waiting, seen = [*nodes], set[Any]()
    while waiting:
        following = {n for n, _ in waiting.pop().next_functions if n is not None} - seen
        seen |= following
        waiting += following
        if len(seen) > limit:
            return None
    return seen


def makers(tensor: Tensor) -> tuple[str, ...]:
    """Return the operations that made a tensor, the last one first.

    They are ``view`` (as well as copies and masks), ``unsqueeze``, ``linear`` (also convolutions
    and products), and for all others PyTorch's name in lower case: ``sigmoid``, ``logsoftmax``. Of
    several operands the first one that requires a gradient is followed.
    """
    node, found = tensor.grad_fn, list[str]()
    while node is not None and len(found) < _MOST:
        found.append(_word(_name(node)))
        node = next((other for other, _ in node.next_functions if other is not None), None)
    return tuple(found)


def is_bootstrapped(goal: Tensor, output: Tensor) -> bool:
    """Return whether a goal adds numbers to a multiple of another result of an output's weights.

    Example: rewards, and the discounted values of the next states. Both results have a gradient,
    and no operation in common: the weights are applied twice.
    """
    total = _shown(goal.grad_fn)
    parts = _operands(total, _SUMS)
    product = None if len(parts) != 1 else _shown(parts[0])
    if output.grad_fn is None or len(_operands(product, _PRODUCTS)) != 1:
        return False
    both = nodes_behind([product], _NODES), nodes_behind([output.grad_fn], _NODES)
    shared = set.intersection(*(behind or set() for behind in both))
    return bool(shared) and all(hasattr(node, "variable") for node in shared)


def _shown(node: Any) -> Any:
    """Return the node of which views, or entries that are chosen, are shown."""
    while node is not None and (_VIEWS.fullmatch(_name(node)) or _name(node) == "Where"):
        behind = [other for other, _ in node.next_functions if other is not None]
        node = behind[0] if len(behind) == 1 else None
    return node


def _operands(node: Any, names: tuple[str, ...]) -> list[Any]:
    """Return the operands with a gradient of an operation that has one of these names, and two."""
    if node is None or _name(node) not in names or len(node.next_functions) != 2:
        return []
    return [other for other, _ in node.next_functions if other is not None]


def _name(node: Any) -> str:
    return _END.sub("", node.name())


def _word(name: str) -> str:
    if _VIEWS.fullmatch(name):
        return "view"
    return "linear" if _LINEAR.fullmatch(name) else name.lower()
