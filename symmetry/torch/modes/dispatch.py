"""What happens to single operations of a run: promotion to float64, and means instead of noise."""

import math
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from itertools import pairwise
from pathlib import Path
from types import FrameType
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map

from symmetry.base.user_code import is_user_code
from symmetry.torch.modes import noise as random
from symmetry.torch.modes.recorder import written_by

_HALF = frozenset({torch.bfloat16, torch.float16})
_WIDE = {torch.complex64: torch.complex128} | dict.fromkeys({*_HALF, torch.float32}, torch.float64)
_WIDEST = frozenset(_WIDE.values())
_LARGEST = torch.finfo(torch.float32).max
_DRAWS = torch.ops.aten.normal_.default, torch.ops.aten.uniform_.default
_MANY = 10_000  # entries: to draw fewer takes no time
_COPIES = {"_to_copy", "copy", "clone", "detach", "lift_fresh", "alias", "empty", "empty_like"}


class Inside:
    """Knows whether a module's forward, or a backward, is being run.

    A checkpointed forward runs again inside backward; what it draws is the model's own, too. So is
    what methods of its modules draw, as noise that is drawn anew before a step; but not what the
    model's own methods do: they may make a batch.
    """

    def __init__(self, model: nn.Module) -> None:
        self.depth = 0
        # The modules of the model but itself, by id. What wraps one and nothing else is the model.
        self._modules = {*map(id, model.modules())} - {id(model)}
        while len(children := [*model.children()]) == 1:
            (model,) = children
            self._modules.discard(id(model))

    def draws(self) -> bool:
        """Return whether what is drawn now is the model's own, as all that functionals draw."""
        return self.depth > 0 or any(
            f.f_code.co_filename == nn.functional.__file__
            or id(f.f_locals.get("self")) in self._modules
            for f in _callers()
        )

    @contextmanager
    def watching(self, *, promote: bool) -> Iterator[None]:
        """Count the modules that are entered and left; hand them float64 where that is promoted.

        Recurrent ones compare the dtypes of inputs and weights before any operation.
        """
        call = nn.Module._call_impl

        def counted(module: nn.Module, *args: Any, **kwargs: Any) -> Any:
            if promote:
                args, kwargs = tree_map(_double, (args, kwargs))
            with self.entered():
                return call(module, *args, **kwargs)

        with patch.object(nn.Module, "_call_impl", counted):
            yield

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Count as inside whatever is done here."""
        self.depth += 1
        try:
            yield
        finally:
            self.depth -= 1


class Arithmetic(TorchDispatchMode):
    """Stands before every operation, backward's and the optimiser's included.

    ``inside`` tells the model's random numbers from the user's data; ``seen`` is called with the
    name, the place and the numbers that it is given of each random operation of the model.
    ``promote``: perform everything in float64. Tensors that are made come out as float64, with the
    values that they have in fewer bits; so do conversions to fewer bits. ``noise``: leave the
    model's random operations as they are. ``alike``: let each of them draw from a stream of its own
    kind and shape, which any other training draws from, too. ``nudge``: change results in bfloat16
    and float16, copies apart, by up to one ulp.
    """

    def __init__(
        self,
        inside: Inside,
        seen: Callable[[str, str, str], None],
        *,
        promote: bool,
        noise: bool,
        alike: Counter[Any] | None = None,
        nudge: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self._inside, self._seen = inside, seen
        self._promote, self._noise, self._nudge = promote, noise, nudge
        self._alike = alike

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = _name_of(func)
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
        if self._promote:
            return _promoted(func, perform, args, kwargs)
        result = perform(*args, **kwargs)
        if self._nudge is not None and name not in _COPIES and not _is_view(func):
            _mapped(self._move, result)
        return result

    def _move(self, value: Any) -> None:
        if isinstance(value, Tensor) and value.dtype in _HALF:
            sign = torch.randint(-1, 2, value.shape, generator=self._nudge).to(value)
            value.detach().add_(value.detach() * sign * torch.finfo(value.dtype).eps / 2)


class Frozen(TorchDispatchMode):
    """Leaves some tensors as they are: what would write into one writes into a copy."""

    def __init__(self, tensors: Iterable[Tensor] = ()) -> None:
        super().__init__()
        self._memories: set[int] = set()
        self.add(tensors)

    def add(self, tensors: Iterable[Tensor]) -> None:
        """Leave these as they are, too."""
        self._memories |= {tensor.untyped_storage().data_ptr() for tensor in tensors}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func._schema.is_mutable:
            args = _mapped(self._copied, args)
            kwargs = {name: _mapped(self._copied, value) for name, value in kwargs.items()}
        return func(*args, **kwargs)

    def _copied(self, value: Any) -> Any:
        if _is_tensor(value) and value.untyped_storage().data_ptr() in self._memories:
            return value.clone()
        return value


class Drawn(TorchDispatchMode):
    """Remembers what large tensors are filled with at random: models are made again and again.

    ``known`` is what was drawn before, by all that decides on it; it grows.
    """

    def __init__(self, known: dict[Any, tuple[Tensor, Tensor]]) -> None:
        super().__init__()
        self._known = known

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        tensor: Any = args[0] if args else None
        if (
            func not in _DRAWS
            or kwargs.get("generator") is not None
            or type(tensor) not in (Tensor, nn.Parameter)
            or not (tensor.is_cpu and tensor.numel() >= _MANY)
        ):
            return func(*args, **kwargs)
        state = torch.get_rng_state().numpy().tobytes()
        key = func, tensor.shape, tensor.stride(), tensor.dtype, *args[1:], hash(state)
        if key not in self._known:
            func(*args, **kwargs)
            self._known[key] = tensor.detach().clone(), torch.get_rng_state()
        else:
            values, after = self._known[key]
            tensor.copy_(values)
            torch.set_rng_state(after)
        return tensor


class Mixed(TorchFunctionMode):
    """Lets a function that is handed both float64 and fewer bits have float64 alone.

    Some functions compare the dtypes before any operation is performed.
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        found = {*_dtypes_in(args), *_dtypes_in(kwargs.values())}
        if len(found) > 1 and found & _WIDEST and found & _WIDE.keys() and _computes(func):
            args, kwargs = tree_map(_double, (args, kwargs))
        if torch.float64 in found and getattr(func, "__name__", "").endswith("grouped_mm"):
            func = _products_by_group
        return func(*args, **kwargs)


