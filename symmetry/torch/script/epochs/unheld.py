"""Parameters of no module that backwards reach, and that no optimiser holds.

Example: a learned scale of the logits, beside the model.

    scale = nn.Parameter(torch.tensor(2.6))
    optimizer = AdamW(model.parameters())          the scale has gradients, and stays as it is
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from symmetry.observe.source_line import SourceLine, asked_at
from symmetry.observe.variables import variable_of
from symmetry.torch.state import is_freed
from symmetry.training.events import Unheld


@dataclass
class _Reached:
    """A parameter, its numbers at the first backward, and how many reach it."""

    parameter: Tensor
    at: SourceLine
    variable: str
    before: Tensor
    backwards: int = 0

    @property
    def stays(self) -> bool:
        """Whether nothing has moved it."""
        return not is_freed(self.parameter) and bool(torch.equal(self.parameter, self.before))


class UnheldParameters:
    """Sees the parameters that backwards reach, and no optimiser holds."""

    def __init__(self) -> None:
        self._found: dict[int, _Reached] = {}

    def reached(self, leaves: Iterable[Tensor]) -> None:
        """See leaves that no optimiser holds, before a backward: those made as parameters."""
        for leaf in leaves:
            if not isinstance(leaf, nn.Parameter) or is_freed(leaf):
                continue
            if id(leaf) not in self._found:
                value = leaf.detach().clone()
                self._found[id(leaf)] = _Reached(leaf, asked_at(), variable_of(leaf), value)
            self._found[id(leaf)].backwards += 1

    def records(self, modules: Iterable[nn.Module], held: Set[int]) -> Iterator[Unheld]:
        """Yield those of no module that optimisers hold by now, and that nothing has moved."""
        own = {id(p) for module in modules for p in module.parameters(recurse=False)}
        for key, each in self._found.items():
            if key not in own and key not in held and each.stays:
                yield Unheld(
                    at=each.at,
                    variable=each.variable,
                    shape=" x ".join(map(str, each.parameter.shape)) or "a number",
                    backwards=each.backwards,
                )
