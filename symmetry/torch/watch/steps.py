"""The updates of optimisers, before and after each.

Example: all updates are shown while a block runs.

    with updates(before, after):
        optimizer.step()            before(optimizer); the update; after(optimizer)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from torch.optim.optimizer import (
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)

from symmetry.base.patches import patched
from symmetry.torch.objects import can_be_hooked

See = Callable[[Any], None]  # called with an optimiser


def _nothing(_: Any) -> None: ...


@contextmanager
def updates(before: See, after: See = _nothing) -> Iterator[None]:
    """Show the updates of all optimisers of PyTorch's kind while the block runs."""
    with ExitStack() as stack:
        stack.callback(register_optimizer_step_pre_hook(lambda o, *_: before(o)).remove)
        stack.callback(register_optimizer_step_post_hook(lambda o, *_: after(o)).remove)
        yield


@contextmanager
def updates_of(optimizers: Iterable[Any], before: See, after: See) -> Iterator[None]:
    """Show the updates of these optimisers, and of all of the same classes of the user's own."""
    kinds = set[Any]()
    with ExitStack() as stack:
        for optimizer in optimizers:
            if can_be_hooked(optimizer):
                pre = optimizer.register_step_pre_hook(lambda o, *_: before(o))
                post = optimizer.register_step_post_hook(lambda o, *_: after(o))
                stack.callback(pre.remove)
                stack.callback(post.remove)
            elif callable(getattr(type(optimizer), "step", None)):
                kinds.add(type(optimizer))
        stack.enter_context(patched((k, "step", _seen(k.step, before, after)) for k in kinds))
        yield


def _seen(step: Callable[..., Any], before: See, after: See) -> Callable[..., Any]:
    def seen(optimizer: Any, *args: Any, **kwargs: Any) -> Any:
        before(optimizer)
        try:
            return step(optimizer, *args, **kwargs)
        finally:
            after(optimizer)

    return seen