def _products_by_group(a: Tensor, b: Tensor, *, offs: Tensor, **_: Any) -> Tensor:
    """Multiply each group of rows by its own matrix: PyTorch's kernel does not know float64."""
    ends = [0, *offs.tolist()]
    rows = [a[start:end] @ b[k] for k, (start, end) in enumerate(pairwise(ends))]
    return torch.cat(rows)


def widened(tensor: Tensor) -> Tensor:
    """Return a tensor's numbers in float64; the tensor itself if there is nothing to widen."""
    return tensor.to(_WIDE.get(tensor.dtype, tensor.dtype))


@cache  # schemes are slow to read, and there are few operations
def _name_of(func: Any) -> str:
    """Return the name of an operation, whether it writes in place or not."""
    name: str = func._schema.name.split("::")[1].rstrip("_")
    return name


@cache
def _takes_dtype(func: Any) -> bool:
    return "dtype" in {argument.name for argument in func._schema.arguments}


def _dtypes_in(values: Iterable[Any]) -> Iterator[torch.dtype]:
    """Yield the dtypes of tensors, also of those in lists and tuples."""
    for value in values:
        if isinstance(value, Tensor):
            yield value.dtype
        elif isinstance(value, (list, tuple)):
            yield from _dtypes_in(value)


def _computes(func: Any) -> bool:
    name = getattr(func, "__name__", "")
    return not name.endswith("_") and name not in {"backward", "grad", "__get__", "__set__", "to"}


def _promoted(func: Any, perform: Callable[..., Any], args: Any, kwargs: dict[str, Any]) -> Any:
    """Perform an operation in float64; what it writes into keeps its dtype."""
    if kwargs.get("dtype") in _WIDE and any(map(_is_tensor, (*args, *kwargs.values()))):
        kwargs = {**kwargs, "dtype": _WIDE[kwargs["dtype"]]}
    elif any(map(_overflows, args)) and _takes_dtype(func):
        kwargs = {**kwargs, "dtype": torch.float64}  # the smallest number of float64, as a mask
    written = [(low, widened(low)) for low in filter(_is_low, written_by(func, args, kwargs))]
    double = _double_but_for({id(low): high for low, high in written})
    named = {name: _mapped(double, value) for name, value in kwargs.items()}
    wide = _mapped(double, args)
    if "fake_quantize" in _name_of(func) and _is_tensor(args[1]):
        wide = wide[0], wide[1].float(), *wide[2:]  # of its scales the kernels take no float64
    result = perform(*wide, **named)
    for low, high in written:
        low.copy_(high)
    return _mapped(_double_but_for({id(high): low for low, high in written}), result)


def _double_but_for(others: Mapping[int, Tensor]) -> Callable[[Any], Any]:
    """Return what widens values, but puts others in the place of some, which are given by id."""
    if not others:
        return _double
    return lambda value: others[id(value)] if id(value) in others else _double(value)


def _mapped(change: Callable[[Any], Any], value: Any) -> Any:
    """Apply a function to a value, or to all in a list or tuple: operations take nothing deeper."""
    if isinstance(value, (list, tuple)) and not isinstance(value, torch.Size):
        return type(value)([_mapped(change, each) for each in value])
    return change(value)


def _double(value: Any) -> Any:
    return widened(value) if _is_low(value) else value


def _is_low(value: Any) -> bool:
    return isinstance(value, Tensor) and value.dtype in _WIDE


def _overflows(value: Any) -> bool:
    return isinstance(value, float) and _LARGEST < abs(value) < math.inf


def _is_tensor(value: Any) -> bool:
    return isinstance(value, Tensor)


def _is_view(func: Any) -> bool:
    return any(result.alias_info is not None for result in func._schema.returns)


def user_place(outside: type | tuple[type, ...] = ()) -> str:
    """Return ``file:line`` of the innermost line that is the user's own, in no method of these."""
    own = (
        f
        for f in _callers()
        if is_user_code(f.f_code.co_filename) and not isinstance(f.f_locals.get("self"), outside)
    )
    return next((f"{Path(f.f_code.co_filename).name}:{f.f_lineno}" for f in own), "")


def _callers() -> Iterator[FrameType]:
    """Yield the frames of what is being run, the innermost first."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        yield frame
        frame = frame.f_back
