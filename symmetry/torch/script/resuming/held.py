"""The state of a script between two updates, as digests of all tensors by name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from torch import Tensor, nn
from torch.amp import GradScaler

from symmetry.base.patches import Patch
from symmetry.torch.creation import noting
from symmetry.torch.objects import held_by
from symmetry.torch.script.epochs.log import digest_of, states
from symmetry.torch.script.resuming.averages import Averages
from symmetry.training.resumed_runs import HeldState


class Holding:
    """Looks at what a script holds.

    Each tensor has the name of its module's class before its own: modules have no other name that
    two runs share.
    """

    def __init__(self) -> None:
        self._averages = Averages()
        self._scalers: list[GradScaler] = []

    def patches(self) -> Iterator[Patch]:
        """Yield what has to be replaced while the script runs."""
        yield GradScaler, "__init__", noting(GradScaler.__init__, self._scalers.append)

    def look(
        self, event: int, roots: Sequence[nn.Module], optimizers: Sequence[Any], *, deep: bool
    ) -> HeldState:
        """Return what these modules and optimisers hold; and averages and scales, if ``deep``.

        The number of the ``event`` that comes next is remembered with it.
        """
        stepping = {id(p) for optimizer in optimizers for p in held_by(optimizer)}
        trained = [r for r in roots if any(id(p) in stepping for p in r.parameters())]
        others = [r for r in roots if not any(id(p) in stepping for p in r.parameters())]
        named = [*_named(trained)]
        names = {id(p): name for name, _, p in named}
        return HeldState(
            event=event,
            parameters={name: _digest(p) for name, _, p in named},
            trained=frozenset(name for name, _, p in named if id(p) in stepping),
            optimizers=dict(_optimizer_states(optimizers, names)),
            buffers=dict(_buffers(trained)),
            random={f"the random generator of {name}": s for name, s in states().items()},
            scales=self._scales() if deep else (),
            averages=self._averages.look(trained, others) if deep else (),
        )

    def _scales(self) -> tuple[str, ...]:
        """Return the scales of the scalers of losses that are in use."""
        return tuple(f"{float(s.get_scale()):g}" for s in self._scalers if s.is_enabled())


def _named(roots: Sequence[nn.Module]) -> Iterator[tuple[str, nn.Module, Tensor]]:
    """Yield the parameters of modules by names that begin with the modules' classes."""
    for label, root in _labelled(roots):
        for name, parameter in root.named_parameters():
            yield f"{label}.{name}", root, parameter


def _labelled(roots: Sequence[nn.Module]) -> Iterator[tuple[str, nn.Module]]:
    seen: Counter[str] = Counter()
    for root in roots:
        kind = type(root).__name__
        seen[kind] += 1
        yield f"{kind}{seen[kind]}" if seen[kind] > 1 else kind, root


def _buffers(roots: Sequence[nn.Module]) -> Iterator[tuple[str, str]]:
    """Yield the buffers that state dictionaries have."""
    for label, root in _labelled(roots):
        saved = {
            f"{path}.{name}" if path else name
            for path, module in root.named_modules()
            for name in module._buffers.keys() - module._non_persistent_buffers_set
        }
        for name, buffer in root.named_buffers():
            if name in saved:
                yield f"{label}.{name}", _digest(buffer)


def _optimizer_states(
    optimizers: Sequence[Any], names: dict[int, str]
) -> Iterator[tuple[str, str]]:
    """Yield what optimisers keep for parameters; one that is made and not used keeps nothing."""
    for optimizer in optimizers:
        for place, parameter in enumerate(held_by(optimizer)):
            state = optimizer.state.get(parameter, {})
            owner = names.get(id(parameter), f"parameter {place}")
            for key, value in sorted(state.items(), key=lambda item: str(item[0])):
                if value is not None:
                    kind = type(optimizer).__name__
                    of = f"{key} of {owner} ({kind})"
                    yield of, _digest(value) if isinstance(value, Tensor) else repr(value)


def _digest(tensor: Tensor) -> str:
    if tensor.numel() == 1:  # a count is a number of Python in some versions
        return repr(float(tensor))
    return digest_of([tensor])
