"""Digests of a run of PyTorch behind its first updates; PyTorch is not imported here.

The recorder is the optimisers' own hook behind a step, and reads memory: it performs no operation,
draws no number and changes no object.
"""

from __future__ import annotations

import ctypes
import gc
import hashlib
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import wraps
from typing import Any

from symmetry.base import libraries
from symmetry.base.importing import when_imported
from symmetry.base.patches import outermost, patched
from symmetry.base.updates import Digests, UpdateLog, sums_of

_OPTIMIZERS = "torch.optim.optimizer"
_LOSS = "the loss"
_ROUNDING = frozenset({"torch.float16", "torch.float32", "torch.float64"})
_SUMS = 4  # of an array: all of them are small by chance in one of 10,000
_PERIOD = 4096  # numbers, after which the weights of entries are those of before times another
_to_the_end = ExitStack()  # of the process: what is freed records no more


def record_plainly(
    log: UpdateLog,
    seed: int,
    around: Callable[[], AbstractContextManager[None]],
    *,
    moved: bool = False,
) -> None:
    """Record the first updates of a process in which PyTorch is still to be imported.

    Its generator is seeded, it has one thread, and loaders have no processes, as in a check: those
    would draw other random numbers. The script runs ``around`` from then on. If it is ``moved``,
    each operation rounds in another way.
    """

    def begin() -> None:
        if "torch.optim" not in sys.modules:  # a file of the user's has this name
            return
        for library in libraries.imported():
            library.seed(seed)
            if library.one_thread is not None:
                library.one_thread()
        from symmetry.torch.late_compiler import delay_compiler
        from symmetry.torch.script.workers import workers_here

        delay_compiler()
        _to_the_end.enter_context(around())
        _to_the_end.enter_context(patched(workers_here()))
        _to_the_end.enter_context(recorded(log))
        if moved:
            from symmetry.torch.modes.rounding import rounding_by

            _to_the_end.enter_context(rounding_by(seed, promoted=False))

    when_imported("torch", begin)


@contextmanager
def with_group() -> Iterator[None]:
    """Give a plain run the process group of one rank, as in a check, once it imports PyTorch."""
    with ExitStack() as stack:

        def begin() -> None:
            if "torch.distributed" in sys.modules:
                from symmetry.torch.script.process_group import ProcessGroup

                stack.enter_context(patched(ProcessGroup().patches()))

        when_imported("torch", begin)
        yield


