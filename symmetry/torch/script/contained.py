"""The sandbox of a script that trains with PyTorch: it can be suspended anywhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any
from unittest.mock import patch

import torch

from symmetry.base.updates import UpdateLog
from symmetry.sandbox.process_state import Switch
from symmetry.sandbox.sandbox import Sandbox
from symmetry.torch.script.coroutine import Coroutine
from symmetry.torch.script.host import Host
from symmetry.torch.script.updates import recorded


def _device() -> torch.device | None:
    """Return the device of tensors that are made without one; None if none was set."""
    context = getattr(torch._GLOBAL_DEVICE_CONTEXT, "device_context", None)
    return None if context is None else context.device


def _functions() -> tuple[dict[str, Any], ...]:
    """Return the names of PyTorch: a script may replace its functions and classes."""
    return tuple(dict(vars(module)) for module in _REPLACED)


def _set_functions(functions: tuple[dict[str, Any], ...]) -> None:
    for module, names in zip(_REPLACED, functions, strict=True):
        now = vars(module)
        for name, each in names.items():
            if now.get(name) is not each and callable(each):
                setattr(module, name, each)


_REPLACED = torch, torch.nn, torch.nn.functional, torch.optim
_SWITCHES: tuple[Switch, ...] = (
    (_device, torch.set_default_device),
    (_functions, _set_functions),
    (torch.get_default_dtype, torch.set_default_dtype),
    (torch.get_num_threads, torch.set_num_threads),
    (torch.get_float32_matmul_precision, torch.set_float32_matmul_precision),
    (torch.get_deterministic_debug_mode, torch.set_deterministic_debug_mode),
    (torch.is_anomaly_enabled, torch.autograd.set_detect_anomaly),
)


def contained(
    host: Host,
    watching: Callable[[], AbstractContextManager[None]],
    log: UpdateLog | None = None,
) -> Sandbox[Coroutine]:
    """Return a sandbox that runs a script up to where it suspends itself: see ``Sandbox``.

    Its first updates are added to a ``log``.
    """
    holding = host.seeds.of_run(lambda: sandbox.stack.rearranged)

    @contextmanager
    def watched() -> Iterator[None]:
        # PyTorch traces a model once more to compare two graphs: our modes change these.
        unchecked = patch.object(torch.jit._trace, "_check_trace", lambda *_, **__: None)
        recording = nullcontext() if log is None else recorded(log)
        parts = _compiling_in_parts()
        with host.entered(), unchecked, parts, holding(), recording, watching():
            yield

    sandbox = Sandbox(
        host.source,
        host.mirrors,
        watched,
        stack=Coroutine,
        switches=_SWITCHES,
        lacking=host.refusal,
        is_final=lambda error: not (host.in_fork or host.lacks(error)),
    )
    return sandbox


@contextmanager
def _compiling_in_parts() -> Iterator[None]:
    """Let torch.compile compile in parts, where others may have patched it already."""
    with patch.object(torch, "compile", partial(_in_parts, torch.compile)):
        yield


def _in_parts(compile_: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Compile what can be: our modes let nothing be, which ``fullgraph`` calls an error."""
    return compile_(*args, **kwargs | {"fullgraph": False})
