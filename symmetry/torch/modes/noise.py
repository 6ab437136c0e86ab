"""Random operations, and the means that stand for what they draw.

Every operation that PyTorch tags as random is one of these: noise, which has a mean; an operation
that drops inputs by itself, as attention and recurrent kernels may; a choice among whole numbers,
which has no mean and stays as it is, like data; or one that calls others of these.
"""

import math
import zlib
from collections import Counter
from collections.abc import Callable
from functools import cache
from typing import Any

import torch

from symmetry.torch.watch.operations import name_of

Mean = Callable[[bool, Any], Any]  # of whether it writes in place, and of its arguments


def _parameter(default: float) -> Mean:
    """Return the mean of what is drawn around its first parameter, if that is not left out."""
    return lambda in_place, a: (a[1] if a[1:] else default) if in_place else a[0]


MEANS: dict[str, Mean] = {
    "bernoulli": lambda in_place, a: (a[1] if a[1:] else 0.5) if in_place else a[-1],
    "normal": _parameter(0.0),
    "normal_functional": lambda _, a: a[1] if a[1:] else 0.0,
    "uniform": lambda _, a: (a[1] + a[2]) / 2 if a[2:] else 0.5,
    "exponential": lambda _, a: 1 / a[1] if a[1:] else 1.0,
    "log_normal": lambda _, a: math.exp((a[1:] or (1.0,))[0] + (a[2:] or (2.0,))[0] ** 2 / 2),
    "cauchy": lambda _, a: a[1] if a[1:] else 0.0,  # its median: it has no mean
    "geometric": lambda _, a: 1 / a[1],
    "poisson": lambda _, a: a[0],
    "binomial": lambda _, a: a[0] * a[1],
    "_standard_gamma": lambda _, a: a[0],
    "_sample_dirichlet": lambda _, a: a[0] / a[0].sum(-1, keepdim=True),
    "randn": lambda *_: 0.0,
    "randn_like": lambda *_: 0.0,
    "rand": lambda *_: 0.5,
    "rand_like": lambda *_: 0.5,
}
_MASKED = {"native_dropout", "_fused_dropout"}  # return their mask
_SLOPES = {"rrelu_with_noise", "rrelu_with_noise_functional"}  # write it, or return it
NOISE = {*MEANS, *_MASKED, *_SLOPES}


def drops(func: Any, args: Any) -> tuple[int, ...]:
    """Return the places of the arguments by which an operation drops some of its inputs."""
    return tuple(place for place in _may_drop(func) if args[place:] and args[place])


@cache  # schemes are slow to read, and there are few operations
def _may_drop(func: Any) -> tuple[int, ...]:
    names = [argument.name for argument in func._schema.arguments]
    return tuple(n for n, name in enumerate(names) if name in ("dropout", "dropout_p"))


def without_dropping(func: Any, places: tuple[int, ...]) -> Callable[..., Any]:
    """Return the operation as it is performed without dropping anything."""

    def kept(*args: Any, **kwargs: Any) -> Any:
        return func(*(0.0 if n in places else a for n, a in enumerate(args)), **kwargs)

    return kept


def numbers_given(name: str, args: Any, places: tuple[int, ...]) -> str:
    """Say which numbers a random operation is given; what drops says what it keeps."""
    if places:
        return f"keeps {1 - args[places[0]]:.6g}"
    if name in _MASKED:
        return f"keeps {args[1] if name == '_fused_dropout' else 1 - args[1]:.6g}"
    given = [value for value in args[1:] if isinstance(value, int | float)]
    if name == "bernoulli":
        return f"keeps {given[0]:.6g}" if given else "keeps 0.5"
    return " ".join([name, *(f"{value:.6g}" for value in given)])


def drawing_alike(func: Any, name: str, args: Any, known: Counter[Any]) -> Callable[..., Any]:
    """Return the operation as it draws from a stream of its kind and shape, which ``known`` counts.

    What others draw does not change that, and it changes nothing of what others draw.
    """
    first = args[0] if args else ()
    key = name, tuple(first.shape if isinstance(first, torch.Tensor) else first)
    known[key] += 1
    seed = zlib.crc32(repr((key, known[key])).encode())

    def alike(*args: Any, **kwargs: Any) -> Any:
        before = torch.get_rng_state()
        torch.default_generator.manual_seed(seed)
        try:
            return func(*args, **{**kwargs, **dict.fromkeys(kwargs.keys() & {"generator"})})
        finally:
            torch.set_rng_state(before)

    return alike


def with_mean(func: Any, name: str) -> Callable[..., Any]:
    """Return what replaces a random operation. It draws all the same, for the sake of others."""

    def mean(*args: Any, **kwargs: Any) -> Any:
        if name in _SLOPES:
            return _with_mean_slope(func, args, kwargs)
        result = func(*args, **kwargs)
        if name in _MASKED:
            kind = torch.bool if name == "native_dropout" else torch.uint8
            return args[0].clone(), torch.ones_like(args[0], dtype=kind)
        value = MEANS[name](name_of(func).endswith("_"), args)
        return result.copy_(torch.as_tensor(value, dtype=result.dtype))

    return mean


def _with_mean_slope(func: Any, args: Any, kwargs: Any) -> Any:
    """Perform a leaky ReLU whose slopes are drawn, with their mean; backward reads them, too."""
    x = args[0].clone()
    lower, upper = args[2:4] if args[3:] else (0.125, 1 / 3)
    result = func(*args, **kwargs)
    if not (args[4:] and args[4]):  # not in training: nothing is drawn
        return result
    slopes = torch.where(x > 0, 1.0, (lower + upper) / 2).to(x.dtype)
    if isinstance(result, tuple):
        return x * slopes, slopes
    args[1].copy_(slopes)
    return result.copy_(x * slopes)
