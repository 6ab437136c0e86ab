"""The graph that autograd has recorded behind a tensor."""

from collections.abc import Iterable, Iterator
from typing import Any

from torch import Tensor


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
