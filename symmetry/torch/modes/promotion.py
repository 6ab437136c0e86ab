"""Promotion of every operation to float64, and means instead of noise."""

import math
from collections import Counter
from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.weak import WeakTensorKeyDictionary

from symmetry.base.user_code import callers, kind_of, user_place
from symmetry.torch.modes import noise as random
from symmetry.torch.modes.dtypes import WIDE, is_low, mapped, widened, widened_but_for
from symmetry.torch.modes.scope import ModuleScope
from symmetry.torch.watch.operations import name_of, written_by
from symmetry.training.run import RunSettings

_LARGEST = torch.finfo(torch.float32).max
_OTHERS = {"user", "installed"}  # kinds of code
# By a view of a promoted copy: the same part of the tensor in fewer bits, which it writes to, too.
_lows = WeakTensorKeyDictionary()
_COPIES = {"_to_copy", "copy", "clone", "detach", "lift_fresh", "alias", "empty", "empty_like"}


class Promotion(TorchDispatchMode):
    """Stands before every operation, backward's and the optimiser's included.

    ``inside`` separates the model's random numbers from the user's data; ``seen`` is called with
    the name, the place and the numbers that it is given of each random operation of the model.
    Where the ``settings`` promote, everything is performed in float64. Tensors that are made come
    out as float64, with the values that they have in fewer bits; so do conversions to fewer bits.
    ``alike``: let each random operation of the model draw from a stream of its own kind and shape,
    which any other training draws from, too.
    """

    def __init__(
        self,
        inside: ModuleScope,
        seen: Callable[[str, str, str], None],
        settings: RunSettings,
        alike: Counter[Any] | None = None,
    ) -> None:
        super().__init__()
        self._inside, self._seen = inside, seen
        self._promotes, self._noise = settings.promotes, settings.noise
        self._alike = alike

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = name_of(func).rstrip("_")
        perform: Callable[..., Any] = func
        drops = random.drops(func, args)
        if (name in random.NOISE or drops) and self._inside.draws():
            given = random.numbers_given(name, args, drops)
            self._seen("native_dropout" if drops else name, user_place(), given)
            if self._alike is not None:
                perform = random.drawing_alike(func, name, args, self._alike)
            elif not self._noise:
                perform = (
                    random.without_dropping(func, drops) if drops else random.with_mean(func, name)
                )
        if self._promotes and not (name in _COPIES and _by_the_engine()):
            return _promoted(func, perform, args, kwargs)
        return perform(*args, **kwargs)


@cache
def _takes_dtype(func: Any) -> bool:
    return "dtype" in {argument.name for argument in func._schema.arguments}


def _promoted(func: Any, perform: Callable[..., Any], args: Any, kwargs: dict[str, Any]) -> Any:
    """Perform an operation in float64; tensors that it writes into keep their dtypes.

    But for data that were made before the run began and become a part of the graph, as a sum of
    losses that starts with zeros: its gradient would have their dtype.
    """
    for low in filter(is_low, written_by(func, args, kwargs)):
        if _joins_the_graph(low, args):
            low.data = widened(low.data)
    if kwargs.get("dtype") in WIDE and any(map(_is_tensor, (*args, *kwargs.values()))):
        kwargs = {**kwargs, "dtype": WIDE[kwargs["dtype"]]}
    elif any(map(_overflows, args)) and _takes_dtype(func):
        kwargs = {**kwargs, "dtype": torch.float64}  # the smallest number of float64, as a mask
    written = [(low, widened(low)) for low in filter(is_low, written_by(func, args, kwargs))]
    double = widened_but_for({id(low): high for low, high in written})
    named = {name: mapped(double, value) for name, value in kwargs.items()}
    wide = mapped(double, args)
    if "fake_quantize" in name_of(func) and _is_tensor(args[1]):
        wide = wide[0], wide[1].float(), *wide[2:]  # of its scales the kernels take no float64
    result = perform(*wide, **named)
    for low, high in written:
        low.copy_(high)
    for high in written_by(func, args, kwargs):
        if (low := _lows.get(high)) is not None:
            low.copy_(high)
    if func.is_view:
        _note_view(func, args, kwargs, result)
    return mapped(widened_but_for({id(high): low for low, high in written}), result)


def _note_view(func: Any, args: Any, kwargs: dict[str, Any], result: Any) -> None:
    """Remember which part of a tensor in fewer bits a view of its promoted copy stands for."""
    low = args[0] if is_low(args[0]) else _lows.get(args[0]) if _is_tensor(args[0]) else None
    if low is None or torch._C._functorch.is_functorch_wrapped_tensor(low):
        return
    part = func(low, *args[1:], **kwargs)
    pairs = zip(result, part, strict=True) if isinstance(part, (list, tuple)) else [(result, part)]
    for high, own in pairs:
        if _is_tensor(high) and high is not own and high.shape == own.shape:
            _lows[high] = own


def _by_the_engine() -> bool:
    """Return whether autograd copies a gradient, or casts it to the dtype of what it belongs to.

    A part of the graph may be older than the run, as a sum of the first batch and a perturbation:
    its gradients have to come in fewer bits.
    """
    if torch._C._current_graph_task_id() == -1 or torch.is_grad_enabled():
        return False
    for frame in callers():
        if frame.f_code.co_name == "_engine_run_backward":
            return True
        if frame.f_code.co_name == "apply" or kind_of(frame.f_code.co_filename) in _OTHERS:
            return False  # a derivative that is written in Python, or a hook
    return False


def _joins_the_graph(low: Tensor, args: Any) -> bool:
    """Return whether a plain tensor gets a history by what is written into it."""
    plain = low.grad_fn is None and not low.requires_grad and low._base is None
    return (
        plain and torch.is_grad_enabled() and any(_is_tensor(a) and a.requires_grad for a in args)
    )


def _overflows(value: Any) -> bool:
    return isinstance(value, float) and _LARGEST < abs(value) < math.inf


def _is_tensor(value: Any) -> bool:
    return isinstance(value, Tensor)