@contextmanager
def recorded(log: UpdateLog) -> Iterator[None]:
    """Add a digest behind each update, until there are enough."""
    optimizers: Any = sys.modules[_OPTIMIZERS]
    torch: Any = sys.modules["torch"]

    def seen(backward: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(backward)
        def seen_backward(tensors: Any, *args: Any, **kwargs: Any) -> Any:
            with torch._C.DisableTorchFunction():
                roots = tensors if isinstance(tensors, list | tuple) else (tensors,)
                log.losses.extend(map(_digest_of, roots))
            return backward(tensors, *args, **kwargs)

        return seen_backward

    def updated(optimizer: Any, *_: Any) -> None:
        if not (log.is_full or log.paused()):
            with torch._C.DisableTorchFunction():
                digests = {_LOSS: tuple(log.losses), **_digests(optimizer), **_numbers()}
            log.losses.clear()
            log.add(digests)

    with ExitStack() as stack:
        stack.callback(optimizers.register_optimizer_step_post_hook(updated).remove)
        backward = torch.autograd.backward
        stack.enter_context(
            patched([(torch.autograd, "backward", outermost(backward, seen(backward)))])
        )
        yield


def _digests(optimizer: Any) -> Digests:
    """Return digests of the parameters of an optimiser, and of all that lies in their models.

    Some lie in several by one name, as where each step wraps a module anew: how many of these are
    not freed yet says nothing.
    """
    held = [p for group in optimizer.param_groups for p in group["params"]]
    found: dict[str, list[str]] = defaultdict(list)
    named = set[int]()
    tensors = {(n, id(tensor)): tensor for n, tensor in _in_models(frozenset(map(id, held)))}
    for (name, number), tensor in tensors.items():
        named.add(number)
        found[name].append(_digest_of(tensor))
    kind = type(optimizer).__name__
    for number, parameter in enumerate(held):
        if id(parameter) not in named:
            found[f"parameter {number} of {kind}"].append(_digest_of(parameter))
    return {name: tuple(sorted(digests, key=sums_of)) for name, digests in found.items()}


def _in_models(held: frozenset[int]) -> Iterator[tuple[str, Any]]:
    """Yield the parameters and buffers of the models that hold some of these, by their paths."""
    module: Any = sys.modules["torch.nn"].Module
    modules = [each for each in gc.get_objects() if issubclass(type(each), module)]
    modules = [each for each in modules if "_modules" in vars(each)]  # others are half made
    inner = {id(child) for each in modules for child in each._modules.values()}
    for root in modules:
        if id(root) not in inner:
            tensors = dict(_tensors(root, set()))
            if not held.isdisjoint(map(id, tensors.values())):
                yield from tensors.items()


def _tensors(module: Any, seen: set[int], path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the tensors in a module, without a call of a method that may be the user's own."""
    if id(module) in seen:
        return
    seen.add(id(module))
    for name, tensor in (*module._parameters.items(), *module._buffers.items()):
        if tensor is not None:
            yield f"{path}{name}", tensor
    for name, child in module._modules.items():
        if child is not None:
            yield from _tensors(child, seen, f"{path}{name}.")


def _digest_of(tensor: Any) -> str:
    """Return a digest of a tensor's numbers and dtype; empty where they cannot be read as bytes."""
    torch: Any = sys.modules["torch"]
    if type(tensor) not in (torch.Tensor, torch.nn.Parameter) or not tensor.is_cpu:
        return ""
    if tensor.layout is not torch.strided or not tensor.is_contiguous():
        return ""
    size = tensor.numel() * tensor.element_size()
    data = ctypes.string_at(tensor.data_ptr(), size) if size else b""
    return " ".join([_digest(data), str(tensor.dtype), *_sums(data, str(tensor.dtype))])


def _sums(data: bytes, dtype: str) -> Iterator[str]:
    """Yield sums of numbers with random weights; none of numbers that do not round."""
    import numpy as np

    if dtype == "torch.bfloat16":  # the upper half of a float32
        numbers = (np.frombuffer(data, np.uint16).astype(np.uint32) << 16).view(np.float32)
    elif dtype in _ROUNDING:
        numbers = np.frombuffer(data, dtype.removeprefix("torch."))
    else:
        return
    kind = np.promote_types(numbers.dtype, np.float32)
    random = np.random.default_rng(0)
    weights = random.standard_normal((_PERIOD, _SUMS)).astype(kind)
    rows = random.standard_normal((1 + numbers.size // _PERIOD, _SUMS))
    whole = numbers.size - numbers.size % _PERIOD
    with np.errstate(all="ignore"):
        total = (rows[:-1] * (numbers[:whole].reshape(-1, _PERIOD).astype(kind) @ weights)).sum(0)
        total += rows[-1] * (numbers[whole:].astype(kind) @ weights[: numbers.size - whole])
    yield from map(repr, total.tolist())


def _numbers() -> Digests:
    """Return a digest of the state of PyTorch's random generator.

    Those of Python and NumPy are no sign: a library may draw from them what only it uses. A draw
    that matters shows in the arrays.
    """
    return {"the state of PyTorch's random numbers": (_digest(_bytes_of_generator()),)}


def _bytes_of_generator() -> bytes:
    from torch.utils._python_dispatch import _disable_current_modes

    with _disable_current_modes():
        torch: Any = sys.modules["torch"]
        state: bytes = torch.default_generator.get_state().numpy().tobytes()
        return state


def _digest(data: Iterable[int]) -> str:
    return hashlib.sha1(bytes(data), usedforsecurity=False).hexdigest()[:16]
