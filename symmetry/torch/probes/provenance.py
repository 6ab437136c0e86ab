"""The operations that made a tensor, in words that need no framework."""

from __future__ import annotations

import re

from torch import Tensor

_MOST = 24  # operations that are looked at
_END = re.compile(r"Backward\d*$")
# What shows the same numbers: in another shape or dtype, some of them, or with some masked.
_VIEWS = re.compile(
    "Alias|AsStrided|Chunk|Clone|Contiguous|Expand|Flatten|Index|MaskedFill|Movedim|Mt|Permute|"
    "Reshape|ReshapeAlias|Select|Slice|Split|SplitWithSizes|Squeeze|Swapaxes|T|ToCopy|Transpose|"
    "Unbind|Unflatten|UnsafeView|View"
)
_LINEAR = re.compile("Addbmm|Addmm|Baddbmm|Bmm|Convolution|Linear|Mm")


def makers(tensor: Tensor) -> tuple[str, ...]:
    """Return the operations that made a tensor, the last one first.

    They are ``view`` (as well as copies and masks), ``unsqueeze``, ``linear`` (also convolutions
    and products), and for all others PyTorch's name in lower case: ``sigmoid``, ``logsoftmax``. Of
    several operands the first one that requires a gradient is followed.
    """
    node, found = tensor.grad_fn, list[str]()
    while node is not None and len(found) < _MOST:
        found.append(_word(_END.sub("", node.name())))
        node = next((other for other, _ in node.next_functions if other is not None), None)
    return tuple(found)


def _word(name: str) -> str:
    if _VIEWS.fullmatch(name):
        return "view"
    return "linear" if _LINEAR.fullmatch(name) else name.lower()
